"""One round: who takes part, what has come, and whether it may close. No I/O, no clock."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.config import MAX_KEPT_UPDATES
from engine.core.projection import Sketch
from engine.core.update import TrainingMetrics
from engine.server.closing import ClosingRule
from engine.telemetry import UpdateId

_ROUNDING = 1e-6
"""Share of an interval: a round that closes at the tick itself must not count from the one before."""
MOST_COMPARED = 32
"""Clients of a cohort whose deltas are compared, pair by pair."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What the server remembers of an update after its delta has entered the sum."""

    transfer: str
    """Transfer id (hex)."""
    num_examples: int
    metrics: TrainingMetrics
    num_bytes: int
    codec: str
    accepted_at: float
    """Monotonic seconds."""
    scale: float = 1.0
    """What the delta was multiplied by for its staleness."""
    train_s: float | None = None


@dataclass(slots=True)
class Round:
    """The step from one global model to the next; it closes by its rule.

    In `sync` each client of the cohort contributes once; in the other modes as often as it likes.
    """

    number: int
    base_digest: str
    cohort: tuple[str, ...]
    rule: ClosingRule
    last_tick: float | None = None
    """Monotonic seconds of the tick at which a timed round before this one closed."""
    opened_at: float = math.inf
    """Monotonic seconds of the first announcement by this server; infinite before."""
    announced_at: float = math.inf
    """Monotonic seconds of the announcement, which a deadline counts from; infinite while there is none."""
    resumed: bool = False
    """An earlier server opened it: its duration is not known."""
    contributions: dict[UpdateId, Contribution] = field(default_factory=dict)
    sketches: dict[str, Sketch] = field(default_factory=dict)
    """By client, what tells how alike the deltas are; none where the cohort is too large to compare."""
    left: set[str] = field(default_factory=set)
    is_closed: bool = False

    def announce(self, now: float) -> bool:
        """The round is made known, or made known again, which puts no deadline off; True the first time."""
        is_first = math.isinf(self.opened_at)
        self.announced_at = min(now, self.announced_at)
        if is_first:
            self.opened_at = now
        return is_first

    def forget_announcement(self) -> None:
        """Whoever knew of the round starts over."""
        self.announced_at = math.inf

    @property
    def is_open(self) -> bool:
        """Whether it has been made known and can still take updates."""
        return not (self.is_closed or math.isinf(self.opened_at))

    @property
    def is_full(self) -> bool:
        """Whether it takes no further update, closed or not."""
        return self.is_closed or self.rule.is_full(self)

    @property
    def required(self) -> int:
        """Updates without which the round does not close."""
        return self.rule.required(self)

    @property
    def has_enough(self) -> bool:
        """Whether the updates suffice, if this were the moment to close."""
        return len(self.contributions) >= max(1, self.required)

    @property
    def num_updates(self) -> int:
        return len(self.contributions)

    @property
    def num_examples(self) -> int:
        return sum(c.num_examples for c in self.contributions.values())

    @property
    def ticks_from(self) -> float:
        """What the ticks of a timed round are counted from: monotonic seconds."""
        return self.opened_at if self.last_tick is None else self.last_tick

    def tick_at(self, now: float) -> float | None:
        """The newest tick of a timed round; None in one that has no clock."""
        interval_s = self.rule.interval_s
        if interval_s is None:
            return None
        return self.ticks_from + interval_s * math.floor((now - self.ticks_from) / interval_s + _ROUNDING)

    def accepted_at(self, number: int) -> float:
        """When the update came that made the count `number`: monotonic seconds."""
        return sorted(c.accepted_at for c in self.contributions.values())[number - 1]

    def heard(self) -> frozenset[str]:
        """Clients with an update in the sum."""
        return frozenset(update.client for update in self.contributions)

    def waited_for(self) -> tuple[str, ...]:
        """The cohort without those that left before they were heard."""
        heard = self.heard()
        return tuple(client for client in self.cohort if client not in self.left or client in heard)

    def missing(self) -> tuple[str, ...]:
        heard = self.heard()
        return tuple(client for client in self.waited_for() if client not in heard)

    def num_possible(self) -> int:
        """Updates that the round can come to hold, where a client keeps those in it until it closes."""
        in_sum = Counter(update.client for update in self.contributions)
        to_come = (MAX_KEPT_UPDATES - in_sum[client] for client in self.cohort if client not in self.left)
        return self.num_updates + sum(max(0, number) for number in to_come)

    def is_reachable(self) -> bool:
        """Whether enough clients are left for the round ever to close."""
        return self.rule.is_reachable(self)

    def may_close(self, now: float) -> bool:
        return self.rule.may_close(self, now)

    def join(self, clients: Iterable[str]) -> None:
        """Takes clients into the cohort of an open round."""
        new = tuple(clients)
        self.left.difference_update(new)
        self.cohort = tuple(dict.fromkeys((*self.cohort, *new)))

    def leave(self, clients: Iterable[str]) -> None:
        """Takes clients out of the cohort; what they have contributed stays."""
        self.left.update(clients)

    def held(self) -> dict[str, tuple[str, ...]]:
        """Client -> transfer ids of its updates that are in the sum."""
        held: dict[str, tuple[str, ...]] = {}
        for update, contribution in self.contributions.items():
            held[update.client] = (*held.get(update.client, ()), contribution.transfer)
        return held
