"""What happened in a run, as entries of a timeline: short sentences with what they are about. Pure.

Which entry a record deserves is told in `flconsole.stories`.
"""

from enum import StrEnum
from typing import Literal

import msgspec
from msgspec.structs import replace

_TAIL = 64
"""So many entries back the beginning of a story is looked for."""
_STORY_S = 60.0
"""For so long a record that knows less than what is told already says nothing new."""


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
    """How often it was told in a row."""
    ts: float = 0.0
    """Wall-clock seconds since the epoch."""
    number: int = 0
    """Orders the entries, and never changes."""


Ring = Literal["rounds", "notes", "troubles"]
_KEPT: dict[Ring, int] = {"rounds": 1000, "notes": 500, "troubles": 500}


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

    @property
    def newest_failure(self) -> Entry | None:
        """The latest entry about a process that has failed."""
        return next((entry for entry in reversed(self.rings["troubles"]) if entry.is_failure), None)

    def add(self, entry: Entry) -> "Timeline":
        """The timeline with one more entry; the same where it says less than what is told already."""
        rings: tuple[Ring, ...] = ("rounds",) if entry.kind is Kind.ROUND else ("troubles", "notes")
        for ring in rings if entry.stories else ():
            for before in self.rings[ring][: -_TAIL - 1 : -1]:
                if not any(story in before.stories for story in entry.stories):
                    continue
                if before.part > entry.part and entry.ts - before.ts < _STORY_S:
                    return self
                if before.part < entry.part:
                    return self._without(ring, before).add(entry)
        return self._append(entry)

    def _without(self, ring: Ring, entry: Entry) -> "Timeline":
        kept = tuple(other for other in self.rings[ring] if other is not entry)
        return replace(self, rings={**self.rings, ring: kept})

    def _append(self, entry: Entry) -> "Timeline":
        entry = replace(entry, number=self.told + 1)
        ring = _ring_of(entry)
        kept = self.rings[ring]
        if kept and kept[-1].text == entry.text and entry.ts - kept[-1].ts < _STORY_S:
            entry, kept = replace(entry, times=kept[-1].times + 1), kept[:-1]
        kept = (*kept[-_KEPT[ring] + 1 :], entry)
        return Timeline({**self.rings, ring: kept}, entry.number)


def _ring_of(entry: Entry) -> Ring:
    if entry.level is not Level.INFO:
        return "troubles"
    return "rounds" if entry.kind is Kind.ROUND else "notes"
