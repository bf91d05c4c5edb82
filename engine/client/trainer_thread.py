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


class Task(NamedTuple):
    """One local training."""

    assignment: Assignment
    base: Weights


class Trained(NamedTuple):
    """A finished task: the update, or the error it ended with."""

    round: int
    update: ClientUpdate | None
    seconds: float
    error: Exception | None = None


class TrainerThread:
    """Builds the trainer and runs one training at a time, both away from the main thread.

    Args:
        client: this client's id.
        open_trainer: makes the trainer; slow (loads data, builds a model), so it is called in the thread.
        clock: monotonic seconds.
    """

    def __init__(self, client: str, open_trainer: Callable[[], Trainer], clock: Callable[[], float]) -> None:
        self._client, self._open_trainer, self._clock = client, open_trainer, clock
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Trained] = queue.SimpleQueue()
        self.busy_since: float | None = None
        """Monotonic seconds; None while no task is under way."""
        threading.Thread(target=self._work, name="training", daemon=True).start()

    def submit(self, task: Task) -> None:
        """Starts a training, or queues it behind the one under way."""
        self.busy_since = self._clock()
        self._tasks.put(task)

    def poll(self) -> Trained | None:
        """A finished training, if there is one."""
        try:
            trained = self._results.get_nowait()
        except queue.Empty:
            return None
        self.busy_since = None
        return trained

    def _work(self) -> None:
        round_number = 0
        try:
            trainer = self._open_trainer()
            while True:
                task = self._tasks.get()
                round_number = task.assignment.round
                self._results.put(self._train(trainer, task))
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._results.put(Trained(round_number, None, 0.0, error))

    def _train(self, trainer: Trainer, task: Task) -> Trained:
        _check_layout(trainer.layout, task.base.layout)
        round_number, base_digest, repeat = task.assignment
        started = self._clock()
        delta = np.empty(trainer.layout.size, np.float32)
        result = trainer.train(
            task.base.vector, client=self._client, round_number=round_number, delta=delta, repeat=repeat
        )
        update = ClientUpdate(
            self._client, round_number, base_digest, result.num_examples, delta, result.metrics, repeat
        )
        return Trained(round_number, update, self._clock() - started)


def _check_layout(ours: Layout, theirs: Layout) -> None:
    if ours.digest != theirs.digest:
        differences = "; ".join(ours.differences(theirs)[:5])
        raise LayoutMismatch(f"the global model is not this client's model: {differences}")
