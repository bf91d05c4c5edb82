"""The timeline on a screen: it follows, lets go, is filtered, and leads to logs."""

import time

import pytest
from textual.events import MouseScrollDown, MouseScrollUp

from engine import telemetry as t
from flconsole.tui.panes.timeline import TimelinePane, TimelineView
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, back, lost, run_started
from tests.flconsole.recording import START, accepted, exited, finished, joined, opened, started

DAY_S = 86_400
sizes = pytest.mark.parametrize("size", SIZES)


def round_of(number):
    return [opened(number, "12"), accepted("1", number), accepted("2", number), finished(number, 2, 0.5)]


def a_run(rounds=3, **options):
    """Two clients, some rounds, and one of each kind of trouble."""
    processes = [started(f"client-{name}", "client", 100, name) for name in "12"]
    stage = Stage(run_started(), *processes, joined("1", 0), joined("2", 1), **options)
    for number in range(1, rounds + 1):
        stage.tell(*round_of(number), at=10 * number)
    stage.tell(lost("1"), at=10 * rounds + 1)
    stage.tell(back("1"), at=10 * rounds + 2)
    stage.tell(t.Command(command="set", arguments={"quorum": 2}, ok=True, answer="from now on"))
    stage.tell(exited("client-2", 100, code=1, reason="exit code 1: MemoryError"))
    return stage


class Timeline:
    """The pane, as the operator sees and uses it."""

    def __init__(self, operator):
        self.operator = operator
        self.pane = operator.run_screen.query_one(TimelinePane)
        self.list = operator.run_screen.query_one(TimelineView)

    async def tell(self, *events, at=None):
        self.operator.run_screen.source.tell(*events, at=at)
        self.operator.run_screen.look()
        await self.operator.pilot.pause()

    @property
    def rows(self):
        region = self.pane.region
        strips = self.operator.app.screen._compositor.render_strips()[region.y : region.bottom]
        return [strip.crop(region.x, region.right).text.rstrip() for strip in strips]

    @property
    def title(self):
        return self.rows[0].strip("─━ ")

    @property
    def texts(self):
        """The entries in view, without their times."""
        return [row[len("12:00:00 ") :].rstrip("█▁▂▃▄▅▆▇│ ") for row in self.rows[1:] if row.strip("█│ ")]

    @property
    def at_cursor(self):
        return self.pane.chosen.text


def on_screen(check, stage, *, size=SIZES[0]):
    async def scenario(operator):
        await operator.press("4")
        await check(Timeline(operator))

    at_console(scenario, stage, size=size)


# --- what is shown


@sizes
def test_each_entry_has_its_time_a_glyph_and_a_sentence(size):
    async def check(timeline):
        assert timeline.title == "4 Timeline: 10 · 1 error · 1 warning"
        assert timeline.texts[-4:] == [
            "▲ client 1 lost: silent for 15 s",
            "· client 1 is back after 1.00 s",
            "◆ operator: set quorum=2: from now on",
            "✗ client-2 ended: exit code 1: MemoryError",
        ]
        clock = time.strftime("%H:%M:%S", time.localtime(START + 31))
        assert any(row.startswith(f"{clock} ▲ client 1 lost") for row in timeline.rows)

    on_screen(check, a_run(), size=size)


def test_levels_and_rounds_are_told_apart_by_colour_too():
    async def check(timeline):
        styles = {}
        for index, entry in enumerate(timeline.list.shown):
            line = timeline.list.draw_line(index, 80)
            styles[entry.text] = line.get_style_at_offset(timeline.operator.app.console, len(line.plain) - 1)
        assert styles["client-2 ended: exit code 1: MemoryError"].color.name == "red"
        assert styles["client 1 lost: silent for 15 s"].color.name == "yellow"
        assert styles["client 1 is back after 1.00 s"].color is None
        assert next(style for text, style in styles.items() if text.startswith("round 3")).dim

    on_screen(check, a_run())


