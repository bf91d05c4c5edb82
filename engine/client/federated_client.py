"""A client of a federation: takes the global model, trains on its part of the data, sends its delta."""

import time
from collections.abc import Callable

from engine.client.downlink import Downlink
from engine.client.metrics import ClientMetrics
from engine.client.participant import OpenTrainer, Participant
from engine.config import RunConfig
from engine.protocol import messages
from engine.transport.base import Transport

_LONGEST_WAIT_S = 0.05
_SHORTEST_WAIT_S = 0.002


class FederatedClient:
    """Takes part in a federation until it ends.

    Args:
        config: what the run computes.
        client_id: this client's id, unique in the federation.
        transport: connected to the run's broker.
        open_trainer: makes the trainer once the server has handed out a part of the data.
        part: the part to ask for; None for any.
        insists: whether no other part will do.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        client_id: str,
        *,
        transport: Transport,
        open_trainer: OpenTrainer,
        part: int | None = None,
        insists: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.client_id = config, client_id
        self._transport, self._clock = transport, clock
        self._downlink = Downlink(config, client_id, transport=transport, clock=clock)
        self._participant = Participant(
            config,
            client_id,
            downlink=self._downlink,
            transport=transport,
            open_trainer=open_trainer,
            part=part,
            insists=insists,
            clock=clock,
        )
        self._connections = 0
        self._end_reason = ""

    @property
    def metrics(self) -> ClientMetrics:
        """How the trainings went."""
        return self._participant.metrics

    def start(self, duration_minutes: float | None = None) -> str:
        """Takes part until the run ends.

        Args:
            duration_minutes: leave after this time; None for no limit.

        Returns:
            Why it ended, in words.

        Raises:
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            ConfigError: the server has no part of the data for this client.
            EngineError: training failed.
        """
        leave_at = None if duration_minutes is None else self._clock() + 60 * duration_minutes
        while not self._end_reason:
            if leave_at is not None and self._clock() >= leave_at:
                self.leave("its time is over", final=True)
                return "its time is over"
            self._turn()
        return self._end_reason

    def leave(self, reason: str, *, final: bool) -> None:
        """Says goodbye.

        Args:
            reason: in words.
            final: whether it will not come back.
        """
        self._participant.leave(reason, final=final)
        self._transport.flush(1.0)

    def close(self) -> None:
        """Lets go of the broker."""
        self._transport.close()

    def _turn(self) -> None:
        """One look at everything that has come, and what follows from it."""
        for message, is_news in self._downlink.listen(self._wait_s()):
            if isinstance(message, messages.RunEnded):
                # One that was said before this client came is of a run that has been resumed since.
                if self._participant.has_part or is_news:
                    self._end_reason = message.reason
            else:
                self._participant.heed(message)
        if self._downlink.connections != self._connections:
            self._connections = self._downlink.connections
            self._participant.start_over()
        if self._downlink.is_connected:
            if self._downlink.model.is_stuck():
                self._participant.ask_for_model()
            self._participant.work()

    def _wait_s(self) -> float:
        """How long to wait for records: briefly while training, in proportion to how long it takes."""
        busy_since = self._participant.busy_since
        if busy_since is None:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, (self._clock() - busy_since) / 50))
