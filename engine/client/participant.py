"""One client of the federation: joins, trains when its schedule says so, and sends what comes of it."""

import os
import platform
import secrets
from collections.abc import Callable
from typing import NamedTuple

from engine.client.downlink import Downlink
from engine.client.metrics import ClientMetrics
from engine.client.outbox import Outbox
from engine.client.schedule import open_schedule
from engine.client.terms import with_interval, with_terms
from engine.client.trainer_thread import Task, Trained, TrainerThread
from engine.config import MAX_KEPT_UPDATES, RunConfig
from engine.core.update import ClientUpdate
from engine.core.weights import Layout
from engine.errors import ConfigError, DigestMismatch, TrainingError
from engine.failpoints import reach
from engine.logger import get_client_logger
from engine.protocol import messages
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
    "left_out",
)
"""Reasons of a refusal that lie in the course of the run, not in the update."""


class Done(NamedTuple):
    """A training that has ended well."""

    task: Task
    update: ClientUpdate
    seconds: float


class Participant:
    """Takes part under one id. The process that it lives in listens for it.

    Args:
        config: what the run computes.
        client_id: unique in the federation.
        downlink: has the newest model.
        transport: where to speak.
        trainer_thread: trains, once the server has handed out a part of the data.
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
        trainer_thread: TrainerThread,
        part: int | None,
        insists: bool,
        clock: Callable[[], float],
    ) -> None:
        self.config, self.client_id, self.metrics = config, client_id, ClientMetrics()
        self._downlink, self._transport, self._clock = downlink, transport, clock
        self._trainer_thread, self._is_preparing = trainer_thread, False
        self._log = get_client_logger(client_id)
        self.session = secrets.token_hex(8)
        """Names this client in this process."""
        self._telemetry = place_of(TELEMETRY, client_id)
        self._part, self._insists = part, insists
        self._outbox = Outbox(
            client=client_id,
            run=config.run_id,
            codec=config.codec,
            key=downlink.frame_key,
            transport=transport,
            clock=clock,
        )
        self._follow(config, opened=None)
        self._task: Task | None = None
        self._is_joined = False
        self.has_part = False
        """Whether it has been in the federation, and so knows an end of the run from an earlier one."""
        self._join_again_at = self._heartbeat_at = 0.0
        self._heartbeat_s = min(_LONGEST_HEARTBEAT_S, config.client_timeout_s / _HEARTBEATS_PER_TIMEOUT)

    def _follow(self, config: RunConfig, *, opened: messages.RoundOpened | None) -> None:
        """Works as the mode of this configuration says, from the open round on."""
        self.config = config
        self._outbox.most = 1 if config.mode == "sync" else MAX_KEPT_UPDATES
        self._schedule = open_schedule(config, self.client_id, self._outbox, self._clock)
        if opened is not None:
            self._schedule.note_opened(opened)

    @property
    def is_sending(self) -> bool:
        """Whether an update has been sent that the server does not hold yet."""
        return self._outbox.is_waiting

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
        if (answer.client, answer.session) != (self.client_id, self.session):
            return
        if answer.part is None:
            raise ConfigError(f"the server does not admit client {self.client_id}: {answer.reason}")
        self._is_joined = True
        if self.has_part and answer.part != self._part:
            raise ConfigError(f"the server hands out part {answer.part}; this client works on {self._part}")
        if not self.has_part:
            self.has_part, self._part = True, answer.part
            self._log.info("joined, with part %d of %d", answer.part, answer.parts)
            if (answer.mode, answer.parts) != (self.config.mode, self.config.num_parts):
                terms = with_terms(self.config, mode=answer.mode, parts=answer.parts)
                self._follow(terms, opened=self._schedule.opened)

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

    def train_every(self, seconds: float) -> None:
        """Lets so much time pass between the starts of two trainings, where the pace is the client's."""
        if not self.has_part or self.config.mode != "sync":
            self._follow(with_interval(self.config, seconds), opened=self._schedule.opened)

    def work(self) -> None:
        """Says what has to be said, and trains when it is time to."""
        self.keep_in_touch()
        if self.has_part and not self._is_preparing:
            self._is_preparing = True
            self._trainer_thread.prepare(self.client_id, self._part or 0)
        task = self.task_due()
        if task is not None:
            self.train(task)

    def keep_in_touch(self) -> None:
        """Says what has to be said, and sends again what has to be sent again."""
        now = self._clock()
        if not self._is_joined and now >= self._join_again_at:
            self._join_again_at = now + _JOIN_AGAIN_S
            self._join()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + self._heartbeat_s
            self._send_heartbeat()
        self._outbox.send_due()

    def ask_for_model(self) -> None:
        """The model of the manifest cannot be read any more."""
        self._log.warning("the global model cannot be read whole; asking for it again")
        self._tell(
            messages.RepublishRequested(
                run=self.config.run_id, client=self.client_id, digest=self._downlink.model.wanted
            )
        )

    def leave(self, reason: str, *, final: bool, failed: bool = False) -> None:
        """Says goodbye; `final` if it will not come back, `failed` if an error is the reason."""
        self._tell(
            messages.Leave(
                run=self.config.run_id,
                client=self.client_id,
                session=self.session,
                reason=reason,
                final=final,
                failed=failed,
            )
        )

    def _tell(self, message: messages.TelemetryMessage) -> None:
        self._transport.publish(self._telemetry, messages.encode(message), key=self.client_id.encode())

    def _join(self) -> None:
        self._tell(
            messages.Join(
                run=self.config.run_id,
                client=self.client_id,
                session=self.session,
                host=platform.node(),
                pid=os.getpid(),
                part=self._part,
                insists=self._insists,
            )
        )

    def _send_heartbeat(self) -> None:
        opened = self._schedule.opened
        self._tell(
            messages.Heartbeat(
                run=self.config.run_id,
                client=self.client_id,
                session=self.session,
                state=self._state(),
                round=opened.round if opened else None,
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

    def task_due(self) -> Task | None:
        """A training that is to begin now."""
        if not self.has_part:
            return None
        assignment = self._schedule.assignment(
            has_model=self._downlink.has_model, is_training=self._task is not None
        )
        weights = self._downlink.model.weights
        return None if assignment is None or weights is None else Task(assignment, weights)

    def train(self, task: Task) -> None:
        """Starts local training, in the training thread."""
        self._task, assignment = task, task.assignment
        if assignment.repeat:  # from a model that it has had before
            self._send_heartbeat()
        else:
            number, digest = assignment.round, assignment.base
            self._tell(
                messages.Have(run=self.config.run_id, client=self.client_id, round=number, digest=digest)
            )
        self._trainer_thread.submit(self.client_id, self._part or 0, task)
        reach("client.training_started", assignment.round)

    def note_trained(self, trained: Trained) -> None:
        """Sends what came of a training, if it is still of use.

        Raises:
            EngineError: the training failed.
        """
        done = self.take(trained)
        if done is None:
            return
        if self._schedule.wants(done.task.assignment):
            self.send(done.update, done.task.base.layout, done.seconds)
        else:
            self._log.warning("round %d was over before training was", done.update.round)

    def take(self, trained: Trained) -> Done | None:
        """What came of a training; None of one that was withdrawn.

        Raises:
            EngineError: the training failed.
        """
        if trained.error is not None:
            raise trained.error
        task, self._task = self._task, None
        if task is None or trained.update is None:
            return None
        self._note_training(trained.update, trained)
        return Done(task, trained.update, trained.seconds)

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
