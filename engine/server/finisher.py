"""The last step of a round: its model is evaluated beside the next one, then `round_finished` is recorded."""

from collections.abc import Callable
from pathlib import Path

from engine import telemetry
from engine.config import RunConfig
from engine.core.weights import Vector
from engine.failpoints import reach
from engine.server.checkpoint import CheckpointStore, RoundSummary
from engine.server.evaluation import Evaluated, EvaluationWorker
from engine.server.journal import Journal
from engine.server.metrics import ServerMetrics, append_row
from engine.training.base import Evaluator


class Finisher:
    """Finishes one round at a time, exactly once each.

    Args:
        config: how often a model is evaluated.
        run_dir: where `metrics.csv` is.
        journal: told of the finished round.
        store: pruned after each.
        metrics: told of the accuracy.
        evaluator: held-out evaluation.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path,
        *,
        journal: Journal,
        store: CheckpointStore,
        metrics: ServerMetrics,
        evaluator: Evaluator,
        clock: Callable[[], float],
    ) -> None:
        self._config, self._table = config, run_dir / "metrics.csv"
        self._journal, self._store, self._metrics = journal, store, metrics
        self._worker = EvaluationWorker(evaluator, clock)
        self._pending: tuple[int, RoundSummary, str] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a round is closed and not finished."""
        return self._pending is not None

    def submit(self, number: int, summary: RoundSummary, digest: str, vector: Vector) -> None:
        """Takes over a closed round; `vector`, its model, must not change any more."""
        self._pending = (number, summary, digest)
        every, target = self._config.eval_every, self._config.target_accuracy
        if number % every == 0 or number == self._config.round_limit or target is not None:
            self._worker.submit(number, vector)
        else:
            self._finish(Evaluated(number, None, 0.0))

    def poll(self) -> None:
        """Finishes the round if its evaluation is done.

        Raises:
            EngineError: the evaluation failed.
        """
        evaluated = self._worker.poll()
        if evaluated is None:
            return
        if evaluated.error is not None:
            raise evaluated.error
        self._finish(evaluated)

    def close(self) -> None:
        """Lets the evaluation's thread end."""
        self._worker.close()

    def _finish(self, evaluated: Evaluated) -> None:
        if self._pending is None:
            return
        (number, summary, digest), self._pending = self._pending, None
        reach("server.before_round_finished", number)
        event = telemetry.RoundFinished(
            round=number,
            updates=summary.updates,
            examples=summary.examples,
            accuracy=evaluated.result.accuracy if evaluated.result else None,
            loss=evaluated.result.loss if evaluated.result else None,
            digest=digest,
            seconds=summary.seconds,
            parts={**summary.parts, "evaluation": evaluated.seconds},
            bytes_up=summary.bytes_up,
            bytes_down=summary.bytes_down,
            similarity=summary.similarity,
            similarity_clients=summary.similarity_clients,
        )
        self._journal.record(event)
        append_row(self._table, event)
        self._metrics.global_accuracy.append(event.accuracy)
        self._store.prune(self._journal.history.best_round)
