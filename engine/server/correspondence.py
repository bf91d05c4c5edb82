"""The server's dealings with everyone else, a turn at a time: clients, operators, and the broker."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from engine import telemetry
from engine.config import RunConfig
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.errors import BrokerReset, BrokerUnreachable, Overtaken
from engine.failpoints import reach
from engine.protocol import messages
from engine.server.announcer import Announcer
from engine.server.broker_watch import BrokerWatch
from engine.server.checkpoint import RoundSummary
from engine.server.gate import Gate
from engine.server.intake import UPDATE_PLACES, Arrival, Intake, Refusal, Repetition
from engine.server.members import Members
from engine.server.operators import Operators
from engine.server.reception import Reception
from engine.server.referee import Referee
from engine.server.round import Contribution, Round
from engine.server.takeover import Takeover
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
_REPUBLISH_PAUSE_S = 5.0
_REPLAY_PATIENCE_S = 10.0
_RECYCLE_RECORDS = 3_000
"""Records in one partition after which the embedded broker's fetches become slow."""
_RECYCLE_MEMORY_SHARE = 0.15
_RECYCLE_WAIT_S = 60.0


class Correspondence:
    """Reads, answers, announces, and goes on when the broker is replaced.

    Args:
        config: what the run computes.
        transport: connected to the run's broker.
        takeover: the run as this server found it.
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
        run_dir: Path,
        examples_by_part: Mapping[int, int],
        socket_path: Path | None,
        clock: Callable[[], float],
    ) -> None:
        self._run, self._epoch = config.run_id, takeover.epoch
        self._embedded = config.embedded_broker
        self._transport, self._journal, self._clock = transport, takeover.journal, clock
        layout = takeover.checkpoint.header.layout
        self._announcer = Announcer(transport, self._run, self._epoch)
        self._intake = Intake(layout, run_dir, clock)
        self._watch = BrokerWatch(transport, self._journal, config.broker_timeout_s)
        self.members = Members(config.num_parts, config.client_timeout_s)
        self._reception = Reception(
            members=self.members,
            announcer=self._announcer,
            journal=self._journal,
            num_parts=config.num_parts,
            examples_by_part=examples_by_part,
            run=self._run,
            epoch=self._epoch,
        )
        self._referee = Referee(
            gate=Gate(self._run, layout, examples_by_part),
            announcer=self._announcer,
            journal=self._journal,
            run=self._run,
            epoch=self._epoch,
        )
        self.operators = Operators(socket_path, self._reception, config)
        self._model: tuple[Weights, str, int] | None = None
        self._is_published = False
        self._published_at = 0.0
        self.current_round: Round | None = None
        self._is_announced = False
        self._needs_restoring = False
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
        self._announcer.say(message)

    def flush(self) -> None:
        self._announcer.flush()

    def publish_model(self, weights: Weights, digest: str, round_number: int) -> None:
        """Makes this the current model; if the broker does not take it now, it is tried again each turn."""
        self._model = (weights, digest, round_number)
        self._publish()

    def _publish(self) -> None:
        if self._model is None:
            return
        self._published_at = self._clock()
        self._is_announced = False
        self._is_published = self._announcer.publish_model(*self._model)
        if self._is_published:
            reach("server.model_published", self._model[2])

    def the_round(self) -> Round:
        """The newest round.

        Raises:
            RuntimeError: none has been opened yet.
        """
        if self.current_round is None:
            raise RuntimeError("no round has been opened")
        return self.current_round

    def open_round(self, current: Round) -> None:
        """Makes this the open round; it is announced once the model is out and old updates are read."""
        self.current_round = current
        self._is_announced = False
        self._announce_round_if_due()

    def _announce_round_if_due(self) -> None:
        current = self.current_round
        if current is None or current.is_closed or self._is_announced or not self._is_published:
            return
        if self._is_replaying():
            return
        self._is_announced = True
        if not current.is_recorded:
            current.opened_at, current.is_recorded = self._clock(), True
            self._journal.record(
                telemetry.RoundOpened(
                    round=current.number,
                    cohort=list(current.cohort),
                    quorum=current.required,
                    deadline_s=current.deadline_s,
                    base=current.base_digest,
                    reopened=current.resumed,
                    held=list(current.contributions),
                )
            )
        self.say(
            messages.RoundOpened(
                run=self._run,
                epoch=self._epoch,
                round=current.number,
                base=current.base_digest,
                cohort=current.waited_for(),
                quorum=current.required,
                deadline_s=current.deadline_s,
                held=current.held(),
            )
        )

    def acknowledge(
        self, arrival: Arrival, update: ClientUpdate, contribution: Contribution, norm: float
    ) -> None:
        """An update is in the sum: records it and tells its client."""
        if (update.round, update.client) not in self._journal.history.accepted:
            self._journal.record(_accepted(update, contribution, norm, self.current_round))
        if not self._is_old(arrival.record):
            self._referee.hold(arrival)
            reach("server.receipt_sent", update.round, first=self.flush)

    # --- listening

    def turn(self) -> Iterator[tuple[Arrival, ClientUpdate]]:
        """One look at everything that has come; yields the updates that may enter the open round.

        Raises:
            BrokerLost: the broker has been away for too long.
            Overtaken: another server has taken over.
        """
        self._keep_house()
        try:
            records = self._transport.poll(_TURN_S)
        except BrokerReset:
            self._watch.note_reset()
            self._needs_restoring = True
            return
        for record in records:
            if record.place.topic == MODEL_UPDATES:
                yield from self._take(record)
            elif record.place.topic == TELEMETRY:
                self._hear(record)
            else:
                self._notice_rival(record)

    def _keep_house(self) -> None:
        now = self._clock()
        self._watch.check()
        if self._needs_restoring:
            self._restore()
        elif not self._is_published and not self._watch.is_lost:
            self._publish()
        self.operators.obey(self.current_round, now)
        if self._watch.is_lost:
            self.members.excuse_silence(now)
        self._reception.check_silence(now)
        self._intake.expire()
        self._announcer.repeat_failed()
        if self.current_round is not None:
            self.current_round.leave(c for c in self.current_round.cohort if c not in self.members)
        self._announce_round_if_due()

    def _take(self, record: Record) -> Iterator[tuple[Arrival, ClientUpdate]]:
        outcome, is_old = self._intake.take(record), self._is_old(record)
        if is_old:
            self._replayed_at = self._clock()
        match outcome:
            case Arrival():
                update = self._judge(outcome, quiet=is_old)
                if update is None:
                    self._intake.forget(outcome)
                else:
                    yield outcome, update
            case Repetition() if not is_old:
                self._referee.repeat(outcome)
            case Refusal() if not is_old:
                self._referee.refuse(outcome)

    def _judge(self, arrival: Arrival, *, quiet: bool) -> ClientUpdate | None:
        if self.current_round is None:
            return None
        client = arrival.frame.metadata.client
        part = self.members[client].part if client in self.members else None
        return self._referee.judge(arrival, self.current_round, part, quiet=quiet)

    def _hear(self, record: Record) -> None:
        try:
            message = messages.decode_telemetry(record.value)
        except messages.MessageInvalid as error:
            self._referee.refuse(Refusal(None, record, error))
            return
        wants_model = self._reception.hear(message, self._clock())
        if wants_model and self._clock() - self._published_at > _REPUBLISH_PAUSE_S:
            self._publish()

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

    def _restore(self) -> None:
        """Goes on with a broker that came back empty: everyone joins and sends again."""
        try:
            self._transport.create_topics()
        except BrokerUnreachable:
            return  # the next turn tries again, until the watch gives up
        self._needs_restoring = False
        self._announcer.forget()
        self._replay_end = {}
        self._intake.start_at({})
        topics = (MODEL_UPDATES, TELEMETRY, CONTROL)
        self._transport.assign({Place(t, n): 0 for t in topics for n in range(PARTITIONS[t])})
        self.members.excuse_silence(self._clock())
        self.say(messages.EpochStarted(run=self._run, epoch=self._epoch))
        if self.current_round is not None:
            self.current_round.opened_at = self._clock()
        self._publish()

    def recycle_broker_if_large(self, idle: Callable[[], None]) -> None:
        """Between two rounds: asks for a fresh embedded broker when this one has grown too large.

        Args:
            idle: takes one turn.
        """
        reason = self._why_recycle() if self._embedded else ""
        if not reason or not self.operators.request_recycling(reason):
            return
        self._journal.record(telemetry.BrokerRecycled(reason=reason))
        old, give_up_at = self.incarnation, self._clock() + _RECYCLE_WAIT_S
        while (self.incarnation == old or self._needs_restoring) and self._clock() < give_up_at:
            idle()

    def _why_recycle(self) -> str:
        place, records = max(
            self._transport.health().retained.items(), key=lambda item: item[1], default=(Place(CONTROL), 0)
        )
        if records >= _RECYCLE_RECORDS:
            return f"{records} records in {place.topic}-{place.partition}"
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        stored = self._announcer.bytes_sent + self._intake.bytes_taken
        if stored > _RECYCLE_MEMORY_SHARE * memory:
            return f"{stored / 1e9:.1f} GB stored, more than {_RECYCLE_MEMORY_SHARE:.0%} of memory"
        return ""

    # --- at the end of a round

    def safe_offsets(self) -> dict[str, int]:
        return self._intake.safe_offsets()

    def summarise(self, current: Round, aggregation_s: float) -> RoundSummary:
        """What is known of a round that has just been aggregated; records who was late."""
        now = self._clock()
        for client in current.missing():
            self._journal.record(telemetry.ClientLate(client=client, round=current.number))
        self._reception.forget_round(current.number - 1)
        last = max(current.contributions.values(), key=lambda c: c.accepted_at)
        training = last.train_s or 0.0
        parts = {
            "training": training,
            "transfer": max(0.0, last.accepted_at - current.opened_at - training),
            "waiting": max(0.0, now - aggregation_s - last.accepted_at),
            "aggregation": aggregation_s,
        }
        return RoundSummary(
            updates=len(current.contributions),
            examples=current.num_examples,
            bytes_up=sum(c.num_bytes for c in current.contributions.values()),
            seconds=None if current.resumed else now - current.opened_at,
            parts={} if current.resumed else parts,
        )

    def bytes_down(self, round_number: int) -> int:
        """Bytes of models that clients said they had received for a round."""
        return self._reception.downloads.get(round_number, 0) * self._announcer.frame_bytes

    def close(self) -> None:
        self.operators.close()
        self._transport.close()


def _accepted(
    update: ClientUpdate, contribution: Contribution, norm: float, current: Round | None
) -> telemetry.UpdateAccepted:
    elapsed = None if current is None or current.resumed else contribution.accepted_at - current.opened_at
    transfer_s = None if elapsed is None or contribution.train_s is None else elapsed - contribution.train_s
    return telemetry.UpdateAccepted(
        client=update.client,
        round=update.round,
        examples=update.num_examples,
        loss=update.metrics.train_loss,
        accuracy=update.metrics.train_accuracy,
        test_accuracy=update.metrics.test_accuracy,
        train_s=contribution.train_s,
        transfer_s=None if transfer_s is None else max(0.0, transfer_s),
        bytes=contribution.num_bytes,
        norm=norm,
    )