def test_a_run_of_several_days_has_dates():
    async def check(timeline):
        date = time.strftime("%m-%d %H:%M:%S", time.localtime(START + 2 * DAY_S))
        assert any(row.startswith(f"{date} · client 3 joined") for row in timeline.rows)

    stage = a_run()
    stage.tell(joined("3", 2), at=2 * DAY_S)
    on_screen(check, stage)


def test_what_happens_again_and_again_is_counted():
    async def check(timeline):
        assert "▲ update of client 1 rejected: duplicate ×3" in timeline.texts  # noqa: RUF001

    rejected = t.UpdateRejected(client="1", round=3, reason="duplicate")
    stage = a_run()
    stage.tell(rejected, rejected, rejected)
    on_screen(check, stage)


def test_without_entries_no_key_does_harm():
    async def check(timeline):
        assert timeline.title == "4 Timeline: 0"
        await timeline.operator.press("up", "end", "enter", "f", "v", "pagedown")
        assert timeline.pane.chosen is None

    on_screen(check, Stage())


def test_where_nothing_was_told_no_row_is_drawn_again():
    async def check(timeline):
        drawn = []
        timeline.list.render_line = lambda y: drawn.append(y) or TimelineView.render_line(timeline.list, y)
        await timeline.tell(t.Sample(processes={}), at=50)
        assert drawn == []
        await timeline.tell(joined("3", 2), at=51)
        assert drawn

    on_screen(check, a_run(rounds=1), size=(120, 40))


# --- following


@sizes
def test_it_follows_until_the_cursor_leaves_the_newest_entry(size):
    async def check(timeline):
        await timeline.tell(joined("3", 2), at=100)
        assert timeline.at_cursor == timeline.list.entries[-1].text == "client 3 joined from here, part 2"

        await timeline.operator.press("up", "up")
        here = timeline.at_cursor
        texts = timeline.texts
        for number in range(4, 9):
            await timeline.tell(*round_of(number), at=100 + number)
        assert timeline.at_cursor == here
        assert timeline.texts == texts
        assert "5 new (f follows)" in timeline.title

        await timeline.operator.press("end")
        assert "new" not in timeline.title
        await timeline.tell(joined("4", 3), at=200)
        assert timeline.at_cursor == "client 4 joined from here, part 3"

    on_screen(check, a_run(rounds=30), size=size)


@sizes
def test_a_key_lets_it_go_and_follow_again(size):
    async def check(timeline):
        await timeline.operator.press("f")
        here = timeline.at_cursor
        await timeline.tell(joined("3", 2), at=100)
        assert timeline.at_cursor == here
        assert "1 new" in timeline.title
        await timeline.operator.press("f")
        assert timeline.at_cursor == "client 3 joined from here, part 2"

    on_screen(check, a_run(), size=size)


def test_the_wheel_moves_it_as_the_keys_do():
    async def check(timeline):
        def turn(kind):
            timeline.list.post_message(
                kind(
                    None,
                    1,
                    1,
                    0,
                    0,
                    0,
                    shift=False,
                    meta=False,
                    ctrl=False,
                    screen_x=1,
                    screen_y=1,
                    style=None,
                )
            )

        turn(MouseScrollUp)
        await timeline.operator.pilot.pause()
        assert not timeline.list.is_following
        turn(MouseScrollDown)
        await timeline.operator.pilot.pause()
        assert timeline.list.is_following

    on_screen(check, a_run(rounds=30))


def test_entries_that_are_replaced_do_not_move_the_cursor_to_another():
    async def check(timeline):
        await timeline.tell(opened(31, "12"), joined("3", 2), at=400)
        await timeline.operator.press("home")
        oldest = timeline.at_cursor
        await timeline.tell(accepted("1", 31), finished(31, 1, 0.5), at=410)
        assert timeline.at_cursor == oldest

    on_screen(check, a_run(rounds=30))


