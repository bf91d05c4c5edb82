"""The charts on a screen: as many as there is room for, with keys for the marked one."""

import resource

import pytest
from msgspec.structs import replace

from engine.config import RunConfig
from engine.errors import RunDirectoryError
from flconsole.charts.catalogue import SMOOTHINGS, charts_for
from flconsole.tui.chart_files import save_charts
from flconsole.tui.panes.charts import ChartsPane, grid_of
from flconsole.tui.panes.clients import ClientsPane
from flconsole.tui.terminal import Colours, Terminal
from flconsole.tui.view import Liveness
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import RUN, accepted, closed, finished, joined, opened

CHARTS = charts_for("sync")
TITLES = [chart.title for chart in CHARTS]
PARTS = {"training": 3.0, "transfer": 1.0}


def federation(rounds=5, clients=3):
    """A run with some rounds done, each in four seconds."""
    names = [str(number) for number in range(1, clients + 1)]
    stage = Stage(run_started(), *(joined(name, int(name) - 1) for name in names))
    for number in range(1, rounds + 1):
        stage.tell(opened(number, names), *(accepted(name, number) for name in names), at=4.0 * number - 4)
        stage.tell(round_done(number), at=4.0 * number)
    return stage


def round_done(number):
    return replace(finished(number, 3, 1 - 1 / (number + 1)), parts=PARTS, bytes_up=5000, bytes_down=5000)


def pane_of(operator):
    return operator.run_screen.query_one(ChartsPane)


def shown(operator):
    """Titles of the charts that can be seen."""
    return [widget.chart.title for widget in pane_of(operator).widgets if widget.display and widget.size.area]


def rows(operator):
    """The pane as it is on the screen."""
    region = pane_of(operator).region
    strips = operator.app.screen._compositor.render_strips()[region.y : region.bottom]
    return [strip.crop(region.x, region.right).text for strip in strips]


async def charts_of(operator, *keys):
    """Gives the charts the focus, and presses keys once they are drawn."""
    await operator.press("2")
    await operator.until(lambda: pane_of(operator).marked.draw is not None, "plotext")
    await operator.press(*keys)
    await operator.pilot.pause()


async def seen(operator, text):
    await operator.until(lambda: any(text in row for row in rows(operator)), f"{text!r} in the charts")


def marked(operator):
    return pane_of(operator).marked


# --- how many


@pytest.mark.parametrize(
    ("size", "columns", "number"),
    [
        ((58, 15), 1, 1),  # 60x20
        ((80, 10), 1, 1),  # below the clients at 80x24
        ((59, 18), 1, 2),  # beside the logs at 120x40
        ((80, 21), 2, 4),
        ((99, 22), 2, 4),  # beside the logs at 200x50
        ((120, 36), 2, 8),
        ((200, 46), 3, 8),
        ((10, 1), 1, 1),
    ],
)
def test_as_many_charts_as_there_is_room_for(size, columns, number):
    assert grid_of(*size, most=8) == (columns, number)


def test_a_run_at_its_own_pace_has_one_chart_more():
    config = RunConfig(clients=3, rounds=10, dataset="digits", mode="buffered")

    async def scenario(operator):
        await charts_of(operator, *["right"] * 5)
        await seen(operator, "2 Charts · 6 of 9")
        assert shown(operator) == ["Staleness of updates"]
        await operator.press("right")
        await seen(operator, "Client loss")

    stage = Stage(run_started(mode="buffered"), config=config)
    stage.tell(opened(2, "12", quorum=2), closed(2, ("1", 2), ("2", 1)), round_done(2))
    at_console(scenario, stage)


@pytest.mark.parametrize(("size", "number"), [((60, 20), 1), ((80, 24), 1), ((120, 40), 2), ((200, 50), 4)])
def test_the_first_charts_of_a_run(size, number):
    async def scenario(operator):
        await charts_of(operator)
        await seen(operator, "Global accuracy  ━ 0.8333")
        assert shown(operator) == TITLES[:number]
        assert rows(operator)[0].strip("━ ") == (
            f"2 Charts · 1 to {number} of 8" if number > 1 else "2 Charts · 1 of 8"
        )
        assert all(len(row) == pane_of(operator).region.width for row in rows(operator))

    at_console(scenario, federation(), size=size)


def test_a_place_without_anything_to_show_says_why():
    async def scenario(operator):
        await charts_of(operator)
        await seen(operator, "no round has been evaluated yet")

    at_console(scenario, Stage(run_started()))


# --- keys


@pytest.mark.parametrize("size", SIZES)
def test_next_and_previous_go_round(size):
    async def scenario(operator):
        await charts_of(operator)
        for title in (*TITLES[1:], TITLES[0]):
            await operator.press("right")
            await operator.until(lambda title=title: marked(operator).chart.title == title, title)
            await seen(operator, title)
        await operator.press("left")
        await seen(operator, TITLES[-1])

    at_console(scenario, federation(), size=size)


@pytest.mark.parametrize("size", SIZES)
def test_how_a_chart_looks(size):
    async def scenario(operator):
        await charts_of(operator)
        await operator.press("l")
        await seen(operator, "Global accuracy, log")
        await operator.press("l")
        for strength in SMOOTHINGS[1:]:
            await operator.press("m")
            await seen(operator, f"Global accuracy, smoothed {strength:g}")
        await operator.press("m", "b")
        await seen(operator, "Global accuracy  ━")
        await operator.until(lambda: any(row.lstrip().startswith("time ") for row in rows(operator)), "time")
        assert any("20 s" in row for row in rows(operator))
        await operator.press("b")
        await operator.until(lambda: any(row.startswith("round ") for row in rows(operator)), "rounds")

    at_console(scenario, federation(), size=size)


