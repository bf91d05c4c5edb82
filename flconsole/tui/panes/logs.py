"""The logs of all processes, merged or one at a time."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region

from engine.errors import RunDirectoryError
from flconsole.logs.filter import FilteredLog, LogFilter, search_pattern
from flconsole.logs.lines import Level, Line
from flconsole.logs.store import MERGED, LogStore
from flconsole.patterns import BadPattern, TooSlow, in_time
from flconsole.saved_views import save_view
from flconsole.text import visible
from flconsole.tui.actions import Place
from flconsole.tui.background import in_thread
from flconsole.tui.bindings import bindings
from flconsole.tui.clipboard import TooMuchToCopy, copy
from flconsole.tui.host import host_of
from flconsole.tui.log_view import LogView, Spot
from flconsole.tui.prompt import Prompt
from flconsole.tui.view import Liveness, View

_LOOK_S = 0.25
_LEVELS = (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR)
"""What the level goes through; the first shows everything."""
_PATTERN_CELLS = 24


class LogsPane(Vertical):
    """The log view with its keys.

    Args:
        id: Textual's.
        follow_key: the key that goes back to the newest line.
    """

    BINDINGS = bindings(Place.LOGS)

    def __init__(self, *, id: str, follow_key: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._follow_key = follow_key
        self._view: View | None = None
        self._store: LogStore | None = None
        self._process = MERGED
        self._filter = LogFilter()
        self._looks = 0
        self._title = ""
        self._is_titling = False

    def compose(self) -> ComposeResult:
        yield LogView()

    def on_mount(self) -> None:
        self.set_interval(_LOOK_S, self._look)
        self._say_title()

    def on_unmount(self) -> None:
        if self._store is not None:
            self._store.close()

    @property
    def log_view(self) -> LogView:
        return self.query_one(LogView)

    # --- what is shown

    def show(self, view: View) -> None:
        """Draws what was written until the view's moment, in a replay; otherwise everything."""
        is_first, self._view = self._view is None, view
        if is_first:
            self._store = LogStore(view.run_dir / "logs")
            self._open()
            self.call_after_refresh(self._store.start)  # the screen is there before the logs are read
        moment = view.now if view.liveness is Liveness.REPLAY else None
        if self._store is not None:
            self._store.look_at(moment)
        self.log_view.show_until(moment)
        self._look()

    def show_process(self, name: str) -> None:
        """Shows the log of one process, `client-3` for instance; all merged where the name is empty."""
        self._process = visible(name)
        self._open()

    def show_moment(self, process: str, ts: float) -> None:
        """Shows the log of a process at a moment, in wall-clock seconds since the epoch."""
        self.show_process(process)
        self.log_view.go_to_moment(ts)

    def _open(self, place: Spot | None = None) -> None:
        """Shows the lines that the process and the filter choose, at the same time as before."""
        if self._store is not None:
            log = self.log_view
            log.open(FilteredLog(self._store, self._process, self._filter), place or log.place)
        self._say_title()

    def _look(self) -> None:
        """Four times a second, or twice where bytes are dear: draws what was written since."""
        self._looks, host = self._looks + 1, host_of(self)
        is_turn = self._looks % 2 == 0 or not host.low_bandwidth
        if not self.display or not self.screen.is_active or host.is_behind or not is_turn:
            return
        self.log_view.look()
        self._say_title()

    def on_log_view_moved(self, event: LogView.Moved) -> None:
        event.stop()
        self._say_title()

    def _say_title(self) -> None:
        log, parts = self.log_view, [f"3 Logs {self._process or 'merged'}"]
        if log.is_following:
            parts.append("following")
        else:
            follows = f"{self._follow_key} follows"
            parts.append(f"{log.new:,} new ({follows})" if log.new else follows)
            parts.append(f"line {min(log.first_in_view + 1, log.count):,} of {log.count:,}")
        if self._filter.level > _LEVELS[0]:
            parts.append(f"from {self._filter.level.name}")
        if self._filter.pattern is not None:
            parts.append(f"& {_short(self._filter.pattern)}")
        if log.pattern is not None:
            place = f"{log.found.number:,} of {log.found.count:,}" if log.found is not None else ""
            parts.append(f"/ {_short(log.pattern)} {place}".rstrip())
        title = " · ".join(parts)
        if title != self._title:
            self._title, self._is_titling = title, True
            self.border_title = Content(title)
            self._is_titling = False

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Draws again; for another title only the border, where Textual would send all lines again."""
        if self._is_titling:
            regions = (Region(0, -1, self.size.width, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    # --- which log

    def action_log_next(self) -> None:
        self._show_neighbour(1)

    def action_log_previous(self) -> None:
        self._show_neighbour(-1)

    def _show_neighbour(self, step: int) -> None:
        names = (MERGED, *(self._store.processes if self._store is not None else ()))
        place = names.index(self._process) if self._process in names else 0
        self.show_process(names[(place + step) % len(names)])

    def action_log_follow(self) -> None:
        if self.log_view.is_following:
            self.log_view.let_go()
        else:
            self.log_view.follow()

    def action_log_wrap(self) -> None:
        self.log_view.toggle_wrap()

    # --- which lines

    def action_log_level(self) -> None:
        level = _LEVELS[(_LEVELS.index(self._filter.level) + 1) % len(_LEVELS)]
        self._filter = self._filter._replace(level=level)
        self._open()

    def action_log_filter(self) -> None:
        """Asks for a regular expression; what it leaves is seen while it is typed."""
        before, place = self._filter, self.log_view.place

        def choose(text: str | None) -> str | None:
            pattern, trouble = (before.pattern, None) if text is None else _compile(text)
            if trouble is None or text is None:
                try:
                    with in_time():
                        self._filter = before._replace(pattern=pattern)
                        self._open(place)
                except TooSlow as error:
                    self._filter, trouble = before, str(error)
                    self._open(place)
            return trouble

        self._ask("&", before.pattern, choose)

    def action_log_search(self) -> None:
        """Asks for a regular expression; the view goes to the match that is nearest while it is typed."""
        log = self.log_view
        before, place = (log.pattern, log.found), log.place
        start = log.count if place.is_following else log.first_in_view

        def choose(text: str | None) -> str | None:
            pattern, trouble = (before[0], None) if text is None else _compile(text)
            if trouble is not None:
                return trouble
            (log.pattern, log.found) = before if text is None else (pattern, None)
            try:
                with in_time():
                    log.return_to(place)
                    if text and log.search(start, forward=not place.is_following) is None:
                        trouble = "no line matches"
            except TooSlow as error:
                (log.pattern, log.found), trouble = before, str(error)
            self._say_title()
            return trouble

        self._ask("/", log.pattern, choose)

    def _ask(
        self, label: str, pattern: re.Pattern[str] | None, choose: Callable[[str | None], str | None]
    ) -> None:
        """Asks for a regular expression.

        Args:
            label: what stands before it.
            pattern: the one in force.
            choose: puts one into force and returns what is wrong with it; given None, puts back the old one.
        """

        def done(text: str | None) -> None:
            if trouble := choose(text):
                self.notify(trouble, severity="warning")

        value = "" if pattern is None else pattern.pattern
        self.screen.query_one(Prompt).ask(label, value, changed=choose, done=done)

    def action_log_match_next(self) -> None:
        self._go_to_match(forward=True)

    def action_log_match_previous(self) -> None:
        self._go_to_match(forward=False)

    def _go_to_match(self, *, forward: bool) -> None:
        log = self.log_view
        if log.pattern is None:
            self.notify("nothing is searched for yet", severity="warning")
            return
        found = log.search_on(forward=forward)
        if found is None:
            self.notify("no line matches", severity="warning")
        elif found.has_wrapped:
            self.notify(f"went on at the {'first' if forward else 'last'} line", timeout=2)

    # --- what is kept of them

    def action_log_write(self) -> None:
        self.run_worker(self._write(self.log_view.lines))

    def action_log_copy(self) -> None:
        self.run_worker(self._copy(self.log_view.visible_lines))

    async def _write(self, lines: Sequence[Line]) -> None:
        path = await self._save(self._process or "merged", self._as_text(lines))
        if path is not None:
            older = f"; {self.log_view.older}" if self.log_view.older else ""
            self.notify(f"{len(lines):,} lines are in {path}{older}")

    async def _copy(self, lines: Sequence[Line]) -> None:
        text = self._as_text(lines)
        try:
            await copy(self.app, text)
        except TooMuchToCopy as error:
            path = await self._save("copy", text)
            if path is not None:
                self.notify(f"{error}: the lines are in {path}")
        else:
            self.notify(f"{len(lines):,} lines are copied, where the terminal allows it")

    async def _save(self, name: str, text: str) -> Path | None:
        if self._view is None:
            return None
        try:
            return await in_thread(partial(save_view, self._view.run_dir, name, text))
        except RunDirectoryError as error:
            self.notify(str(error), severity="error")
            return None

    def _as_text(self, lines: Sequence[Line]) -> str:
        """The lines whole, as `flconsole logs` writes them."""
        named = self._process == MERGED
        return "".join(f"{line.process} | {line.text}\n" if named else f"{line.text}\n" for line in lines)


def _compile(text: str) -> tuple[re.Pattern[str] | None, str | None]:
    """The regular expression, and what is wrong with it."""
    try:
        return search_pattern(text), None
    except BadPattern as error:
        return None, str(error)


def _short(pattern: re.Pattern[str]) -> str:
    text = visible(pattern.pattern)
    return text if len(text) <= _PATTERN_CELLS else text[: _PATTERN_CELLS - 1] + "…"
