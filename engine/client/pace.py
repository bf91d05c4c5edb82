"""When a client trains again in `timed` and `buffered`. No clock inside: `now` is monotonic seconds.

    wait = max(training_interval_seconds, adapted)            from one start to the next
    adapted <- adapted + 0.3 * (target - adapted)             after each training; the first sets it
    target = max(seconds of the training, seconds from one aggregation to the next)

In `timed` a client so drifts towards one update for each aggregation, or as many as it can. In `buffered` it
does not wait: there the aggregations follow the clients, and clients that followed them would slow down
without end.
"""

from engine.config import RunConfig

DRIFT = 0.3
"""Share of the way to the target in one step."""


class Pace:
    """The pace of one client.

    Args:
        config: the mode, and the least interval.
    """

    def __init__(self, config: RunConfig) -> None:
        self._least_s, self._adapts = config.training_interval_seconds, config.mode == "timed"
        self._adapted_s: float | None = None
        self._opened_at: float | None = None
        self._aggregation_s = 0.0
        self._started_at: float | None = None

    @property
    def interval_s(self) -> float:
        """Seconds from the start of a training to the next."""
        return max(self._least_s, self._adapted_s or 0.0)

    def note_opened(self, now: float) -> None:
        """Another round was opened: there was an aggregation."""
        if self._opened_at is not None:
            self._aggregation_s = now - self._opened_at
        self._opened_at = now

    def note_start(self, now: float) -> None:
        """A training begins."""
        self._started_at = now

    def note_end(self, seconds: float) -> None:
        """A training has ended after so long."""
        if not self._adapts:
            return
        target = max(seconds, self._aggregation_s)
        before = target if self._adapted_s is None else self._adapted_s
        self._adapted_s = before + DRIFT * (target - before)

    def is_due(self, now: float) -> bool:
        """Whether the next training may begin."""
        return self._started_at is None or now >= self._started_at + self.interval_s
