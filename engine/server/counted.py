"""Which updates are in a model already: what keeps one from being counted twice in `timed` and `buffered`.

In `sync` the number of the round says it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from engine.telemetry import UpdateId

Counted = Mapping[str, tuple[tuple[int, int], ...]]
"""Client -> (round, repeat) of its updates, as a checkpoint holds it."""


class CountedUpdates:
    """The updates that a model contains, as far back as an update may come from.

    Args:
        max_staleness: rounds by which an update's base may be behind; older ones are refused for that.
        counted: from the checkpoint.
    """

    def __init__(self, max_staleness: int, counted: Counted) -> None:
        self._max_staleness = max_staleness
        self._ids = {
            UpdateId(client, round_number, repeat)
            for client, pairs in counted.items()
            for round_number, repeat in pairs
        }

    def __contains__(self, update: UpdateId) -> bool:
        return update in self._ids

    def add(self, updates: Iterable[UpdateId], round_number: int) -> None:
        """These are in the model of a round that closes; forgets what would be too stale after it."""
        oldest = round_number + 1 - self._max_staleness
        self._ids = {update for update in (*self._ids, *updates) if update.round >= oldest}

    def to_checkpoint(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """In a fixed order."""
        counted: dict[str, tuple[tuple[int, int], ...]] = {}
        for client, round_number, repeat in sorted(map(msgspec.structs.astuple, self._ids)):
            counted[client] = (*counted.get(client, ()), (round_number, repeat))
        return counted
