"""A client of a federation: takes the global model, trains on its part of the data, sends its delta."""

import os
import platform
import secrets
import time
from collections.abc import Callable

from engine.client.metrics import ClientMetrics
from engine.client.model_receiver import ModelReceiver
from engine.client.outbox import Outbox
from engine.client.trainer_thread import Task, Trained, TrainerThread
from engine.config import RunConfig
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.errors import (
    BrokerLost,
    BrokerReset,
    BrokerUnreachable,
    ConfigError,
    MessageInvalid,
    TrainingError,
)
from engine.failpoints import reach
from engine.logger import get_client_logger
from engine.protocol import messages
from engine.training.base import Trainer
from engine.transport.base import CONTROL, GLOBAL_MODEL, TELEMETRY, Place, Record, Transport, place_of
from engine.transport.last_record import read_last_record

_CONTROL = Place(CONTROL)
_MODELS = Place(GLOBAL_MODEL)
_LONGEST_HEARTBEAT_S = 5.0
_HEARTBEATS_PER_TIMEOUT = 3
"""One that is lost or late does not make a client count as lost."""
_JOIN_AGAIN_S = 2.0
_LONGEST_WAIT_S = 0.05
_SHORTEST_WAIT_S = 0.002
_OUT_OF_STEP = ("round_closed", "wrong_round", "wrong_base", "not_in_cohort")
"""Reasons of a refusal that lie in the course of the run, not in the update."""

