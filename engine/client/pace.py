"""When a client trains again in `timed` and `buffered`. No clock inside: `now` is monotonic seconds.

    wait = max(training_interval_seconds, adapted)            from one start to the next
    adapted <- adapted + 0.3 * (target - adapted)             after each training; the first sets it
    target = max(seconds of the training, the server's aggregation interval)

A start that comes a little late does not move the next one: otherwise it would slip past a tick of the clock
once in a while.

In `timed` a client so drifts towards one update for each aggregation, or as many as it can. The interval is
the announced one: with the one observed, clients that the server waits for would wait for the server, and one
pause would slow both down for good. In `buffered`, where aggregations follow the clients, it does not wait.
"""

import math

from engine.config import RunConfig

DRIFT = 0.3
"""Share of the way to the target in one step."""
ON_TIME = 0.25
"""Share of the interval by which a start may be late and count as on time."""


class Pace:
    """The pace of one client.

    Args:
        config: the mode, and the least interval.
    """

    def __init__(self, config: RunConfig) -> None:
        self._least_s, self._adapts = config.training_interval_seconds, config.mode == "timed"
        self._adapted_s = self._aggregation_s = 0.0
        self._has_adapted = False
        self._started_at = self._beat_at = -math.inf
        """When the last training began, and when it should have begun."""

    @property
    def interval_s(self) -> float:
        """Seconds from the start of a training to the next."""
        return max(self._least_s, self._adapted_s)

    def note_opened(self, interval_s: float | None) -> None:
        """A round was opened that may close so often; None where no clock closes it."""
        self._aggregation_s = interval_s or 0.0

    def note_start(self, now: float) -> None:
        """A training begins."""
        due_at = self._due_at()
        self._beat_at = due_at if now - due_at < ON_TIME * self.interval_s else now
        self._started_at = now

    def note_end(self, seconds: float) -> None:
        """A training has ended after so long."""
        if not self._adapts:
            return
        target = max(seconds, self._aggregation_s)
        share = DRIFT if self._has_adapted else 1.0
        self._adapted_s += share * (target - self._adapted_s)
        self._has_adapted = True

    def is_due(self, now: float) -> bool:
        """Whether the next training may begin."""
        return now >= self._due_at()

    def _due_at(self) -> float:
        return max(self._started_at + self._least_s, self._beat_at + self.interval_s)
