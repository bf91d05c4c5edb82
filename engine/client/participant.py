"""One client of the federation: joins, trains when its schedule says so, and sends what comes of it."""

import os
import platform
import secrets
from collections.abc import Callable

from engine.client.downlink import Downlink
from engine.client.metrics import ClientMetrics
from engine.client.outbox import Outbox
from engine.client.schedule import Assignment, open_schedule
from engine.client.trainer_thread import Task, Trained, TrainerThread
from engine.config import MAX_KEPT_UPDATES, RunConfig
from engine.core.update import ClientUpdate
from engine.core.weights import Layout, Weights
from engine.errors import ConfigError, DigestMismatch, TrainingError
from engine.failpoints import reach
from engine.logger import get_client_logger
from engine.protocol import messages
from engine.training.base import Trainer
from engine.transport.base import TELEMETRY, Transport, place_of

_LONGEST_HEARTBEAT_S = 5.0
_HEARTBEATS_PER_TIMEOUT = 3
"""One that is lost or late does not make a client count as lost."""
_JOIN_AGAIN_S = 2.0
_OUT_OF_STEP = (
    "round_closed",
    "wrong_round",
    "wrong_base",
    "not_in_cohort",
    "too_stale",
    "round_full",
    "not_a_member",
)
"""Reasons of a refusal that lie in the course of the run, not in the update."""

OpenTrainer = Callable[[int], Trainer]
"""Makes the trainer for a part of the data; called in the training thread."""


