"""One round in `sync` mode: who takes part, what has come, and whether it may close. No I/O, no clock."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.core.projection import Sketch
from engine.core.update import TrainingMetrics

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
    accepted_at: float
    """Monotonic seconds."""
    train_s: float | None = None


@dataclass(slots=True)
class Round:
    """The open round.

    It closes when everyone who is still in the cohort has been heard; with a deadline, once that has
    passed and the quorum is there; with a quorum and no deadline, as soon as the quorum is there.
    """

    number: int
    base_digest: str
    cohort: tuple[str, ...]
    quorum: int | None
    """As configured; None means everyone, or anyone once a deadline has passed."""
    deadline_s: float | None
    opened_at: float = math.inf
    """Monotonic seconds of the first announcement by this server; infinite before."""
    announced_at: float = math.inf
    """Monotonic seconds of the newest announcement, which a deadline counts from; infinite before."""
    resumed: bool = False
    """An earlier server opened it: its duration is not known."""
    contributions: dict[str, Contribution] = field(default_factory=dict)
    sketches: dict[str, Sketch] = field(default_factory=dict)
    """By client, what tells how alike the deltas are; none where the cohort is too large to compare."""
    left: set[str] = field(default_factory=set)
    is_closed: bool = False

    def announce(self, now: float) -> bool:
        """The round is made known, or made known again; True the first time."""
        is_first = math.isinf(self.opened_at)
        self.announced_at = now
        if is_first:
            self.opened_at = now
        return is_first

    @property
    def is_open(self) -> bool:
        """Whether it has been made known and can still take updates."""
        return not (self.is_closed or math.isinf(self.opened_at))

    @property
    def required(self) -> int:
        """Updates without which the round does not close."""
        if self.quorum is not None:
            return self.quorum
        return 1 if self.deadline_s is not None else len(self.waited_for())

    @property
    def num_examples(self) -> int:
        return sum(c.num_examples for c in self.contributions.values())

    def waited_for(self) -> tuple[str, ...]:
        """The cohort without those that left before they were heard."""
        return tuple(
            client for client in self.cohort if client not in self.left or client in self.contributions
        )

    def missing(self) -> tuple[str, ...]:
        return tuple(client for client in self.waited_for() if client not in self.contributions)

    def is_reachable(self) -> bool:
        """Whether enough clients are left for the round ever to close."""
        return len(self.waited_for()) >= max(1, self.required)

    def may_close(self, now: float) -> bool:
        if not self.contributions or len(self.contributions) < self.required:
            return False
        if not self.missing():
            return True
        if self.deadline_s is not None:
            return now >= self.announced_at + self.deadline_s
        return self.quorum is not None

    def leave(self, clients: Iterable[str]) -> None:
        """Takes clients out of the cohort; what they have contributed stays."""
        self.left.update(clients)

    def held(self) -> dict[str, tuple[str, ...]]:
        """Client -> transfer ids of its updates that are in the sum."""
        return {client: (c.transfer,) for client, c in self.contributions.items()}
