"""What happened in a run, as entries of a timeline: short sentences with what they are about. Pure."""

from enum import StrEnum

import msgspec

from engine import telemetry
from flconsole.feed import Record
from flconsole.narration import describe
from flconsole.state import RunState


class Level(StrEnum):
    """How much an entry wants to be looked at."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Entry(msgspec.Struct, frozen=True):
    """One line of the timeline."""

    ts: float
    """Wall-clock seconds since the epoch."""
    level: Level
    text: str
    """Fit for a terminal: made `visible`."""
    client: str | None = None
    process: str | None = None
    """Whose log tells more."""
    round: int | None = None


def entry_of(record: Record, state: RunState) -> Entry | None:
    """The entry that a record deserves; None for most.

    Args:
        record: what was recorded.
        state: the run with the record folded in.
    """
    text = describe(record.event, state)
    if text is None:
        return None
    event = record.event
    return Entry(
        ts=record.envelope.ts,
        level=Level.INFO,
        text=text,
        client=getattr(event, "client", None),
        process=event.name if isinstance(event, telemetry.ProcessExited) else None,
        round=getattr(event, "round", None),
    )
