"""Which records a reader takes: each offset once, in order, none left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from engine.transport.base import Place


class Verdict(Enum):
    """What to do with a record that came."""

    TAKE = auto()
    DROP = auto()
    """Taken before, or of a place that is not read any more."""
    REREAD = auto()
    """Records before it are missing: read again from the position of its place."""


@dataclass(slots=True)
class _Position:
    next_offset: int
    hole_since: float | None = None
    """When the record at `next_offset` was first found missing."""


class OffsetTracker:
    """The next offset of each place that is read, and what a gap means.

    The embedded broker announces a record before it has stored it: a small one can overtake a large one, and
    a reader jumps over the large one. Reading again finds it. A real log may have holes for good.

    Args:
        positions: where reading starts.
        patience_s: how long a hole is read again before it is taken for a real one.
    """

    def __init__(self, positions: Mapping[Place, int], *, patience_s: float) -> None:
        self._positions = {place: _Position(offset) for place, offset in positions.items()}
        self._patience_s = patience_s

    @property
    def next_offsets(self) -> dict[Place, int]:
        return {place: position.next_offset for place, position in self._positions.items()}

    def judge(self, place: Place, offset: int, now: float) -> Verdict:
        """Decides about a record and, if it is taken, moves on.

        Args:
            place: where the record was read.
            offset: its offset.
            now: monotonic seconds.
        """
        position = self._positions.get(place)
        if position is None or offset < position.next_offset:
            return Verdict.DROP
        if offset > position.next_offset and not self._is_real(position, now):
            return Verdict.REREAD
        position.next_offset = offset + 1
        position.hole_since = None
        return Verdict.TAKE

    def _is_real(self, position: _Position, now: float) -> bool:
        if position.hole_since is None:
            position.hole_since = now
            return False
        return now - position.hole_since >= self._patience_s
