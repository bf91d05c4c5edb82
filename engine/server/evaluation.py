"""Held-out evaluation in a thread of its own, so that updates of the next round are taken meanwhile."""

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from engine.core.weights import Vector
from engine.training.base import Evaluation, Evaluator


class Evaluated(NamedTuple):
    """One finished evaluation: the result, or the error it ended with."""

    round: int
    result: Evaluation | None
    seconds: float
    error: Exception | None = None


class EvaluationWorker:
    """Evaluates one model at a time.

    Args:
        evaluator: called in the worker's thread alone after construction.
        clock: monotonic seconds.
    """

    def __init__(self, evaluator: Evaluator, clock: Callable[[], float]) -> None:
        self._evaluator, self._clock = evaluator, clock
        self._tasks: queue.SimpleQueue[tuple[int, Vector] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Evaluated] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="evaluation", daemon=True).start()

    def submit(self, round_number: int, vector: Vector) -> None:
        """Queues a model; `vector` must not change any more."""
        self._tasks.put((round_number, vector))

    def close(self) -> None:
        """Lets the thread end once it has evaluated what is queued."""
        self._tasks.put(None)

    def poll(self) -> Evaluated | None:
        """A finished evaluation, if there is one."""
        try:
            return self._results.get_nowait()
        except queue.Empty:
            return None

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            round_number, vector = task
            started = self._clock()
            try:
                result, error = self._evaluator.evaluate(vector), None
            except Exception as failure:  # noqa: BLE001 - handed to the server's thread, which raises it
                result, error = None, failure
            self._results.put(Evaluated(round_number, result, self._clock() - started, error))
