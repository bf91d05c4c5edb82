"""The screen of a run: which panes can be seen, where the focus is, the last line, and what is drawn when."""

import asyncio
import re
import time

import pytest

from engine.telemetry import RunStopped
from flconsole.tui.app import ConsoleApp
from flconsole.tui.layout import PANES
from flconsole.tui.run_screen import RunScreen
from flconsole.tui.terminal import Terminal
from flconsole.tui.view import Liveness
from tests.console.staging import Stage, lost, run_started
from tests.flconsole.recording import accepted, ended, finished, joined, opened, started

CLIENTS = [started(f"client-{number}", "client", 100 + number, str(number)) for number in range(1, 4)]
ROUND = [opened(1, "123"), *(accepted(client, 1) for client in "123"), finished(1, 3, 0.5)]


def on_stage():
    return Stage(run_started(), *CLIENTS, *(joined(str(n), n) for n in range(1, 4)), *ROUND)


def console(size, check, stage=None, **more):
    """Runs a check against the console; the test looks, not a timer."""

    async def run():
        app = ConsoleApp(stage or on_stage(), **more)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await check(app, pilot)

    asyncio.run(run())


def rows(app):
    return [strip.text for strip in app.screen._compositor.render_strips()]


def seen(app):
    return {name for name in PANES if app.screen.pane(name).display and app.screen.pane(name).size.area}


def focused_pane(app):
    return next(widget.id for widget in app.focused.ancestors_with_self if widget.id in PANES)


# --- when it is looked at


def test_a_run_that_is_soon_read_is_shown_without_waiting_for_the_next_look(monkeypatch):
    repeat = RunScreen.set_interval
    monkeypatch.setattr(  # there is no next look
        RunScreen,
        "set_interval",
        lambda screen, seconds, call, **more: call == screen.look or repeat(screen, seconds, call, **more),
    )
    stage = on_stage()
    stage.loading = 0.5

    async def check(app, pilot):
        stage.tell(opened(2, "123"))
        stage.loading = None
        deadline = time.monotonic() + 20
        while not any("round 2/10" in row for row in rows(app)):
            assert time.monotonic() < deadline, rows(app)
            await pilot.pause(0.02)

    console((80, 24), check, stage=stage)


# --- which panes can be seen


@pytest.mark.parametrize(
    ("size", "at_first"),
    [
        ((60, 20), {"clients"}),
        ((80, 24), {"clients", "charts"}),
        ((200, 20), {"clients", "charts"}),
        ((120, 40), set(PANES)),
        ((140, 40), set(PANES)),
        ((200, 50), set(PANES)),
    ],
)
def test_every_pane_can_be_reached_with_a_number_and_with_tab(size, at_first):
    async def check(app, pilot):
        assert seen(app) == at_first
        for number, name in enumerate(PANES, start=1):
            await pilot.press(str(number))
            assert name in seen(app)
            assert focused_pane(app) == name
        for name in (*PANES, "clients"):
            await pilot.press("tab")
            assert focused_pane(app) == name
            assert name in seen(app)
        await pilot.press("shift+tab")
        assert focused_pane(app) == "timeline"

    console(size, check)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_a_pane_can_have_the_whole_screen_and_give_it_back(size):
    async def check(app, pilot):
        before = seen(app)
        await pilot.press("2", "z")
        assert seen(app) == {"charts"}
        assert "zoomed" in rows(app)[2]
        await pilot.press("4")
        assert seen(app) == {"timeline"}
        await pilot.press("2", "z")
        assert seen(app) == before

    console(size, check)


def test_the_panes_that_cannot_be_seen_are_named():
    async def check(app, pilot):
        assert rows(app)[2].split("  ")[0].strip() == "1 Clients"
        assert all(
            f"{number} {name.capitalize()}" in rows(app)[2] for number, name in enumerate(PANES, start=1)
        )
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "3 Logs" not in rows(app)[2]

    console((60, 20), check)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
def test_the_focus_shows_without_colours(size):
    async def check(app, pilot):
        for number, name in enumerate(PANES, start=1):
            await pilot.press(str(number))
            heavy = [row for row in rows(app) if f"━{number} {name.capitalize()}" in row]
            assert len(heavy) == 1
            assert (
                sum(
                    row.count("━1") + row.count("━2") + row.count("━3") + row.count("━4") for row in rows(app)
                )
                == 1
            )

    console(size, check)


def test_few_clients_leave_the_room_to_others():
    async def check(app, pilot):
        assert app.screen.pane("clients").size.height == 4  # a heading and three clients
        app.source.tell(*(joined(str(number), number) for number in range(4, 60)))
        app.screen.look()
        await pilot.pause()
        assert 8 <= app.screen.pane("clients").outer_size.height <= 12

    console((80, 24), check)


