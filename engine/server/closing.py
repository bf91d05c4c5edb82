"""When a round closes: one rule for each mode. Pure: a rule looks at a round and at the time.

`sync` waits for its cohort (McMahan et al. 2017), or with more clients than wanted for the first of them
(Bonawitz et al. 2019). `timed` closes on the clock. `buffered` closes when so many updates have come
(FedBuff, Nguyen et al. 2022).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Standing(Protocol):
    """What a rule looks at: see `engine.server.round.Round`."""

    @property
    def num_updates(self) -> int: ...

    @property
    def announced_at(self) -> float: ...

    @property
    def ticks_from(self) -> float: ...

    def accepted_at(self, number: int) -> float: ...

    def waited_for(self) -> Sequence[str]: ...

    def missing(self) -> Sequence[str]: ...

    def num_possible(self) -> int: ...


class ClosingRule(Protocol):
    """When a round may close, and what its opening tells of that."""

    @property
    def deadline_s(self) -> float | None: ...

    @property
    def goal(self) -> int | None: ...

    @property
    def interval_s(self) -> float | None: ...

    def required(self, standing: Standing) -> int:
        """Updates without which the round does not close."""
        ...

    def is_full(self, standing: Standing) -> bool:
        """Whether the round takes no further update."""
        ...

    def may_close(self, standing: Standing, now: float) -> bool: ...

    def is_reachable(self, standing: Standing) -> bool:
        """Whether enough clients are left for the round ever to close."""
        ...


@dataclass(frozen=True, slots=True)
class WaitForCohort:
    """Closes when everyone who is still in the cohort has been heard, or as many as are wanted.

    With a deadline, once that has passed and the quorum is there; with a quorum and no deadline, as soon as
    the quorum is there.
    """

    quorum: int | None = None
    """As configured; None means everyone, or anyone once a deadline has passed."""
    deadline_s: float | None = None
    """Seconds from the announcement."""
    goal: int | None = None
    """Updates that are enough, where the cohort is larger than wanted."""
    interval_s: None = None

    def required(self, standing: Standing) -> int:
        """See `ClosingRule.required`."""
        if self.quorum is not None:
            return self.quorum
        if self.deadline_s is not None:
            return 1
        everyone = len(standing.waited_for())
        return everyone if self.goal is None else min(self.goal, everyone)

    def is_full(self, standing: Standing) -> bool:
        """See `ClosingRule.is_full`."""
        return self.goal is not None and standing.num_updates >= self.goal

    def may_close(self, standing: Standing, now: float) -> bool:
        """See `ClosingRule.may_close`."""
        if not standing.num_updates or standing.num_updates < self.required(standing):
            return False
        if self.is_full(standing) or not standing.missing():
            return True
        if self.deadline_s is not None:
            return now >= standing.announced_at + self.deadline_s
        return self.quorum is not None

    def is_reachable(self, standing: Standing) -> bool:
        """See `ClosingRule.is_reachable`."""
        return len(standing.waited_for()) >= max(1, self.required(standing))


@dataclass(frozen=True, slots=True)
class OnInterval:
    """Closes at the first tick of the clock at which the minimum is there."""

    interval_s: float
    minimum: int
    deadline_s: None = None
    goal: None = None

    def required(self, standing: Standing) -> int:  # noqa: ARG002 - the signature is ClosingRule's
        """See `ClosingRule.required`."""
        return self.minimum

    def is_full(self, standing: Standing) -> bool:  # noqa: ARG002 - the signature is ClosingRule's
        """Never: whoever comes before the tick is taken."""
        return False

    def may_close(self, standing: Standing, now: float) -> bool:
        """See `ClosingRule.may_close`."""
        is_there = _is_announced(standing) and standing.num_updates >= self.minimum
        return is_there and now >= self._closing_tick(standing)

    def is_reachable(self, standing: Standing) -> bool:
        """See `ClosingRule.is_reachable`."""
        return standing.num_possible() >= self.minimum

    def _closing_tick(self, standing: Standing) -> float:
        """The first tick after the opening that is not before the minimum was there."""
        waited_s = standing.accepted_at(self.minimum) - standing.ticks_from
        return standing.ticks_from + self.interval_s * max(1, math.ceil(waited_s / self.interval_s))


@dataclass(frozen=True, slots=True)
class WhenFull:
    """Closes as soon as so many updates have come."""

    minimum: int
    deadline_s: None = None
    goal: None = None
    interval_s: None = None

    def required(self, standing: Standing) -> int:  # noqa: ARG002 - the signature is ClosingRule's
        """See `ClosingRule.required`."""
        return self.minimum

    def is_full(self, standing: Standing) -> bool:
        """See `ClosingRule.is_full`."""
        return standing.num_updates >= self.minimum

    def may_close(self, standing: Standing, now: float) -> bool:  # noqa: ARG002 - the signature is ClosingRule's
        """See `ClosingRule.may_close`."""
        return _is_announced(standing) and self.is_full(standing)

    def is_reachable(self, standing: Standing) -> bool:
        """See `ClosingRule.is_reachable`."""
        return standing.num_possible() >= self.minimum


def _is_announced(standing: Standing) -> bool:
    """A server that takes over first hears what was sent to the one before it, then opens the round."""
    return math.isfinite(standing.announced_at)
