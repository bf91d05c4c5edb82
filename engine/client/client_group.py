"""Clients that share a process: one connection, one model held once, one thread that trains for all."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

from engine.client.downlink import Downlink
from engine.client.participant import Participant
from engine.client.trainer_thread import OpenTrainer, Trained, TrainerThread
from engine.config import RunConfig
from engine.errors import ConfigError, DataError, EngineError
from engine.logger import get_client_logger, log_failure
from engine.protocol import messages
from engine.transport.base import Transport

_LONGEST_WAIT_S = 0.05
_SHORTEST_WAIT_S = 0.002


class ClientGroup:
    """Takes part in a federation under several ids until the run ends, or nobody is left.

    To the server each of them is a client like any other. What concerns one client alone ends this one: a
    join that is refused, data that cannot be loaded, an update that is refused for good, a dismissal. It
    leaves for good, and the others go on; the error of the first is raised once nobody is left. What may go
    well in another process, such as a training that ran out of memory, is raised at once.

    Args:
        config: what the run computes.
        clients: the id of each, unique in the federation, and the part it asks for; None for any.
        transport: connected to the run's broker.
        open_trainer: makes the trainer of a client; called in the training thread.
        insists: whether no other parts will do.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        clients: Mapping[str, int | None],
        *,
        transport: Transport,
        open_trainer: OpenTrainer,
        insists: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport, self._clock = transport, clock
        self._downlink = Downlink(config, group_name(list(clients)), transport=transport, clock=clock)
        self.trainer_thread = TrainerThread(open_trainer, clock)
        self._participants = {
            client: Participant(
                config,
                client,
                downlink=self._downlink,
                transport=transport,
                trainer_thread=self.trainer_thread,
                part=part,
                insists=insists,
                clock=clock,
            )
            for client, part in clients.items()
        }
        self._connections = 0
        self.end_reason = ""
        """Why the run is over for all of them, in words; empty while it is not."""
        self._first_error: EngineError | None = None

    @property
    def clients(self) -> list[str]:
        """Those that take part."""
        return list(self._participants)

    def participant(self, client: str) -> Participant:
        """The one with this id."""
        return self._participants[client]

    def start(self, duration_minutes: float | None = None) -> str:
        """Takes part until the run ends, or nobody is left.

        Args:
            duration_minutes: leave for good after this time; None for no limit.

        Returns:
            Why it ended, in words.

        Raises:
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            ConfigError: the server has no part of the data for the first client that ended.
            EngineError: training failed.
        """
        leave_at = math.inf if duration_minutes is None else self._clock() + 60 * duration_minutes
        while not self.end_reason:
            if self._clock() >= leave_at:
                self.leave("its time is over", final=True)
                return "its time is over"
            self.turn()
        return self.end_reason

    def leave(self, reason: str, *, final: bool) -> None:
        """Says goodbye for all.

        Args:
            reason: in words.
            final: whether they will not come back.
        """
        for participant in self._participants.values():
            participant.leave(reason, final=final)
        self._transport.flush(1.0)

    def close(self) -> None:
        """Lets go of the broker."""
        self._transport.close()

    def turn(self) -> None:
        """One look at everything that has come, and what follows from it.

        Raises:
            EngineError: see `start`.
        """
        self._listen()
        while (trained := self.trainer_thread.poll()) is not None:
            self._note_trained(trained)
        if self._downlink.is_connected:
            for participant in self._participants.values():
                participant.work()

    def stay_in_touch(self) -> None:
        """A turn in which nobody trains or looks at what came of training: that is left to the caller.

        Raises:
            EngineError: see `start`.
        """
        self._listen()
        if self._downlink.is_connected:
            for participant in self._participants.values():
                participant.keep_in_touch()

    def _note_trained(self, trained: Trained) -> None:
        participant = self._participants.get(trained.client)
        if participant is None:  # it has ended meanwhile
            return
        try:
            participant.note_trained(trained)
        except (ConfigError, DataError) as error:
            self._fail(participant, error)

    # --- what the server says

    def _listen(self) -> None:
        for message, is_news in self._downlink.listen(self._wait_s()):
            self._hear(message, is_news=is_news)
        if self._downlink.connections != self._connections:
            self._connections = self._downlink.connections
            for participant in self._participants.values():
                participant.start_over()
        anyone = next(iter(self._participants.values()), None)
        if anyone is not None and self._downlink.is_connected and self._downlink.model.is_stuck():
            anyone.ask_for_model()

    def _hear(self, message: messages.Control, *, is_news: bool) -> None:
        match message:
            case messages.RunEnded():
                # One that was said before this process came is of a run that has been resumed since.
                if is_news or any(participant.has_part for participant in self._participants.values()):
                    self.end_reason = message.reason
            case messages.Receipt() | messages.JoinAnswered():
                self._answered(message)
            case messages.Dismissed():
                self._dismissed(message)
            case _:
                for participant in self._participants.values():
                    participant.heed(message)

    def _answered(self, answer: messages.Receipt | messages.JoinAnswered) -> None:
        participant = self._participants.get(answer.client)
        if participant is None:  # of another process
            return
        try:
            participant.heed(answer)
        except EngineError as error:
            self._fail(participant, error)

    def _dismissed(self, dismissal: messages.Dismissed) -> None:
        participant = self._participants.get(dismissal.client)
        if participant is None or participant.session != dismissal.session:
            return
        get_client_logger(dismissal.client).info("dismissed: %s", dismissal.reason)
        self._take_out(participant, f"dismissed: {dismissal.reason}")

    # --- who ends before the others

    def _fail(self, participant: Participant, error: EngineError) -> None:
        """An error ends one client. Of the last one it is raised: whoever started it may start it again."""
        is_raised = self._first_error is None and len(self._participants) == 1
        self._first_error = self._first_error or error
        if not is_raised:
            log_failure(get_client_logger(participant.client_id), error)
        self._take_out(participant, str(error))
        participant.leave(messages.words(str(error)), final=True, failed=True)

    def _take_out(self, participant: Participant, reason: str) -> None:
        del self._participants[participant.client_id]
        self.trainer_thread.withdraw(participant.client_id)
        if self._participants:
            return
        if self._first_error is not None:
            raise self._first_error
        self.end_reason = reason

    def _wait_s(self) -> float:
        """How long to wait for records: briefly while training, in proportion to how long it takes."""
        busy_since = self.trainer_thread.busy_since
        if busy_since is None:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, (self._clock() - busy_since) / 50))


def group_name(clients: Sequence[str]) -> str:
    """What the log and the broker call such a process: `1`, or `1-4`."""
    return clients[0] if len(clients) == 1 else f"{clients[0]}-{clients[-1]}"
