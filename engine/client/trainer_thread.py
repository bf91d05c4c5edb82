"""Training in a thread of its own, so that the main thread obeys signals and keeps talking meanwhile."""

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engine.client.schedule import Assignment
from engine.core.update import ClientUpdate
from engine.core.weights import Layout, Weights
from engine.errors import LayoutMismatch
from engine.training.base import Trainer

OpenTrainer = Callable[[str, int], Trainer]
"""Makes the trainer of a client for its part of the data; called in the training thread."""


class Task(NamedTuple):
    """One local training."""

    assignment: Assignment
    base: Weights


class Trained(NamedTuple):
    """What came of an order: an update, or the error it ended with; neither where a trainer was made."""

    client: str
    update: ClientUpdate | None = None
    seconds: float = 0.0
    error: Exception | None = None


class _Order(NamedTuple):
    """To train; without a task, to make the trainer."""

    client: str
    part: int
    task: Task | None


class TrainerThread:
    """Makes the trainers of all clients of a process and runs their trainings, one after the other.

    Args:
        open_trainer: slow (loads data, builds a model), so it is called in the thread.
        clock: monotonic seconds.
    """

    def __init__(self, open_trainer: OpenTrainer, clock: Callable[[], float]) -> None:
        self._open_trainer, self._clock = open_trainer, clock
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Trained] = queue.SimpleQueue()
        self._trainers: dict[str, Trainer] = {}
        self._withdrawn: set[str] = set()
        self._num_pending = 0
        self.busy_since: float | None = None
        """Monotonic seconds: since when the next result is awaited; None while there is nothing to do."""
        threading.Thread(target=self._work, name="training", daemon=True).start()

    def prepare(self, client: str, part: int) -> None:
        """Makes the trainer of a client, so that its first training need not wait for it."""
        self._put(_Order(client, part, None))

    def submit(self, client: str, part: int, task: Task) -> None:
        """Starts a training, or queues it behind those before it."""
        self._put(_Order(client, part, task))

    def withdraw(self, client: str) -> None:
        """Forgets what is queued for a client, which will submit nothing more."""
        self._withdrawn.add(client)
        self._put(_Order(client, 0, None))  # where its trainer is forgotten too

    def poll(self) -> Trained | None:
        """The oldest update, or error, that has not been taken yet; None while there is none."""
        while not self._results.empty():
            trained = self._results.get_nowait()
            self._num_pending -= 1
            self.busy_since = self._clock() if self._num_pending else None
            if trained.update is not None or trained.error is not None:
                return trained
        return None

    def _put(self, order: _Order) -> None:
        self._num_pending += 1
        if self.busy_since is None:
            self.busy_since = self._clock()
        self._orders.put(order)

    def _work(self) -> None:
        while True:
            order = self._orders.get()
            try:
                trained = self._carry_out(order)
            except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
                trained = Trained(order.client, error=error)
            self._results.put(trained)

    def _carry_out(self, order: _Order) -> Trained:
        client, part, task = order
        if client in self._withdrawn:
            self._trainers.pop(client, None)
            return Trained(client)
        if client not in self._trainers:
            self._trainers[client] = self._open_trainer(client, part)
        return self._train(client, task) if task else Trained(client)

    def _train(self, client: str, task: Task) -> Trained:
        trainer = self._trainers[client]
        _check_layout(trainer.layout, task.base.layout)
        round_number, base_digest, repeat = task.assignment
        started = self._clock()
        delta = np.empty(trainer.layout.size, np.float32)
        result = trainer.train(
            task.base.vector, client=client, round_number=round_number, delta=delta, repeat=repeat
        )
        update = ClientUpdate(
            client, round_number, base_digest, result.num_examples, delta, result.metrics, repeat
        )
        return Trained(client, update, self._clock() - started)


def _check_layout(ours: Layout, theirs: Layout) -> None:
    if ours.digest != theirs.digest:
        differences = "; ".join(ours.differences(theirs)[:5])
        raise LayoutMismatch(f"the global model is not this client's model: {differences}")