def test_settings_are_those_of_one_chart():
    async def scenario(operator):
        await charts_of(operator, "l", "right", "m")
        first, second = pane_of(operator).widgets[:2]
        assert (first.settings.log_y, first.settings.smoothing) == (True, 0.0)
        assert (second.settings.log_y, second.settings.smoothing) == (False, SMOOTHINGS[1])

    at_console(scenario, federation())


def test_what_a_chart_does_not_have_is_said():
    async def scenario(operator):
        await charts_of(operator, "right", "right")
        for key, what in (
            ("l", "logarithmic scale"),
            ("m", "smoothing"),
            ("b", "choice between rounds and time"),
        ):
            await operator.press(key)
            await operator.told(f"Round time is drawn as a stack of bars, which has no {what}.")

    at_console(scenario, federation())


@pytest.mark.parametrize("size", SIZES)
def test_zoom_shows_one_chart_on_the_whole_screen_and_gives_it_back(size):
    async def scenario(operator):
        await charts_of(operator, "right")
        before = shown(operator)
        await operator.press("enter")
        await operator.until(
            lambda: shown(operator) == ["Global loss"] and operator.run_screen.is_zoomed, "zoom"
        )
        assert not operator.run_screen.query_one(ClientsPane).display
        await operator.press("right")
        await operator.until(lambda: shown(operator) == ["Round time"], "the next chart alone")
        await operator.press("left", "enter")
        await operator.until(lambda: shown(operator) == before, "as it was")
        assert not operator.run_screen.is_zoomed

    at_console(scenario, federation(), size=size)


@pytest.mark.parametrize(("size", "number"), [(SIZES[0], 4), (SIZES[1], 8)])
def test_a_pane_on_the_whole_screen_has_more_charts_and_stays_there(size, number):
    async def scenario(operator):
        await charts_of(operator, "z")
        await operator.until(lambda: len(shown(operator)) == number, "more charts")
        await operator.press("enter")
        await operator.until(lambda: len(shown(operator)) == 1, "one chart")
        await operator.press("enter")
        await operator.until(lambda: len(shown(operator)) == number, "more charts again")
        assert operator.run_screen.is_zoomed

    at_console(scenario, federation(), size=size)


# --- what changes


def test_clients_that_are_marked_are_the_ones_overlaid():
    async def scenario(operator):
        await charts_of(operator, *["right"] * TITLES.index("Client loss"))
        await seen(operator, "Client loss, 6 of 9 clients")
        operator.app.source.liveness = Liveness.ENDED  # nothing but the marks changes any more
        await operator.press("1", "home", "space", "2")
        await seen(operator, "Client loss, 1 of 9 clients")

    at_console(scenario, federation(clients=9))


def test_a_new_round_is_drawn_by_itself():
    async def scenario(operator):
        stage = operator.app.source
        await charts_of(operator)
        for number in (6, 7, 8):
            stage.tell(round_done(number), at=4.0 * number)
            operator.run_screen.look()
        await seen(operator, "━ 0.8889")

    at_console(scenario, federation())


def test_a_replay_that_jumps_back_shows_no_more_than_there_was():
    async def scenario(operator):
        stage = operator.app.source
        earlier = federation(rounds=2).view().snapshot
        stage.liveness = Liveness.REPLAY
        await charts_of(operator)
        stage.go_back_to(earlier)
        operator.run_screen.look()
        await seen(operator, "━ 0.6667")

    at_console(scenario, federation())


def test_nothing_is_drawn_where_nothing_has_changed():
    async def scenario(operator):
        await charts_of(operator)
        await seen(operator, "━ 0.8333")
        drawn = []
        draw = marked(operator).draw
        marked(operator).draw = lambda *arguments: drawn.append(arguments) or draw(*arguments)
        marked(operator).update_picture()
        assert len(drawn) == 1
        for _ in range(3):
            operator.app.source.wait(1.0)
            pane_of(operator).show(operator.app.source.view())
            marked(operator).update_picture()
        assert len(drawn) == 1

    at_console(scenario, federation())


@pytest.mark.parametrize(
    ("terminal", "mark"),
    [(Terminal(has_unicode=False), "*"), (Terminal(colours=Colours.NONE), "*")],
)
def test_curves_are_told_apart_on_a_poor_terminal(terminal, mark):
    async def scenario(operator):
        await charts_of(operator, *["right"] * TITLES.index("Client loss"))
        await seen(operator, f"{mark} 1 1.5000")

    at_console(scenario, federation(), terminal=terminal)


# --- files


def test_saves_every_chart_that_has_something_to_show(tmp_path):
    stage = federation()
    stage.run_dir = tmp_path
    files = save_charts(stage.view())
    assert [file.name for file in files] == [
        f"{chart.name}.svg" for chart in CHARTS if chart.name != "similarity"
    ]
    for file in files:
        text = file.read_text()
        assert text.startswith("<svg")
        assert tmp_path.name in text
        assert "http" not in text.replace("http://www.w3.org", "")
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "plots", *files])


def test_a_disk_without_room_is_told_and_keeps_the_files_of_before(tmp_path):
    stage = federation()
    stage.run_dir = tmp_path
    files = save_charts(stage.view())
    before = [file.read_bytes() for file in files]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunDirectoryError, match="plots: the charts are not saved: File too large"):
            save_charts(stage.view())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.read_bytes() for file in files] == before
    assert sorted((tmp_path / "plots").iterdir()) == sorted(files)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    stage = federation()
    stage.run_dir = tmp_path / RUN
    with pytest.raises(RunDirectoryError, match="plots: the charts are not saved: No such file"):
        save_charts(stage.view())
