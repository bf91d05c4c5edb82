"""What happened in a run, as entries of a timeline: short sentences with what they are about. Pure.

Which entry a record deserves is told in `flconsole.stories`.
"""

from bisect import bisect_left
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec.structs import replace

_RECENT_S = 60.0
"""For so long the same is counted, not told again, and whoever knows less says nothing new."""


class Level(StrEnum):
    """How much an entry wants to be looked at."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Kind(StrEnum):
    """What an entry is about."""

    RUN = "run"
    ROUND = "rounds"
    CLIENT = "clients"
    UPDATE = "rejected updates"
    SERVER = "server"
    BROKER = "broker"
    OPERATOR = "operator"


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the timeline."""

    level: Level
    kind: Kind
    text: str
    """Fit for a terminal: made `visible`."""
    client: str | None = None
    process: str | None = None
    """Whose log tells more."""
    round: int | None = None
    is_failure: bool = False
    """Whether that process has failed."""
    log_start: int | None = None
    """Where the words of that process begin in its log, in bytes; what stands before is of earlier starts."""
    stories: tuple[str, ...] = ()
    """What it tells."""
    part: int = 1
    """Of two entries about one story, the one with the higher number knows more."""
    times: int = 1
    """How often it was told within a short time."""
    ts: float = 0.0
    """Wall-clock seconds since the epoch."""
    number: int = 0
    """Orders the entries, and never changes."""

    def shares_story(self, other: "Entry") -> bool:
        return any(story in self.stories for story in other.stories)


Ring = Literal["rounds", "notes", "troubles"]
_KEPT: dict[Ring, int] = {"rounds": 1000, "notes": 500, "troubles": 500}
_TAILS: dict[Ring, int] = {"rounds": 4, "notes": 64, "troubles": 64}
"""So many entries back the beginning of a story is looked for."""


class Timeline(msgspec.Struct, frozen=True):
    """The newest entries. Each kind of weight has a ring of its own: no round pushes out an error."""

    rings: dict[Ring, tuple[Entry, ...]] = msgspec.field(default_factory=lambda: dict.fromkeys(_KEPT, ()))
    """`troubles` are warnings and errors, `notes` whatever else is about no round."""
    told: int = 0
    """The number of the latest entry."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that are kept, oldest first."""
        kept = [entry for ring in self.rings.values() for entry in ring]
        return tuple(sorted(kept, key=lambda entry: entry.number))

    def add(self, entry: Entry) -> "Timeline":
        """The timeline with one more entry; the same where it says less than what is told already."""
        rings: tuple[Ring, ...] = ("rounds",) if entry.kind is Kind.ROUND else ("troubles", "notes")
        related = [before for ring in rings for before in self.tail(ring) if before.shares_story(entry)]
        if any(before.part > entry.part and entry.ts - before.ts < _RECENT_S for before in related):
            return self
        kept = _without(self, [before for before in related if before.part < entry.part])
        return _append(kept, replace(entry, number=self.told + 1))

    def tail(self, ring: Ring) -> tuple[Entry, ...]:
        """The entries that a new one is compared with, newest first."""
        return self.rings[ring][: -_TAILS[ring] - 1 : -1]


def _append(timeline: Timeline, entry: Entry) -> Timeline:
    ring = _ring_of(entry)
    for before in timeline.tail(ring):
        if before.text == entry.text and entry.ts - before.ts < _RECENT_S:
            timeline, entry = _without(timeline, [before]), replace(entry, times=before.times + 1)
            break
    kept = (*timeline.rings[ring][-_KEPT[ring] + 1 :], entry)
    return Timeline({**timeline.rings, ring: kept}, entry.number)


def _without(timeline: Timeline, entries: list[Entry]) -> Timeline:
    rings = dict(timeline.rings)
    for entry in entries:
        kept = rings[_ring_of(entry)]
        place = bisect_left(kept, entry.number, key=lambda other: other.number)
        rings[_ring_of(entry)] = kept[:place] + kept[place + 1 :]
    return replace(timeline, rings=rings) if entries else timeline


def _ring_of(entry: Entry) -> Ring:
    if entry.level is not Level.INFO:
        return "troubles"
    return "rounds" if entry.kind is Kind.ROUND else "notes"
