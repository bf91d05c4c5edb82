"""What a chart shows at one moment, ready to be drawn: lines, stacked bars, a heat map, or a sentence."""

import msgspec

from flconsole.charts.axis import Unit
from flconsole.charts.series import Point


class Line(msgspec.Struct, frozen=True):
    """One curve."""

    label: str
    """Empty where the chart has one line only."""
    points: tuple[Point, ...]
    latest: float | None = None
    """The newest value, before any smoothing."""


class LinePlot(msgspec.Struct, frozen=True, kw_only=True):
    """Curves over rounds or time."""

    title: str
    notes: tuple[str, ...] = ()
    """Said beside the title: scale, smoothing, what is left out."""
    lines: tuple[Line, ...]
    unit: Unit = Unit.NUMBER
    x: Unit = Unit.COUNT
    """Rounds, or seconds since the beginning."""
    log_y: bool = False
    from_zero: bool = False


class Bar(msgspec.Struct, frozen=True):
    """A stack for one round, or the mean of several."""

    first: int
    """The first round in it."""
    rounds: int
    sums: tuple[float, ...]
    """Sum over its rounds of each part."""

    @property
    def means(self) -> tuple[float, ...]:
        return tuple(total / self.rounds for total in self.sums)


class BarPlot(msgspec.Struct, frozen=True, kw_only=True):
    """Stacked bars, one for each round or for each few."""

    title: str
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...]
    """Bottom to top."""
    bars: tuple[Bar, ...]
    latest: tuple[float, ...]
    """The parts of the newest round."""
    unit: Unit = Unit.SECONDS


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """A square of values between -1 and 1."""

    title: str
    notes: tuple[str, ...] = ()
    ids: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is nothing to draw."""

    title: str
    text: str
    notes: tuple[str, ...] = ()


Plot = LinePlot | BarPlot | HeatMap | Sentence


def add_bars(older: Bar, newer: Bar) -> Bar:
    """Two neighbouring bars as one."""
    sums = tuple(a + b for a, b in zip(older.sums, newer.sums, strict=True))
    return Bar(older.first, older.rounds + newer.rounds, sums)
