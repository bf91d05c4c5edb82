"""Where a replay stands: one row under the status line."""

from bisect import bisect_right

from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from flconsole.figures import clock
from flconsole.player import Playhead
from flconsole.replay import Track
from flconsole.tui.style import BOLD, DIM, PLAIN
from flconsole.tui.view import View

_LEAST_TRACK = 12
"""Cells; a shorter one says nothing."""
_CELLS_PER_MARK = 4
"""So far apart at least are the ends of rounds on the track."""
_MARK_EVERY = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class ReplayBar(Widget):
    """Playing or not, the speed, the place in time and in rounds, and the track. Only there in a replay."""

    DEFAULT_CSS = "ReplayBar { height: 1; display: none; }"

    def __init__(self) -> None:
        super().__init__(id="replay")
        self._head: Playhead | None = None
        self._row = Text()

    def show(self, view: View) -> None:
        self._head = view.playhead
        self.display = view.playhead is not None
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._head is None:
            return
        row = replay_row(self._head, self.size.width)
        if row != self._row:
            self._row = row
            self.refresh()

    def render_line(self, _y: int) -> Strip:
        strip = Strip(self._row.render(self.app.console, end=""))
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


def replay_row(head: Playhead, width: int) -> Text:
    """The row, no longer than `width` cells."""
    track = head.track
    row = Text(no_wrap=True)
    row.append(f"{'▶' if head.is_playing else '‖'} {_speed(head.speed)} ", BOLD)
    row.append(f" {clock(head.ts - track.start)}/{clock(track.end - track.start)}")
    if track.rounds:
        row.append(f"  round {_rounds_done(head)}/{track.rounds[-1].round}")
    if track.is_open:
        row.append("  (the run went on from there)" if width >= 100 else "  (it went on)")
    cells = width - row.cell_len - 2
    if cells >= _LEAST_TRACK:
        row.append("  ").append_text(draw_track(head, cells))
    row.truncate(width)
    return row


def draw_track(head: Playhead, cells: int) -> Text:
    """The run from its start to its end, with the ends of rounds, as many as have room."""
    here = _cell(head.ts, head.track, cells)
    marks = {_cell(ts, head.track, cells) for ts in _marked(head.track, cells)}
    line = Text()
    for cell in range(cells):
        if cell == here:
            line.append("●", BOLD)
        elif cell < here:
            line.append("┿" if cell in marks else "━", PLAIN)
        else:
            line.append("┼" if cell in marks else "─", DIM)
    return line


def _marked(track: Track, cells: int) -> list[float]:
    """The ends of every, every other, every fifth ... round, whatever has room."""
    most = max(1, cells // _CELLS_PER_MARK)
    every = next((n for n in _MARK_EVERY if len(track.rounds) <= n * most), _MARK_EVERY[-1])
    return [end.ts for end in track.rounds if end.round % every == 0]


def _cell(ts: float, track: Track, cells: int) -> int:
    length = track.end - track.start
    share = (ts - track.start) / length if length > 0 else 1.0
    return max(0, min(round(share * (cells - 1)), cells - 1))


def _rounds_done(head: Playhead) -> int:
    place = bisect_right(head.track.rounds, head.position, key=lambda end: end.position)
    return head.track.rounds[place - 1].round if place else 0


def _speed(speed: float) -> str:
    return f"x{speed:g}" if speed >= 1 else f"x1/{1 / speed:g}"
