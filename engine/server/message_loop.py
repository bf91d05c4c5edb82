"""One turn of the server: what clients, operators and the broker have brought, and what has to be said."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from engine import telemetry
from engine.config import RunConfig
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.errors import BrokerReset, BrokerUnreachable, MessageInvalid, Overtaken
from engine.failpoints import reach
from engine.frame_key import read_frame_key
from engine.protocol import messages
from engine.server import round_report
from engine.server.broker_watch import BrokerWatch
from engine.server.checkpoint import RoundSummary
from engine.server.counted import CountedUpdates
from engine.server.dead_letters import DeadLetters
from engine.server.gate import Gate
from engine.server.intake import UPDATE_PLACES, Arrival, Intake, Refusal, Repetition, WaitingRoom
from engine.server.members import Members
from engine.server.operators import Operators
from engine.server.publisher import Publisher
from engine.server.recycling import why_recycle
from engine.server.round import Contribution, Round
from engine.server.server_channel import ServerChannel
from engine.server.takeover import Takeover
from engine.server.telemetry_handler import TelemetryHandler
from engine.server.update_handler import UpdateHandler
from engine.telemetry import UpdateId
from engine.transport.base import (
    CONTROL,
    MODEL_UPDATES,
    PARTITIONS,
    TELEMETRY,
    Place,
    Record,
    Transport,
)

_TURN_S = 0.05
_REPLAY_PATIENCE_S = 10.0
_RECYCLE_WAIT_S = 60.0
_DISK_MARGIN = 3
"""So many times the room at which the run ends is left free by updates on disk: no client can fill it."""


class MessageLoop:
    """Reads, answers, announces, and goes on when the broker is replaced.

    Args:
        config: what the run computes.
        transport: connected to the run's broker.
        takeover: the run as this server found it.
        counted: the updates that are in the model already.
        run_dir: its directory.
        examples_by_part: size of each part of the data; empty where it is not known.
        socket_path: where the supervisor's commands are taken; None for none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        transport: Transport,
        takeover: Takeover,
        *,
        counted: CountedUpdates,
        run_dir: Path,
        examples_by_part: Mapping[int, int],
        socket_path: Path | None,
        clock: Callable[[], float],
    ) -> None:
        self._run, self._epoch = config.run_id, takeover.epoch
        self._embedded, self._num_clients = config.embedded_broker, config.clients
        self._transport, self._journal, self._clock = transport, takeover.journal, clock
        layout = takeover.checkpoint.header.layout
        key = read_frame_key(config.frame_key_file)
        self._channel = ServerChannel(transport, self._run, self._epoch, codec=config.codec, key=key)
        reserved_bytes = _DISK_MARGIN * config.min_free_disk_mb * 1_000_000
        self._intake = Intake(layout, run_dir, clock, key=key, reserved_bytes=reserved_bytes)
        self._watch = BrokerWatch(transport, self._journal, config.broker_timeout_s)
        self.members = Members(config.num_parts, config.client_timeout_s)
        self._telemetry = TelemetryHandler(
            members=self.members,
            channel=self._channel,
            journal=self._journal,
            num_parts=config.num_parts,
            mode=config.mode,
            examples_by_part=examples_by_part,
        )
        self._is_asynchronous = config.mode != "sync"
        gate = Gate(config, layout, examples_by_part, counted=counted, history=self._journal.history)
        self._updates = UpdateHandler(gate, self._channel, self._journal, DeadLetters(run_dir))
        self.operators = Operators(
            socket_path,
            config,
            telemetry_handler=self._telemetry,
            journal=self._journal,
            store=takeover.store,
        )
        self._publisher = Publisher(self._channel, self._journal, clock)
        self._needs_restoring = False
        self._unread: deque[Record] = deque()
        """What came in the last turn and was not looked at, as whoever took it had enough."""
        self._waiting = WaitingRoom()
        self._restore_members(takeover)
        self._positions, self._replay_end = takeover.positions, takeover.replay_end
        self._replayed_at = clock()

    def _restore_members(self, takeover: Takeover) -> None:
        history = takeover.journal.history
        parts = takeover.checkpoint.header.members | history.parts
        known = {client: part for client, part in parts.items() if client not in history.left}
        self.members.restore(known, self._clock())

    @property
    def incarnation(self) -> str:
        return self._transport.incarnation

    # --- speaking

    def announce_takeover(self, rounds_done: int, weights: Weights, digest: str) -> None:
        """Says that this server leads now, and publishes the model it found."""
        started = telemetry.ServerStarted(
            epoch=self._epoch, round=rounds_done, model_digest=digest, parameters=weights.layout.size
        )
        self._journal.record(started)
        self._intake.start_at({place: self._positions[place] for place in UPDATE_PLACES})
        self._transport.assign(self._positions)
        self.say(messages.EpochStarted(run=self._run, epoch=self._epoch))
        self.publish_model(weights, digest, rounds_done)
        self._replayed_at = self._clock()

    def say(self, message: messages.ControlMessage) -> None:
        self._channel.say(message)

    def flush(self) -> None:
        self._channel.flush()

    def publish_model(self, weights: Weights, digest: str, round_number: int) -> None:
        """Makes this the current model; if the broker does not take it now, it is tried again each turn."""
        self._publisher.set_model(weights, digest, round_number)
        if self._is_heard:
            self._publisher.publish()

    def the_round(self) -> Round:
        """The newest round.

        Raises:
            RuntimeError: none has been opened yet.
        """
        if self._publisher.round is None:
            raise RuntimeError("no round has been opened")
        return self._publisher.round

    @property
    def has_open_round(self) -> bool:
        """Whether the newest round is not closed yet."""
        return self._publisher.round is not None and not self._publisher.round.is_closed

    def open_round(self, current: Round) -> None:
        """Makes this the open round; it is announced once the model is out and old updates are read."""
        self._publisher.open_round(current)
        self._telemetry.follow_round(current.number)
        self._renew_publication()

    def is_somebody_awaited(self) -> bool:
        """Whether a client that was started with the run has not joined, left or been given up on."""
        gone = self.operators.given_up | self._telemetry.left
        gone &= {str(number) for number in range(1, self._num_clients + 1)}
        return len(self.members) + len(gone) < self._num_clients

    def _renew_publication(self) -> None:
        if self._is_heard and not self._is_replaying():
            self._publisher.renew()

    def acknowledge(
        self, arrival: Arrival, update: ClientUpdate, contribution: Contribution, norm: float
    ) -> None:
        """An update is in the sum: records it and tells its client."""
        if update.id not in self._journal.history.accepted:
            self._journal.record(round_report.accepted(update, contribution, norm, self.the_round()))
        self.members.delivered(update.client)
        if not self._is_old(arrival.record):
            self._updates.hold(arrival)
            reach("server.receipt_sent", update.round, first=self.flush)

    def leave_out(self, current: Round, updates: Collection[UpdateId]) -> None:
        """These were held and are not in the model: their clients need not keep them any longer."""
        for update in updates:
            transfer = current.contributions.pop(update).transfer
            self._intake.forget_transfer(transfer)
            self._updates.leave_out(update, transfer)

    # --- listening

    def turn(self) -> Iterator[tuple[Arrival, ClientUpdate]]:
        """One look at everything that has come; yields the updates that may enter the open round.

        Raises:
            BrokerLost: the broker has been away for too long.
            Overtaken: another server has taken over.
        """
        self._keep_house()
        try:
            if not self._unread:
                self._unread.extend(self._transport.poll(_TURN_S))
        except BrokerReset:
            self._watch.note_reset()
            self._needs_restoring = True
            return
        yield from self._take_waiting()
        while self._unread:
            record = self._unread.popleft()
            if record.place.topic == MODEL_UPDATES:
                yield from self._take(record)
            elif record.place.topic == TELEMETRY:
                self._hear(record)
            else:
                self._notice_rival(record)

    def _keep_house(self) -> None:
        now, current = self._clock(), self._publisher.round
        self._watch.check()
        if self._needs_restoring:
            self._restore()
        self.operators.obey(current, now)
        if self._watch.is_lost:
            self.members.excuse_silence(now)
        self._telemetry.check_silence(now)
        self._intake.expire()
        self._channel.repeat_failed()
        if current is not None:
            current.leave(client for client in current.cohort if client not in self.members)
            self._let_in(current)
        self._renew_publication()

    def _let_in(self, current: Round) -> None:
        """In `timed` and `buffered`, whoever has joined takes part at once."""
        if not (self._is_asynchronous and current.is_open):
            return
        active = self.operators.pauses.cohort(self.members.clients())
        if new := [client for client in active if client not in current.cohort or client in current.left]:
            current.join(new)
            self._publisher.announce_again()

    def _take(self, record: Record) -> Iterator[tuple[Arrival, ClientUpdate]]:
        outcome, is_old = self._intake.take(record), self._is_old(record)
        if is_old:
            self._replayed_at = self._clock()
        match outcome:
            case Arrival() if self._is_asynchronous:
                if not self._waiting.put(outcome):
                    self._intake.forget(outcome)
                yield from self._take_waiting()
            case Arrival():
                yield from self._offer(outcome)
            case Repetition() if not is_old:
                self._updates.repeat(outcome)
            case Refusal() if not is_old:
                self._updates.refuse(outcome)

    def _take_waiting(self) -> Iterator[tuple[Arrival, ClientUpdate]]:
        """The arrivals that have waited for a round with room for them, in the order in which they came."""
        while self._publisher.round is not None and not self._publisher.round.is_full:
            arrival = self._waiting.get()
            if arrival is None:
                return
            yield from self._offer(arrival)

    def _offer(self, arrival: Arrival) -> Iterator[tuple[Arrival, ClientUpdate]]:
        update = self._judge(arrival, quiet=self._is_old(arrival.record))
        if update is None:
            self._intake.forget(arrival)
        else:
            yield arrival, update

    def _judge(self, arrival: Arrival, *, quiet: bool) -> ClientUpdate | None:
        current = self._publisher.round
        if current is None:
            return None
        client = arrival.frame.metadata.client
        part = self.members[client].part if client in self.members else None
        return self._updates.judge(arrival, current, part, quiet=quiet)

    def _hear(self, record: Record) -> None:
        try:
            message = messages.decode_telemetry(record.value)
        except MessageInvalid as error:
            self._updates.refuse(Refusal(None, record, error))
            return
        if self._telemetry.hear(message, self._clock()):
            self._publisher.publish_on_request()

    def _notice_rival(self, record: Record) -> None:
        epoch = messages.header_number(record.headers, "epoch")
        if record.place.topic == CONTROL and epoch > self._epoch:
            raise Overtaken(f"a server with epoch {epoch} has taken over; this one has {self._epoch}")

    def _is_old(self, record: Record) -> bool:
        return record.offset < self._replay_end.get(record.place, 0)

    def _is_replaying(self) -> bool:
        """Whether old updates are still to come. What the broker has lost meanwhile is not waited for."""
        if self._clock() - self._replayed_at > _REPLAY_PATIENCE_S:
            self._replay_end = {}
        return any(self._intake.positions[place] < end for place, end in self._replay_end.items())

    # --- the broker

    @property
    def _is_heard(self) -> bool:
        """Whether there is a broker, and it has the topics: nothing else is waited for."""
        return not (self._watch.is_lost or self._needs_restoring)

    def _restore(self) -> None:
        """Goes on with a broker that came back empty: everyone joins and sends again."""
        try:
            self._transport.create_topics()
        except BrokerUnreachable:
            return  # the next turn tries again, until the watch gives up
        self._needs_restoring = False
        self._publisher.forget()
        self._replay_end = {}
        self._intake.start_at({})
        topics = (MODEL_UPDATES, TELEMETRY, CONTROL)
        self._transport.assign({Place(t, n): 0 for t in topics for n in range(PARTITIONS[t])})
        self.members.excuse_silence(self._clock())
        self.say(messages.EpochStarted(run=self._run, epoch=self._epoch))

    def recycle_broker_if_large(self, idle: Callable[[], None]) -> None:
        """Between two rounds: asks for a fresh embedded broker when this one has grown too large.

        Args:
            idle: takes one turn.
        """
        stored = self._channel.bytes_sent + self._intake.bytes_taken
        reason = why_recycle(self._transport.health(), stored) if self._embedded else ""
        if not reason or not self.operators.request_recycling(reason):
            return
        self._journal.record(telemetry.BrokerRecycled(reason=reason))
        old, give_up_at = self.incarnation, self._clock() + _RECYCLE_WAIT_S
        while (self.incarnation == old or self._needs_restoring) and self._clock() < give_up_at:
            idle()

    # --- at the end of a round

    def note_counted(self, transfers: Iterable[str]) -> None:
        """These are in a checkpoint: whoever sends one again is told so, once it has been looked at."""
        for transfer in transfers:
            self._intake.forget_transfer(transfer)

    def safe_offsets(self) -> dict[str, int]:
        return self._intake.safe_offsets(waiting=self._waiting)

    def summarise(self, current: Round, aggregation_s: float) -> RoundSummary:
        """What is known of a round that has just been aggregated; records who was late."""
        for client in () if self._is_asynchronous else current.missing():
            self._journal.record(telemetry.ClientLate(client=client, round=current.number))
        return round_report.summarise(
            current,
            now=self._clock(),
            aggregation_s=aggregation_s,
            bytes_down=self._telemetry.downloads * self._channel.frame_bytes,
        )

    def close(self) -> None:
        self.operators.close()
        self._transport.close()