OpenTrainer = Callable[[int], Trainer]
"""Makes the trainer for a part of the data; called in the training thread."""


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
        self.config, self.client_id, self.metrics = config, client_id, ClientMetrics()
        self._transport, self._open_trainer, self._clock = transport, open_trainer, clock
        self._log = get_client_logger(client_id)
        self._session = secrets.token_hex(8)
        self._telemetry = place_of(TELEMETRY, client_id)
        self._outbox = Outbox(
            client=client_id, run=config.run_id, codec=config.codec, transport=transport, clock=clock
        )
        self._model = ModelReceiver(client_id, config.run_id, clock)
        self._part, self._insists = part, insists
        self._trainer: TrainerThread | None = None
        self._task: Task | None = None
        self._epoch = 0
        self._control_position = 0
        self._first_news = 0
        """Offset of the first record of `control` that was written after this client had come."""
        self._reads_models = False
        self._is_connected = False
        self._is_joined = False
        self._join_again_at = self._heartbeat_at = 0.0
        self._heartbeat_s = min(_LONGEST_HEARTBEAT_S, config.client_timeout_s / _HEARTBEATS_PER_TIMEOUT)
        self._round: messages.RoundOpened | None = None
        self._is_round_new = False
        self._held_round = 0
        """The newest round of which the server has said that it holds this client's update."""
        self._end_reason = ""

    # --- the life of a client

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
        self._tell(
            messages.Leave(
                run=self.config.run_id,
                client=self.client_id,
                session=self._session,
                reason=reason,
                final=final,
            )
        )
        self._transport.flush(1.0)

    def close(self) -> None:
        """Lets go of the broker."""
        self._transport.close()

    def _turn(self) -> None:
        """One look at everything that has come, and what follows from it."""
        self._check_broker()
        try:
            if not self._is_connected:
                self._connect()
                return
            records = self._transport.poll(self._wait_s())
        except BrokerReset:
            self._is_connected = False
            return
        for record in records:
            if record.place == _CONTROL:
                self._control_position = record.offset + 1
                self._heed(record)
            else:
                self._model.take(record)
        self._work()

    def _wait_s(self) -> float:
        """How long to wait for records: briefly while training, in proportion to how long it takes."""
        if self._trainer is None or self._trainer.busy_since is None:
            return _LONGEST_WAIT_S
        elapsed = self._clock() - self._trainer.busy_since
        return min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, elapsed / 50))

    def _work(self) -> None:
        now = self._clock()
        if not self._is_joined and now >= self._join_again_at:
            self._join_again_at = now + _JOIN_AGAIN_S
            self._join()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + self._heartbeat_s
            self._send_heartbeat()
        if self._model.is_stuck():
            self._ask_for_model()
        self._finish_training()
        self._consider_round()
        self._outbox.send_due()

    # --- the broker

    def _check_broker(self) -> None:
        health = self._transport.health()
        if health.lost_for_s is not None and health.lost_for_s > self.config.broker_timeout_s:
            raise BrokerLost(f"the broker has been silent for {health.lost_for_s:.0f} s: {health.reason}")

    def _connect(self) -> None:
        """Finds the current manifest and reads on from there; nothing older is read."""
        if not self._transport.wait_for_topics(1.0):
            return
        try:
            end = self._transport.end_offsets(CONTROL)[_CONTROL]
        except BrokerUnreachable:
            return
        self._first_news = end
        self._control_position = self._manifest_offset(end)
        self._transport.assign({_CONTROL: self._control_position})
        self._reads_models = self._is_joined = False
        self._round, self._epoch, self._join_again_at = None, 0, 0.0
        self._model.start_over()
        self._is_connected = True

    def _manifest_offset(self, end: int) -> int:
        """Offset of the current manifest, as the last record of `control` says it; 0 where there is none."""
        record = read_last_record(self._transport, _CONTROL, end, clock=self._clock)
        if record is None:
            return 0
        if isinstance(_decode(record), messages.ModelPublished):
            return record.offset
        return max(0, messages.header_number(record.headers, "manifest"))

    def _tell(self, message: messages.TelemetryMessage) -> None:
        self._transport.publish(self._telemetry, messages.encode(message), key=self.client_id.encode())

    # --- what the server says

    def _heed(self, record: Record) -> None:
        message = _decode(record)
        if message is None or message.run != self.config.run_id or message.epoch < self._epoch:
            return  # of another run, or of a server that has been overtaken
        self._epoch = message.epoch
        match message:
            case messages.EpochStarted():
                self._is_joined, self._join_again_at = False, 0.0
            case messages.JoinAnswered():
                self._note_answer(message)
            case messages.ModelPublished():
                self._note_manifest(message)
            case messages.RoundOpened():
                self._round, self._is_round_new = message, True
            case messages.Receipt():
                self._note_receipt(message)
            case messages.RoundClosed():
                self._note_closed(message.round)
            case messages.RunEnded():
                # One that was said before this client came is of a run that has been resumed since.
                if self._trainer is not None or record.offset >= self._first_news:
                    self._end_reason = message.reason

    def _note_answer(self, answer: messages.JoinAnswered) -> None:
        if (answer.client, answer.session) != (self.client_id, self._session):
            return
        if answer.part is None:
            raise ConfigError(f"the server does not admit client {self.client_id}: {answer.reason}")
        self._is_joined = True
        if self._trainer is not None and answer.part != self._part:
            raise ConfigError(f"the server hands out part {answer.part}; this client works on {self._part}")
        if self._trainer is None:
            part = self._part = answer.part
            self._log.info("joined, with part %d of %d", part, answer.parts)
            self._trainer = TrainerThread(self.client_id, lambda: self._open_trainer(part), self._clock)

    def _note_manifest(self, manifest: messages.ModelPublished) -> None:
        self._model.note_manifest(manifest)
        if not self._reads_models:
            self._reads_models = True
            self._transport.assign({_CONTROL: self._control_position, _MODELS: manifest.first_offset})

    def _note_receipt(self, receipt: messages.Receipt) -> None:
        if receipt.client != self.client_id:
            return
        if receipt.verdict in ("held", "duplicate"):
            self._held_round = receipt.round
        is_current = self._round is not None and self._outbox.has(self._round.round, self._round.base)
        if not self._outbox.note_receipt(receipt.transfer, receipt.verdict):
            return
        if receipt.verdict not in _OUT_OF_STEP:
            raise TrainingError(
                f"the server refused the update of round {receipt.round}: {receipt.verdict}; "
                "training again would repeat it"
            )
        self._log.warning("round %d: the server refused the update: %s", receipt.round, receipt.verdict)
        if is_current:
            self._round = None  # until the server opens it, or another, again

    def _note_closed(self, round_number: int) -> None:
        self._outbox.note_closed(round_number)
        if self._round is not None and self._round.round <= round_number:
            self._round = None

    # --- what this client does

    def _join(self) -> None:
        self._tell(
            messages.Join(
                run=self.config.run_id,
                client=self.client_id,
                session=self._session,
                host=platform.node(),
                pid=os.getpid(),
                part=self._part,
                insists=self._insists,
            )
        )

    def _send_heartbeat(self) -> None:
        self._tell(
            messages.Heartbeat(
                run=self.config.run_id,
                client=self.client_id,
                session=self._session,
                state=self._state(),
                round=self._round.round if self._round else None,
            )
        )

    def _state(self) -> str:
        if not self._is_joined:
            return "joining"
        if self._task is not None:
            return "training"
        return "sending" if self._outbox.is_waiting else "idle"

    def _ask_for_model(self) -> None:
        self._log.warning("the global model cannot be read whole; asking for it again")
        self._tell(
            messages.RepublishRequested(
                run=self.config.run_id, client=self.client_id, digest=self._model.wanted
            )
        )

    def _consider_round(self) -> None:
        """Trains, sends again, or does nothing, as the open round demands."""
        opened = self._round
        if opened is None or self._trainer is None or self.client_id not in opened.cohort:
            return
        is_new, self._is_round_new = self._is_round_new, False
        if is_new and self._held_round == opened.round and self.client_id not in opened.held:
            self._held_round = 0  # a server that lost it opens the round again
        if self.client_id in opened.held or self._held_round == opened.round:
            return
        if self._outbox.has(opened.round, opened.base):
            if is_new:
                self._outbox.send_again()
        elif self._task is None and self._model.weights is not None and self._model.digest == opened.base:
            self.train_local_model(self._model.weights)

    def train_local_model(self, global_weights: Weights) -> None:
        """Starts local training for the open round from the global model."""
        opened = self._round
        if opened is None or self._trainer is None:
            return
        self._task = Task(opened.round, global_weights, opened.base)
        self._tell(
            messages.Have(
                run=self.config.run_id, client=self.client_id, round=opened.round, digest=opened.base
            )
        )
        self._trainer.submit(self._task)
        reach("client.training_started", opened.round)

    def _finish_training(self) -> None:
        trained = self._trainer.poll() if self._trainer else None
        if trained is None:
            return
        if trained.error is not None:
            raise trained.error
        task, self._task = self._task, None
        if task is None or trained.update is None:
            return
        self._note_training(trained)
        if self._round is None or (self._round.round, self._round.base) != (task.round, task.base_digest):
            self._log.warning("round %d was over before training was", task.round)
            return
        self.send_model_update(trained.update, task.base, trained.seconds)

    def _note_training(self, trained: Trained) -> None:
        metrics = trained.update.metrics if trained.update else None
        if metrics is not None:
            self.metrics.note(metrics, trained.seconds)
            self._log.info(
                "round %d: trained in %.2f s, loss %s, accuracy %s",
                trained.round,
                trained.seconds,
                _shown(metrics.train_loss),
                _shown(metrics.train_accuracy),
            )

    def send_model_update(self, update: ClientUpdate, base: Weights, train_s: float) -> None:
        """Sends an update until the server says that it holds it."""
        self._tell(messages.Sending(run=self.config.run_id, client=self.client_id, round=update.round))
        self._outbox.put(update, base.layout, self._epoch, train_s)
        reach("client.update_sent", update.round, first=lambda: self._transport.flush(5.0))


def _decode(record: Record) -> messages.Control | None:
    """The message in a control record; None for one that this version does not know."""
    try:
        return messages.decode_control(record.value)
    except MessageInvalid:
        return None


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
