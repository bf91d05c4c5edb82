"""The parts of a chart that are plain text: its heading with the legend, a sentence, a heat map. Pure."""

import math
import textwrap
from collections.abc import Iterable

import msgspec
from rich.style import Style
from rich.text import Text

from flconsole.charts.axis import written
from flconsole.charts.plot import BarPlot, HeatMap, LinePlot, Plot
from flconsole.text import visible

COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
"""Of the curves, in their order; no chart has more curves."""
_LINE, _LETTERS = "━", "*+ox#%"
_PARTS, _PART_LETTERS = "░█▓▚▞▒", ".#=+o%"
_PART_COLOURS = ("yellow", "green", "cyan", "magenta", "red", "blue")
_SHADES, _SHADE_LETTERS = "·░▒▓█", ".:+*#"
_DIM, _BOLD = Style(dim=True), Style(bold=True)
_LABEL_WIDTH = 12
"""Cells for a client's id; a longer one is cut."""
_VISIBLE = 0.02
"""Share of a round below which a part of it is hardly seen."""


class Ink(msgspec.Struct, frozen=True):
    """What the terminal can show."""

    ascii: bool = False
    """No glyph beyond ASCII."""
    colours: bool = True

    def mark(self, index: int, *, alone: bool) -> str:
        """The character that a curve is drawn with; empty for braille, which only colours tell apart."""
        return _LETTERS[index] if self.ascii or not (self.colours or alone) else ""

    def part(self, index: int) -> str:
        """The character that a part of the stacked bars is filled with."""
        return (_PART_LETTERS if self.ascii else _PARTS)[index]

    @property
    def shades(self) -> str:
        """From the faintest to the fullest."""
        return _SHADE_LETTERS if self.ascii else _SHADES


def colour_of(index: int, *, is_part: bool = False) -> str:
    """ANSI name of the colour of a curve or of a part."""
    return (_PART_COLOURS if is_part else COLOURS)[index]


def shortened(text: str, width: int, ink: Ink) -> str:
    """Foreign text, fit for a terminal, in at most so many cells."""
    safe = Text(visible(text).replace("\n", " ").replace("\t", " "))
    if ink.ascii:
        safe = Text(safe.plain.encode("ascii", "replace").decode())
    if safe.cell_len > width:
        safe.truncate(max(0, width - 1))
        safe.append("~" if ink.ascii else "…")
    return safe.plain[:width] if width > 0 else ""


def _faint(text: str) -> Text:
    return Text.assemble((text, _DIM))


# --- the heading


def heading(plot: Plot, width: int, ink: Ink) -> Text:
    """One line: the title, what is unusual about the picture, and as much of the legend as fits."""
    text = Text(no_wrap=True, end="")
    text.append(plot.title, _BOLD)
    text.append("".join(f", {note}" for note in plot.notes))
    legends = _legends(plot, ink)
    fitting = (entries for entries in legends if text.cell_len + _length(entries) <= width)
    for entry in next(fitting, legends[-1] if legends else []):
        text.append("  ")
        text.append_text(entry)
    if text.cell_len > width:
        text.truncate(max(0, width - 1))
        text.append("~" if ink.ascii else "…")
        text.truncate(max(0, width))
    return text


def _length(entries: list[Text]) -> int:
    return sum(entry.cell_len + 2 for entry in entries)


def _legends(plot: Plot, ink: Ink) -> list[list[Text]]:
    """The legend in full and, for where there is less room, what of it explains the picture."""
    if isinstance(plot, LinePlot):
        return [_legend_of_lines(plot, ink, is_full=is_full) for is_full in (True, False)]
    if isinstance(plot, BarPlot):
        visible_parts = [
            index for index, seconds in enumerate(plot.latest) if seconds > _VISIBLE * sum(plot.latest)
        ]
        return [
            _legend_of_parts(plot, range(len(plot.parts)), ink, is_full=True),
            _legend_of_parts(plot, visible_parts, ink, is_full=True),
            _legend_of_parts(plot, visible_parts, ink, is_full=False),
        ]
    return []


def _legend_of_lines(plot: LinePlot, ink: Ink, *, is_full: bool) -> list[Text]:
    entries = []
    alone = len(plot.lines) == 1
    for index, line in enumerate(plot.lines):
        sign = ink.mark(index, alone=alone) or _LINE
        label = shortened(line.label, _LABEL_WIDTH, ink)
        value = ("-" if line.latest is None else written(line.latest, plot.unit)) if is_full or alone else ""
        entries.append(Text(" ".join(filter(None, (sign, label, value))), Style(color=COLOURS[index])))
    return entries