class Participant:
    """Takes part under one id. The process that it lives in listens for it.

    Args:
        config: what the run computes.
        client_id: unique in the federation.
        downlink: has the newest model.
        transport: where to speak.
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
        downlink: Downlink,
        transport: Transport,
        open_trainer: OpenTrainer,
        part: int | None,
        insists: bool,
        clock: Callable[[], float],
    ) -> None:
        self.config, self.client_id, self.metrics = config, client_id, ClientMetrics()
        self._downlink, self._transport, self._clock = downlink, transport, clock
        self._open_trainer = open_trainer
        self._log = get_client_logger(client_id)
        self._session = secrets.token_hex(8)
        self._telemetry = place_of(TELEMETRY, client_id)
        self._outbox = Outbox(
            client=client_id,
            run=config.run_id,
            codec=config.codec,
            key=downlink.frame_key,
            most=1 if config.mode == "sync" else MAX_KEPT_UPDATES,
            transport=transport,
            clock=clock,
        )
        self._schedule = open_schedule(config, client_id, self._outbox, clock)
        self._part, self._insists = part, insists
        self._trainer: TrainerThread | None = None
        self._task: Task | None = None
        self._is_joined = False
        self._join_again_at = self._heartbeat_at = 0.0
        self._heartbeat_s = min(_LONGEST_HEARTBEAT_S, config.client_timeout_s / _HEARTBEATS_PER_TIMEOUT)

    @property
    def has_part(self) -> bool:
        """Whether it has been in the federation, and so knows an end of the run from an earlier one."""
        return self._trainer is not None

    @property
    def busy_since(self) -> float | None:
        """When the training under way began: monotonic seconds; None while there is none."""
        return self._trainer.busy_since if self._trainer else None

    # --- what the server says

    def start_over(self) -> None:
        """Reading has begun anew: the broker may be another one."""
        self._schedule.start_over()
        self._is_joined, self._join_again_at = False, 0.0

    def heed(self, message: messages.Control) -> None:
        """Takes one message of the server.

        Raises:
            ConfigError: the server has no part of the data for this client.
            TrainingError: the server refuses its updates.
        """
        match message:
            case messages.EpochStarted():
                self._is_joined, self._join_again_at = False, 0.0
                self._schedule.note_takeover()
            case messages.JoinAnswered():
                self._note_answer(message)
            case messages.RoundOpened():
                self._schedule.note_opened(message)
            case messages.Receipt() if message.client == self.client_id:
                self._note_receipt(message)
            case messages.RoundClosed():
                self._schedule.note_closed(message)
            case _:
                pass

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

    def _note_receipt(self, receipt: messages.Receipt) -> None:
        if receipt.verdict == DigestMismatch.reason:
            self._log.warning(
                "round %d: the server cannot verify the update, which is sent again; if this does not end, "
                "frame_key_file is not the server's",
                receipt.round,
            )
        if not self._schedule.note_receipt(receipt):
            return
        if receipt.verdict not in _OUT_OF_STEP:
            raise TrainingError(
                f"the server refused the update of round {receipt.round}: {receipt.verdict}; "
                "training again would repeat it"
            )
        self._log.warning("round %d: the server refused the update: %s", receipt.round, receipt.verdict)

    # --- what this client does

    def work(self) -> None:
        """Says what has to be said, and goes on with training and sending.

        Raises:
            EngineError: training failed.
        """
        now = self._clock()
        if not self._is_joined and now >= self._join_again_at:
            self._join_again_at = now + _JOIN_AGAIN_S
            self._join()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + self._heartbeat_s
            self._send_heartbeat()
        self._finish_training()
        self._consider_training()
        self._outbox.send_due()

    def ask_for_model(self) -> None:
        """The model of the manifest cannot be read any more."""
        self._log.warning("the global model cannot be read whole; asking for it again")
        self._tell(
            messages.RepublishRequested(
                run=self.config.run_id, client=self.client_id, digest=self._downlink.model.wanted
            )
        )

    def leave(self, reason: str, *, final: bool) -> None:
        """Says goodbye; `final` if it will not come back."""
        self._tell(
            messages.Leave(
                run=self.config.run_id,
                client=self.client_id,
                session=self._session,
                reason=reason,
                final=final,
            )
        )

    def _tell(self, message: messages.TelemetryMessage) -> None:
        self._transport.publish(self._telemetry, messages.encode(message), key=self.client_id.encode())

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
                round=self._schedule.round,
                interval_s=self._schedule.interval_s,
            )
        )

    def _state(self) -> str:
        if not self._is_joined:
            return "joining"
        if self._task is not None:
            return "training"
        return "sending" if self._outbox.is_waiting else "idle"

    # --- training

    def _consider_training(self) -> None:
        if self._trainer is None:
            return
        assignment = self._schedule.assignment(
            has_model=self._downlink.has_model, is_training=self._task is not None
        )
        weights = self._downlink.model.weights
        if assignment is not None and weights is not None:
            self.train(weights, assignment)

    def train(self, global_weights: Weights, assignment: Assignment) -> None:
        """Starts local training from the global model."""
        if self._trainer is None:
            return
        self._task = Task(assignment, global_weights)
        self._tell(
            messages.Have(
                run=self.config.run_id,
                client=self.client_id,
                round=assignment.round,
                digest=assignment.base,
            )
        )
        self._trainer.submit(self._task)
        reach("client.training_started", assignment.round)

    def _finish_training(self) -> None:
        trained = self._trainer.poll() if self._trainer else None
        if trained is None:
            return
        if trained.error is not None:
            raise trained.error
        task, self._task = self._task, None
        if task is None or trained.update is None:
            return
        self._note_training(trained.update, trained)
        if not self._schedule.wants(task.assignment):
            self._log.warning("round %d was over before training was", task.assignment.round)
            return
        self.send(trained.update, task.base.layout, trained.seconds)

    def _note_training(self, update: ClientUpdate, trained: Trained) -> None:
        self.metrics.note(update.metrics, trained.seconds)
        self._schedule.note_training(trained.seconds)
        interval_s = self._schedule.interval_s
        self._log.info(
            "round %d: trained in %.2f s, loss %s, accuracy %s%s",
            update.round,
            trained.seconds,
            _shown(update.metrics.train_loss),
            _shown(update.metrics.train_accuracy),
            f"; every {interval_s:.2f} s" if interval_s else "",
        )

    def send(self, update: ClientUpdate, layout: Layout, train_s: float) -> None:
        """Sends an update until the server says that it holds it."""
        self._tell(messages.Sending(run=self.config.run_id, client=self.client_id, round=update.round))
        self._outbox.put(update, layout, self._downlink.epoch, train_s)
        reach("client.update_sent", update.round, first=lambda: self._transport.flush(5.0))


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
