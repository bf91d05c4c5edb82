"""A client's metrics under the specification's names, bounded."""

from collections import deque
from dataclasses import dataclass, field

from engine.core.update import TrainingMetrics

_HISTORY = 1000


def _history() -> "deque[float | None]":
    return deque(maxlen=_HISTORY)


@dataclass(slots=True)
class ClientMetrics:
    """The last thousand local trainings; None where a value was not measured."""

    train_accuracy: deque[float | None] = field(default_factory=_history)
    test_accuracy: deque[float | None] = field(default_factory=_history)
    train_loss: deque[float | None] = field(default_factory=_history)
    training_times: deque[float | None] = field(default_factory=_history)
    """Seconds."""

    def note(self, metrics: TrainingMetrics, seconds: float) -> None:
        self.train_accuracy.append(metrics.train_accuracy)
        self.test_accuracy.append(metrics.test_accuracy)
        self.train_loss.append(metrics.train_loss)
        self.training_times.append(seconds)