def _legend_of_parts(plot: BarPlot, parts: Iterable[int], ink: Ink, *, is_full: bool) -> list[Text]:
    """The largest first: that is what is seen most of."""
    entries = []
    for index in sorted(parts, key=lambda index: -plot.latest[index]):
        text = f"{ink.part(index)} {plot.parts[index]}"
        text += f" {written(plot.latest[index], plot.unit)}" if is_full else ""
        entries.append(Text(text, Style(color=_PART_COLOURS[index])))
    return entries


# --- a sentence


def draw_sentence(sentence: str, width: int, height: int) -> list[Text]:
    """The sentence in the middle of the chart's place."""
    lines = textwrap.wrap(visible(sentence), max(1, width - 2))[: max(0, height)]
    above = (height - len(lines)) // 2
    drawn = [Text()] * above + [_faint(line.center(width).rstrip()) for line in lines]
    for line in drawn:
        line.truncate(max(0, width))
    return drawn + [Text()] * (height - len(drawn))


# --- a heat map


def draw_heat_map(plot: HeatMap, width: int, height: int, ink: Ink) -> list[Text]:
    """A square of numbers where there is room for them, else of shaded cells; the ids stand on both axes.

    The shade goes from the smallest to the largest value beside the diagonal; the colour tells the sign.
    """
    low, high = _range(plot)
    labels = [shortened(name, min(_LABEL_WIDTH, width // 4), ink) for name in plot.ids]
    margin = max(map(len, labels)) + 1
    cell = _cell_width(len(labels), width - margin)
    columns, rows = min(len(labels), max(0, width - margin) // cell), min(len(labels), max(0, height - 2))
    drawn = [_faint(" " * margin + _column_labels(labels[:columns], cell))]
    for row in range(rows):
        line = _faint(labels[row].rjust(margin - 1) + " ")
        for column, value in enumerate(plot.values[row][:columns]):
            line.append_text(_cell(value, cell, is_self=row == column, span=(low, high), ink=ink))
        drawn.append(line)
    drawn.append(_faint(_key(low, high, ink, shown=(rows, columns), num_clients=len(labels))))
    for line in drawn:
        line.truncate(max(0, width))
    return (drawn + [Text()] * height)[: max(0, height)]


def _range(plot: HeatMap) -> tuple[float, float]:
    """The values beside the diagonal lie between these, rounded outwards to tenths."""
    others = [
        value
        for row, values in enumerate(plot.values)
        for column, value in enumerate(values)
        if row != column and value is not None
    ]
    low, high = min(others, default=0.0), max(others, default=1.0)
    return math.floor(low * 10) / 10, math.ceil(high * 10) / 10


def _cell_width(num_clients: int, width: int) -> int:
    """6 cells hold a shade and a number, 5 a number, fewer a shade."""
    return max(1, min(6, width // num_clients)) if width // num_clients != 4 else 3


def _column_labels(labels: list[str], cell: int) -> str:
    """The ids above their columns; one that would run into the id before it is left out."""
    text = ""
    for column, label in enumerate(labels):
        place = column * cell + max(0, (min(cell, 5) - len(label)) // 2)
        if place >= len(text) + (1 if text else 0):
            text = text.ljust(place) + label
    return text


def _cell(value: float | None, cell: int, *, is_self: bool, span: tuple[float, float], ink: Ink) -> Text:
    if is_self or value is None:
        return Text(("-" if value is None else "\\").center(min(cell, 5)).ljust(cell), _DIM)
    low, high = span
    share = (value - low) / (high - low) if high > low else 1.0
    shade = ink.shades[max(0, min(len(ink.shades) - 1, int(share * len(ink.shades))))]
    number = f"{value:.2f}".replace("0.", ".", 1)[:4].rjust(4)
    text = {6: f"{shade}{number} ", 5: f"{number} "}.get(cell, shade * cell)
    return Text(text, Style(color="red" if value < 0 else "cyan"))


def _key(low: float, high: float, ink: Ink, *, shown: tuple[int, int], num_clients: int) -> str:
    """What the shades mean, and whom there is no room for."""
    text = f"{low:.1f} {ink.shades} {high:.1f}"
    return text if min(shown) == num_clients else f"{text}, {min(shown)} of {num_clients} clients"