def test_many_sizes_one_after_the_other_leave_a_whole_screen():
    async def check(app, pilot):
        for width in range(10, 210, 7):
            await pilot.resize_terminal(width, 5 + width // 5)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert seen(app) == {"clients", "charts"}
        assert rows(app)[-1].rstrip().endswith("Help")
        assert len(rows(app)) == 24

    console((80, 24), check)


# --- the mouse, for those who like it


def test_the_mouse_chooses_panes_and_presses_keys():
    async def check(app, pilot):
        await pilot.click("#pane-tabs", offset=(rows(app)[2].index("3 Logs"), 0))
        await pilot.pause()
        assert focused_pane(app) == "logs"
        await pilot.click("#timeline-view")
        line = rows(app)[-1]
        await pilot.click("#key-line", offset=(line.index("Zoom"), 0))
        await pilot.pause()
        assert app.screen.is_zoomed

    console((80, 24), check)


# --- the last line


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_the_last_line_offers_what_there_is_room_for_and_always_the_help(width):
    async def check(app, pilot):
        line = rows(app)[-1].rstrip()
        assert line.endswith("? Help")
        offered = re.split(r"  +", line)
        assert all(re.fullmatch(r"\S+ \S.*", item) for item in offered), offered
        if width >= 80:
            assert "k Stop" in offered
            assert "q Quit" in offered or "d Detach" in offered

    console((width, 24), check)


def test_the_last_line_is_about_the_pane_with_the_focus_and_the_run():
    stage = on_stage()

    async def check(app, pilot):
        assert "a Add" in rows(app)[-1]
        await pilot.press("3")
        await pilot.pause()
        assert "/ Search" in rows(app)[-1]
        assert "k Stop" not in rows(app)[-1]
        stage.tell(ended(RunStopped))
        stage.liveness = Liveness.ENDED
        app.screen.look()
        await pilot.pause()
        assert "a Add" not in rows(app)[-1]
        assert "Resume" in rows(app)[-1]

    console((120, 40), check, stage)


# --- what is drawn, and when


class Drawings:
    """Counts how often a pane is asked to draw."""

    def __init__(self, screen):
        self.count = 0
        pane, self._show = screen.pane("clients"), screen.pane("clients").show
        pane.show = self._counted

    def _counted(self, view):
        self.count += 1
        self._show(view)


@pytest.mark.parametrize("liveness", [Liveness.ENDED, Liveness.GONE, Liveness.REPLAY])
def test_a_run_that_stands_still_is_not_drawn_again(liveness):
    stage = on_stage()
    stage.liveness = liveness

    async def check(app, pilot):
        app.screen.look()
        drawings = Drawings(app.screen)
        for _ in range(3):
            if liveness is not Liveness.REPLAY:  # whose clock is the playhead
                stage.wait(1.0)
            app.screen.look()
        assert drawings.count == 0
        stage.tell(opened(2, "123"), at=5.0)
        app.screen.look()
        assert drawings.count == 1

    console((80, 24), check, stage)


def test_a_run_that_goes_on_is_drawn_when_something_happens_and_when_a_second_has_gone_by():
    stage = on_stage()

    async def check(app, pilot):
        app.screen.look()
        drawings = Drawings(app.screen)
        app.screen.look()
        assert drawings.count == 0
        stage.wait(1.0)
        app.screen.look()
        assert drawings.count == 1
        stage.tell(lost("2"))
        app.screen.look()
        assert drawings.count == 2

    console((80, 24), check, stage)


def test_over_a_slow_line_it_is_drawn_once_a_second_whatever_happens():
    stage = on_stage()

    async def check(app, pilot):
        app.screen.look()
        drawings = Drawings(app.screen)
        stage.tell(opened(2, "123"))
        app.screen.look()
        assert drawings.count == 0
        stage.wait(1.0)
        app.screen.look()
        assert drawings.count == 1

    console((80, 24), check, stage, terminal=Terminal(low_bandwidth=True))


def test_a_pane_that_was_hidden_shows_the_newest_when_it_is_seen_again():
    stage = on_stage()

    async def check(app, pilot):
        await pilot.press("4")
        await pilot.press("1")
        assert "client 3 lost" not in "\n".join(rows(app))
        stage.tell(lost("3"))
        app.screen.look()
        await pilot.press("4")
        await pilot.pause()
        assert any("client 3 lost" in row for row in rows(app)[3:-4])

    console((60, 20), check, stage)


def test_the_operator_is_called_once():
    stage, titles = on_stage(), []

    async def check(app, pilot):
        app.call_operator = titles.append
        app.screen.look()
        stage.tell(lost("2"))
        for _ in range(3):
            app.screen.look()
        await pilot.pause()
        assert titles == ["client 2 lost"]
        assert [notification.message for notification in app._notifications] == ["client 2 lost"]

    console((80, 24), check, stage)
