"""Series of points, kept short: gathered one by one, smoothed, thinned out without losing a spike. Pure."""

import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Point = tuple[float, float | None]
"""x and y; without a y there is a gap at x."""

BUCKETS = 512
"""Most items that a history is gathered into; no terminal has more columns for one chart."""
_BEYOND, _NOTHING = 1e100, 1e-90
"""Between these, arithmetic with differences is safe; what is larger is a gap, what is smaller is 0."""

T = TypeVar("T")


def drawable(value: float | None) -> float | None:
    """The value if it can stand on an axis; None for what is missing, infinite, not a number or immense."""
    if value is None or not -_BEYOND < value < _BEYOND:
        return None
    return value if abs(value) > _NOTHING else 0.0


def extremes(points: Sequence[Point]) -> tuple[Point, ...]:
    """The lowest and the highest of some points in their order; one gap where none has a value."""
    valued = [(y, index) for index, (_, y) in enumerate(points) if y is not None]
    if not valued:
        return tuple(points[:1])
    chosen = sorted({min(valued)[1], max(valued)[1]})
    return tuple(points[index] for index in chosen)


def thin(points: Sequence[Point], buckets: int) -> list[Point]:
    """At most two points for each of so many stretches of equal length: its lowest and its highest."""
    size = math.ceil(len(points) / max(1, buckets))
    if size <= 2:
        return list(points)
    stretches = (points[start : start + size] for start in range(0, len(points), size))
    return [point for stretch in stretches for point in extremes(stretch)]


class Buckets(Generic[T]):
    """A history of any length in at most `BUCKETS` items.

    Each new item costs the same, however many there were: neighbours are merged, first pairs, later fours,
    and so on, always counted from the first one, so that what is old does not change with every addition.

    Args:
        merge: makes one item of two neighbours, the older one first.
    """

    def __init__(self, merge: Callable[[T, T], T]) -> None:
        self.items: list[T] = []
        self.stride = 1
        """Of so many additions, one item was made."""
        self._merge, self._num_added = merge, 0

    def add(self, item: T) -> None:
        if self._num_added % self.stride:
            self.items[-1] = self._merge(self.items[-1], item)
        else:
            self.items.append(item)
        self._num_added += 1
        if len(self.items) > BUCKETS:
            self.items = merge_runs(self.items, 2, self._merge)
            self.stride *= 2


def merge_runs(items: Sequence[T], length: int, merge: Callable[[T, T], T]) -> list[T]:
    """One item for each so many neighbours, and one for the rest at the end."""
    merged: list[T] = []
    for index, item in enumerate(items):
        if index % length:
            merged[-1] = merge(merged[-1], item)
        else:
            merged.append(item)
    return merged


class Smoother:
    """An exponential moving average without the bias towards zero at its start (Kingma and Ba 2015, 3).

    Args:
        strength: weight of what was before, from 0 (none) to below 1.
    """

    def __init__(self, strength: float) -> None:
        self._strength, self._sum, self._weight = strength, 0.0, 0.0

    def __call__(self, value: float | None) -> float | None:
        """The average with one more value; a missing one is still missing and changes nothing."""
        if value is None or not self._strength:
            return value
        self._sum = self._strength * self._sum + (1 - self._strength) * value
        self._weight = self._strength * self._weight + 1 - self._strength
        return self._sum / self._weight
