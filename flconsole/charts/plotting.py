"""Draws the body of a chart with plotext. The only module that imports it.

Nothing is painted behind the curves and only the first eight ANSI colours are used, so that the terminal's
own theme decides how they look.
"""

import bisect
import math
import threading
from collections.abc import Iterator, Sequence

from rich.style import Style
from rich.text import Text

from flconsole.charts.axis import Axis, Unit, linear_axis, log_axis
from flconsole.charts.chart_text import Ink, colour_of, draw_heat_map, draw_sentence
from flconsole.charts.left_out import left_out
from flconsole.charts.plot import Bar, BarPlot, HeatMap, LinePlot, Plot, Sentence, add_bars
from flconsole.charts.series import Point, drawable, merge_runs, thin

with left_out("plotext._doc.doc", "PIL"):  # its manual and pictures: half of its memory, most of its time
    import plotext

_figure = plotext.figure
_one_at_a_time = threading.Lock()
"""plotext has one figure for the whole process."""
plotext.terminal.limit(width=False, height=False)

_CODES = {"red": 1, "green": 2, "yellow": 3, "blue": 4, "magenta": 5, "cyan": 6}
_FRAME = Style(dim=True)
_ASCII_FRAME = str.maketrans("│┤┼├─┬└┴┐┘", "||||-++-++")
_NO_ROOM = "too small for a chart"
_LEAST_CANVAS = (6, 2)
"""Columns and rows."""
_WIDEST_BAR = 6
_COLUMNS_PER_TICK = 9


def draw(plot: Plot, width: int, height: int, ink: Ink) -> list[Text]:
    """The chart without its heading, in exactly `height` lines of at most `width` cells.

    Any numbers may come in: what cannot stand on an axis is a gap.
    """
    match plot:
        case Sentence():
            return draw_sentence(plot.text, width, height)
        case HeatMap():
            return draw_heat_map(plot, width, height, ink)
        case BarPlot():
            drawn = _draw_bars(plot, width, height, ink)
        case LinePlot():
            drawn = _draw_lines(plot, width, height, ink)
    return draw_sentence(_NO_ROOM, width, height) if drawn is None else drawn


class _Frame:
    """Where the axes leave room for the canvas.

    Args:
        width: cells of the chart.
        height: rows of the chart.
        y: the vertical axis.
        x_name: written below the labels of the vertical axis, where there is room anyway.
    """

    def __init__(self, width: int, height: int, y: Axis, x_name: str) -> None:
        self.width, self.height, self.y, self.x_name = width, height, y, x_name
        self.label_width = max(len(label) for label in (*y.labels, x_name))
        self.has_line = height >= 6
        self.columns = width - self.label_width - 1
        self.rows = rows_of_canvas(height)

    @property
    def y_labels(self) -> list[str]:
        return [label.rjust(self.label_width) for label in self.y.labels]

    @property
    def fits(self) -> bool:
        return self.columns >= _LEAST_CANVAS[0] and self.rows >= _LEAST_CANVAS[1]


def rows_of_canvas(height: int) -> int:
    """Rows left for the canvas: the ticks take one, and where there is room, so does the axis."""
    return height - (2 if height >= 6 else 1)