def test_after_a_jump_back_in_a_replay_it_shows_what_was_then():
    async def check(timeline):
        stage = timeline.operator.run_screen.source
        earlier = stage.view().snapshot
        await timeline.tell(joined("3", 2), at=100)
        stage.go_back_to(earlier)
        timeline.operator.run_screen.look()
        await timeline.operator.pilot.pause()
        assert timeline.at_cursor == earlier.timeline.entries[-1].text

    on_screen(check, a_run())


# --- filtering


@sizes
def test_words_filter_while_they_are_typed(size):
    async def check(timeline):
        await timeline.operator.press("slash")
        await timeline.operator.write("client.1")
        assert timeline.texts == [
            "· client 1 joined from here, part 0",
            "▲ client 1 lost: silent for 15 s",
            "· client 1 is back after 1.00 s",
        ]
        await timeline.operator.press("enter")
        assert timeline.title == "4 Timeline: 3 of 10 · filter: client.1 · 1 warning"
        assert timeline.list.has_focus

        await timeline.operator.press("slash")
        await timeline.operator.write(" !lost")
        assert not any("lost" in text for text in timeline.texts)
        await timeline.operator.press("escape")
        assert any("lost" in text for text in timeline.texts)

        await timeline.operator.press("slash", *["backspace"] * 14, "enter")
        assert timeline.title == "4 Timeline: 10 · 1 error · 1 warning"

    on_screen(check, a_run(), size=size)


@sizes
def test_a_key_goes_through_the_kinds(size):
    async def check(timeline):
        seen = []
        for _ in range(7):
            await timeline.operator.press("v")
            seen.append((timeline.list.filter.choice, len(timeline.list.shown)))
        assert seen == [
            ("warnings and errors", 2),
            ("all but rounds", 7),
            ("run", 1),
            ("rounds", 3),
            ("clients", 5),
            ("operator", 1),
            ("everything", 10),
        ]
        await timeline.operator.press("v")
        assert timeline.title == "4 Timeline: 2 of 10 · warnings and errors · 1 error · 1 warning"

    on_screen(check, a_run(), size=size)


def test_filtered_it_follows_what_passes_the_filter():
    async def check(timeline):
        await timeline.operator.press("v")
        await timeline.tell(*round_of(4), at=100)
        assert len(timeline.list.shown) == 2
        await timeline.tell(lost("2"), at=101)
        assert timeline.at_cursor == "client 2 lost: silent for 15 s"

    on_screen(check, a_run())


def test_a_strange_filter_is_text_and_nothing_else():
    async def check(timeline):
        await timeline.operator.press("slash")
        await timeline.operator.write("[red](")
        await timeline.operator.press("enter")
        assert "filter: [red](" in timeline.title
        assert timeline.texts == []

    on_screen(check, a_run())


# --- where it leads


@sizes
def test_enter_opens_the_log_of_the_process_at_that_time(size, tmp_path):
    def stamped(second, text):
        return time.strftime(f"%Y-%m-%d %H:%M:%S,000 INFO    {text}\n", time.localtime(START + second))

    async def check(timeline):
        await timeline.operator.press("end", "enter")
        await timeline.operator.until(lambda: "3 Logs client-2" in timeline.operator.screen, "its log")
        await timeline.operator.until(lambda: "what came before" in timeline.operator.screen, "its lines")
        assert "long after" not in timeline.operator.screen
        assert timeline.operator.run_screen.active_pane == "logs"

    (tmp_path / "logs").mkdir()
    lines = [stamped(31.0, "what came before"), *(stamped(32 + n, f"later {n}") for n in range(100))]
    (tmp_path / "logs" / "client-2.log").write_text("".join([*lines, stamped(500, "long after")]))
    on_screen(check, a_run(run_dir=tmp_path), size=size)


def test_an_entry_whose_process_has_no_log_opens_all_logs_merged(tmp_path):
    async def check(timeline):
        await timeline.operator.press("home", "enter")
        await timeline.operator.until(lambda: "3 Logs merged" in timeline.operator.screen, "the logs")

    on_screen(check, a_run(run_dir=tmp_path))