def _y_ticks(height: int) -> int:
    return max(2, min(8, rows_of_canvas(height) // 2))


# --- lines


def _draw_lines(plot: LinePlot, width: int, height: int, ink: Ink) -> list[Text] | None:
    lines = [_on_axis(line.points, log_y=plot.log_y) for line in plot.lines]
    points = [(x, y) for line in lines for x, y in line if y is not None]
    if not points:
        return draw_sentence("no value can be drawn", width, height)
    y_axis = _y_axis(plot, [y for _, y in points], height)
    frame = _Frame(width, height, y_axis, "time" if plot.x is Unit.SECONDS else "round")
    if not frame.fits:
        return None
    xs = [x for x, _ in points]
    x_axis = _x_axis(xs, plot.x, frame.columns)
    with _one_at_a_time:
        _clear(frame)
        _set_axis("x", x_axis, x_axis.labels)
        _set_axis("y", y_axis, frame.y_labels)
        for index, line in reversed(list(enumerate(lines))):  # the first is on top
            mark = ink.mark(index, alone=len(lines) == 1) or "braille"
            _draw_line(thin(line, frame.columns), mark, _CODES[colour_of(index)])
        return _built(frame, ink)


def _on_axis(points: Sequence[Point], *, log_y: bool) -> list[Point]:
    """The points as they stand on the axis, in which there is no place for some."""
    finite = [(x, drawable(y)) for x, y in points if drawable(x) is not None]
    if not log_y:
        return finite
    return [(x, math.log10(y) if y is not None and y > 0 else None) for x, y in finite]


def _y_axis(plot: LinePlot, values: Sequence[float], height: int) -> Axis:
    ticks = _y_ticks(height)
    low, high = min(values), max(values)
    if plot.log_y:
        return log_axis(10.0**low, 10.0**high, ticks=ticks, unit=plot.unit)
    return linear_axis(min(0.0, low) if plot.from_zero else low, high, ticks=ticks, unit=plot.unit)


def _x_axis(xs: Sequence[float], unit: Unit, columns: int) -> Axis:
    ticks = max(2, columns // _COLUMNS_PER_TICK)
    return linear_axis(min(xs), max(xs), ticks=ticks, unit=unit, begins_at_low=True)


def _draw_line(points: Sequence[Point], mark: str, code: int) -> None:
    """One curve; where a value is missing it is broken."""
    there = [(x, y, index) for index, (x, y) in enumerate(points) if y is not None]
    if not there:
        return
    marker = plotext.marker(mark, code)
    signal = _figure.signal([x for x, _, _ in there], [y for _, y, _ in there], marker=marker)
    signal.lines()
    for number in range(1, len(there)):
        if there[number][2] != there[number - 1][2] + 1:
            signal.line(number, active=False)
    _figure.draw(signal)


# --- stacked bars


def _draw_bars(plot: BarPlot, width: int, height: int, ink: Ink) -> list[Text] | None:
    frame = _Frame(width, height, _bar_axis(plot.bars, plot.unit, height), "round")
    if not frame.fits:
        return None
    bars = merge_runs(plot.bars, math.ceil(len(plot.bars) / frame.columns), add_bars)
    frame = _Frame(width, height, _bar_axis(bars, plot.unit, height), "round")  # means are lower than spikes
    pitch = max(1, min(_WIDEST_BAR, frame.columns // len(bars)))
    per_row = frame.y.high / frame.rows
    with _one_at_a_time:
        _clear(frame)
        x_axis = _bar_ticks(bars, pitch, frame.columns)
        _set_axis("x", x_axis, x_axis.labels)
        ticks = tuple(tick / per_row - 0.5 for tick in frame.y.ticks)
        _set_axis("y", Axis(0, frame.rows - 1, ticks, ()), frame.y_labels)
        for index in range(len(plot.parts)):
            spans = list(_spans(bars, index, per_row, pitch))
            _draw_part(spans, ink.part(index), _CODES[colour_of(index, is_part=True)])
        return _built(frame, ink)


def _bar_axis(bars: Sequence[Bar], unit: Unit, height: int) -> Axis:
    highest = max(sum(bar.means) for bar in bars)
    return linear_axis(0.0, highest, ticks=_y_ticks(height), unit=unit)


def _bar_ticks(bars: Sequence[Bar], pitch: int, columns: int) -> Axis:
    """Numbers of rounds below the bars they are in."""
    firsts, last = [bar.first for bar in bars], bars[-1].first + bars[-1].rounds - 1
    rounds = _x_axis([firsts[0], last], Unit.COUNT, columns)
    labelled = [pair for pair in zip(rounds.ticks, rounds.labels, strict=True) if pair[0] <= last]
    places = [(bisect.bisect_right(firsts, tick) - 1) * pitch + (pitch - 1) // 2 for tick, _ in labelled]
    return Axis(0, columns - 1, tuple(map(float, places)), tuple(label for _, label in labelled))


def _spans(bars: Sequence[Bar], part: int, per_row: float, pitch: int) -> Iterator[tuple[int, int, int]]:
    """Column, lowest and highest row of what one part fills; parts too small for a row fill nothing."""
    width = pitch - 1 if pitch > 2 else pitch
    for index, bar in enumerate(bars):
        below = sum(bar.means[:part])
        bottom, top = round(below / per_row), round((below + bar.means[part]) / per_row)
        if top > bottom:
            for column in range(index * pitch, index * pitch + width):
                yield column, bottom, top - 1


def _draw_part(spans: Sequence[tuple[int, int, int]], glyph: str, code: int) -> None:
    if not spans:
        return
    marker = plotext.marker(glyph, code)
    columns = [column for column, _, _ in spans]
    bottoms = _figure.signal(columns, [bottom for _, bottom, _ in spans], marker=marker)
    tops = _figure.signal(columns, [top for _, _, top in spans], marker=marker)
    _figure.draw(tops.fill(bottoms))


# --- plotext's figure


def _clear(frame: _Frame) -> None:
    _figure.clear()
    _figure.theme("colorless")
    _figure.plot_size(frame.width, frame.height)
    _figure.axes(False, axis="x", side="upper")
    _figure.axes(False, axis="y", side="right")
    _figure.axes(frame.has_line, axis="x", side="lower")


def _set_axis(name: str, axis: Axis, labels: Sequence[str]) -> None:
    ruler = _figure.ruler(name)
    ruler.lim(axis.low, axis.high)
    ruler.ticks(list(axis.ticks), labels=list(labels))


def _built(frame: _Frame, ink: Ink) -> list[Text]:
    """The figure as lines, its frame dimmed, the name of the x axis in the free corner."""
    lines = [_line(row, ink) for row in _figure.build().string().split("\n")][: frame.height]
    for text in lines[: frame.rows]:
        text.stylize_before(_FRAME, 0, frame.label_width + 1)
    for text in lines[frame.rows :]:
        text.stylize_before(_FRAME)
    name = frame.x_name.rjust(frame.label_width)
    lines[-1] = Text(name, _FRAME) + lines[-1][frame.label_width :]
    return lines


def _line(row: str, ink: Ink) -> Text:
    text = Text.from_ansi(row.translate(_ASCII_FRAME) if ink.ascii else row)
    text.end, text.no_wrap = "", True
    return text
