"""The logs on the screen: every key, and nothing of a log that a terminal would obey."""

import asyncio
import base64
import re
import resource
import time
from contextlib import asynccontextmanager, contextmanager

import pytest
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Paste

from flconsole.logs import store as log_store
from flconsole.tui.app import ConsoleApp
from flconsole.tui.log_view import LogView
from flconsole.tui.panes import logs as logs_pane
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.style import process_style
from flconsole.tui.view import Liveness
from tests.console.staging import Stage

SIZES = [(80, 24), (120, 40)]
"""Every action is tried at both; what does not depend on the size, at the first."""
SMALL = (80, 24)
DAY = "2026-11-24"
NOON = time.mktime(time.strptime(f"{DAY} 12:00:00", "%Y-%m-%d %H:%M:%S"))


def stamped(second, text, level="INFO"):
    clock = time.strftime("%H:%M:%S", time.localtime(NOON + second))
    return f"{DAY} {clock},000 {level:<7} {text}"


class Logs:
    """The logs of a run, the console over them, and what its screen shows."""

    def __init__(self, run_dir, monkeypatch):
        self.stage, self.monkeypatch = Stage(run_dir=run_dir), monkeypatch
        self.folder = run_dir / "logs"
        self.folder.mkdir(parents=True)

    def write(self, name, *lines):
        with (self.folder / f"{name}.log").open("ab") as log:
            log.writelines(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines)

    @asynccontextmanager
    async def shown(self, size):
        app = ConsoleApp(self.stage)
        async with app.run_test(size=size) as self.pilot:
            await self.pilot.press("3")
            self.pane = app.screen.query_one(LogsPane)
            self.view = app.screen.query_one(LogView)
            count = sum(log.read_bytes().count(b"\n") for log in self.folder.glob("*.log"))
            if count:
                await self.until(lambda: self.view.lines)
            yield self

    async def until(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self.screen)
            await self.pilot.pause(0.02)

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text):
        """Puts a text into the line that has the focus; quicker than key by key."""
        self.pilot.app.post_message(Paste(text))
        await self.pilot.pause()

    @property
    def screen(self):
        """All rows of the screen."""
        return [strip.text for strip in self.pilot.app.screen._compositor.render_strips()]

    @property
    def rows(self):
        """What the log view shows, without its scroll bar."""
        region = self.view.content_region
        inner = slice(region.x, region.right - 1)
        return [row[inner].rstrip() for row in self.screen[region.y : region.bottom]]

    @property
    def title(self):
        return self.pane.border_title

    @property
    def notices(self):
        return [notice.message for notice in self.pilot.app._notifications]

    def styles_of(self, text):
        """The styles in which a text stands in the log view."""
        for y in range(self.view.size.height):
            for segment in self.view.render_line(y):
                if text in segment.text:
                    yield segment.style


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(log_store, "_POLL_S", 0.02)
    monkeypatch.setattr(logs_pane, "_LOOK_S", 0.02)
    for variable in ("TMUX", "STY"):
        monkeypatch.delenv(variable, raising=False)
    return Logs(tmp_path / "run", monkeypatch)


def on_screen(*sizes):
    """Runs an asynchronous test once for each size, inside `shown`."""

    def decorate(test):
        @pytest.mark.parametrize("size", sizes or SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
        def run(logs, size):
            async def play():
                prepare = getattr(test, "prepare", None)
                if prepare is not None:
                    prepare(logs)
                async with logs.shown(size):
                    await test(logs)

            asyncio.run(play())

        run.__name__ = test.__name__
        return run

    return decorate


def given_logs(prepare):
    def decorate(test):
        test.prepare = prepare
        return test

    return decorate


def a_long_log(logs):
    """More lines than any of the screens has rows."""
    logs.write("server", *(stamped(n, f"server: round {n}") for n in range(0, 120, 2)))
    logs.write("client-1", *(stamped(n, f"client-1: loss {n}") for n in range(1, 120, 2)))


def levels(logs):
    logs.write("server", *(stamped(n, f"server: {name} here", name) for n, name in enumerate(LEVELS)))


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@on_screen(*SIZES, (60, 20))
@given_logs(a_long_log)
async def test_the_newest_lines_of_all_processes_are_shown_each_with_its_process(logs):
    assert logs.rows[-1] == "client-1 12:01:59 INFO    loss 119"
    assert logs.rows[-2] == "server   12:01:58 INFO    round 118"
    assert "merged · following" in logs.title


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_what_is_written_is_followed(logs):
    logs.write("server", stamped(200, "server: the news"))
    await logs.until(lambda: "the news" in logs.rows[-1])


@on_screen()
@given_logs(a_long_log)
async def test_scrolling_up_lets_go_and_nothing_moves_any_more(logs):
    await logs.press("up")
    before = logs.rows
    assert "round 118" in before[-1]

    logs.write("server", stamped(200, "server: one"), stamped(201, "server: two"))
    await logs.until(lambda: "2 new (f follows)" in logs.title)
    assert logs.rows == before


@on_screen()
@given_logs(a_long_log)
async def test_following_again_takes_one_key(logs):
    for key in ("f", "end"):
        await logs.press("pageup")
        assert "following" not in logs.title
        await logs.press(key)
        assert "following" in logs.title
        assert "loss 119" in logs.rows[-1]


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_the_same_key_holds_what_is_shown(logs):
    await logs.press("f")
    logs.write("server", stamped(200, "server: one"))
    await logs.until(lambda: "1 new (f follows)" in logs.title)
    assert "loss 119" in logs.rows[-1]


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_scrolling_down_from_the_last_line_brings_what_came_since(logs):
    await logs.press("up")
    logs.write("server", stamped(200, "server: one"))
    await logs.until(lambda: "1 new" in logs.title)
    await logs.press("down", "down")

    assert "one" in logs.rows[-1]
    assert " · f follows" in logs.title


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_home_is_the_first_line_and_pages_overlap_nowhere(logs):
    await logs.press("home")
    assert "round 0" in logs.rows[0]
    last = logs.rows[-1]
    await logs.press("pagedown")
    number = int(re.search(r"\d+$", last)[0])
    assert logs.rows[0].endswith(f" {number + 1}")


@on_screen()
@given_logs(a_long_log)
async def test_left_and_right_go_through_the_processes_and_all_of_them(logs):
    seen = [logs.title.split(" · ")[0]]
    for _ in range(3):
        await logs.press("right")
        seen.append(logs.title.split(" · ")[0])
    await logs.press("left")
    seen.append(logs.title.split(" · ")[0])

    assert seen == [f"3 Logs {name}" for name in ("merged", "client-1", "server", "merged", "server")]
    assert logs.rows[-1] == "12:01:58 INFO    round 118"


@on_screen()
@given_logs(a_long_log)
async def test_another_log_is_shown_at_the_same_time(logs):
    await logs.press("home", *["down"] * 10)
    assert "round 10" in logs.rows[0]
    await logs.press("right")

    assert logs.rows[0] == "12:00:11 INFO    loss 11"


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_the_log_of_a_process_can_be_asked_for_at_a_moment(logs):
    logs.pane.show_moment("client-1", NOON + 51.5)
    await logs.pilot.pause()

    assert any(row.endswith("loss 51") for row in logs.rows)
    assert "client-1" in logs.title


def test_it_can_be_asked_for_before_any_log_was_read(logs):
    a_long_log(logs)

    async def play():
        app = ConsoleApp(logs.stage)
        async with app.run_test(size=SMALL) as logs.pilot:
            app.screen.activate("logs")
            app.screen.query_one(LogsPane).show_moment("client-1", NOON + 51.5)
            logs.view = app.screen.query_one(LogView)
            await logs.until(lambda: any(row.endswith("loss 51") for row in logs.rows))
            assert not logs.view.is_following

    asyncio.run(play())


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_a_process_that_has_written_nothing_has_an_empty_log(logs):
    logs.pane.show_process("client-7")
    await logs.pilot.pause()
    assert "client-7" in logs.title
    assert not any(logs.rows)

    logs.write("client-7", stamped(300, "client-7: hello"))
    await logs.until(lambda: logs.rows[0].endswith("hello") or logs.rows[-1].endswith("hello"))


@on_screen()
@given_logs(levels)
async def test_the_level_goes_through_its_values(logs):
    shown = {}
    for _ in range(4):
        await logs.press("v")
        shown[logs.title.partition("from ")[2]] = sum("here" in row for row in logs.rows)

    assert shown == {"INFO": 4, "WARNING": 3, "ERROR": 2, "": 5}


@on_screen()
@given_logs(a_long_log)
async def test_a_filter_is_seen_while_it_is_typed_and_escape_takes_it_back(logs):
    await logs.press("&")
    await logs.type("loss 1[01]")
    assert [row.split()[-1] for row in logs.rows if row] == ["11", *map(str, range(101, 120, 2))]
    await logs.press("escape")
    assert "round 118" in logs.rows[-2]
    assert "&" not in logs.title


@on_screen(*SIZES, (60, 20))
@given_logs(a_long_log)
async def test_a_filter_holds_for_what_is_written_later(logs):
    await logs.press("&")
    await logs.type("round")
    await logs.press("enter")
    assert "& round" in logs.title
    logs.write("client-1", stamped(200, "client-1: not this"))
    logs.write("server", stamped(201, "server: round 200"))
    await logs.until(lambda: "round 200" in logs.rows[-1])

    assert not any("loss" in row or "not this" in row for row in logs.rows)


@on_screen(SMALL)
@given_logs(lambda logs: logs.write("server", stamped(0, "server: " + "a" * 60 + "!")))
async def test_a_regular_expression_that_does_not_come_to_an_end_is_given_up(logs):
    for key in ("ampersand", "slash"):
        await logs.press(key)
        await logs.type("(a+)+$")
        assert any("too slow" in row for row in logs.screen)
        await logs.press("enter")
        assert "too slow" in logs.notices[-1]
        assert "(a+)+$" not in logs.title
        assert logs.view.lines


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_what_is_no_regular_expression_says_why_and_the_old_filter_stays(logs):
    await logs.press("&")
    await logs.type("round")
    await logs.press("enter", "&")
    await logs.type("(")
    assert any("bad regex" in row for row in logs.screen)
    await logs.press("enter")

    assert "& round" in logs.title
    assert "bad regex" in logs.notices[-1]


@on_screen()
@given_logs(a_long_log)
async def test_a_search_goes_to_the_newest_match_while_it_is_typed(logs):
    await logs.press("/")
    await logs.type("loss 5")
    assert any(row.endswith("loss 59") for row in logs.rows)
    await logs.press("enter")

    assert "/ loss 5 6 of 6" in logs.title
    assert "following" not in logs.title


@on_screen()
@given_logs(a_long_log)
async def test_the_next_match_and_the_one_before_go_on_at_the_other_end_and_say_so(logs):
    await logs.press("/")
    await logs.type("loss 5")
    await logs.press("enter", "N")
    assert "5 of 6" in logs.title
    assert any(row.endswith("loss 57") for row in logs.rows)
    await logs.press("n", "n")
    assert "1 of 6" in logs.title
    assert any(row.endswith("loss 5") for row in logs.rows)
    assert "first line" in logs.notices[-1]
    await logs.press("N")
    assert "6 of 6" in logs.title
    assert "last line" in logs.notices[-1]


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_escape_ends_a_search_where_it_began(logs):
    before = logs.rows
    await logs.press("/")
    await logs.type("loss 5")
    assert logs.rows != before
    await logs.press("escape")

    assert logs.rows == before
    assert "following" in logs.title


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_what_is_nowhere_is_said_to_be(logs):
    await logs.press("n")
    assert "nothing is searched for" in logs.notices[-1]
    await logs.press("/")
    await logs.type("nowhere")
    assert any("no line matches" in row for row in logs.screen)
    await logs.press("enter", "n")
    assert "no line matches" in logs.notices[-1]


@on_screen()
@given_logs(a_long_log)
async def test_matches_are_told_from_the_rest_and_the_one_gone_to_from_the_others(logs):
    await logs.press("/")
    await logs.type("loss 5")
    await logs.press("enter")

    styles = list(logs.styles_of("loss 5"))
    assert len(styles) > 1
    assert all(style.reverse for style in styles)
    assert [bool(style.underline) for style in styles].count(True) == 1
    assert not any(style.reverse for style in logs.styles_of("round"))


@on_screen(*SIZES, (60, 20))
@given_logs(
    lambda logs: logs.write(
        "server", *(stamped(n, f"server: {n:03} " + "x" * 300 + f" end{n:03}") for n in range(40))
    )
)
async def test_long_lines_are_cut_or_wrapped(logs):
    assert logs.rows[-1].endswith("…")
    await logs.press("w")
    assert logs.rows[-1].endswith("end039")
    assert sum(row.endswith(f"end{n:03}") for row in logs.rows for n in range(40)) < len(logs.rows) / 2
    await logs.press("home", "w")
    assert logs.rows[0].startswith("server 12:00:00 INFO    000")


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_each_process_has_its_colour_and_each_level_its_own(logs):
    logs.write("client-2", stamped(300, "client-2: bad", "ERROR"))
    await logs.until(lambda: "bad" in logs.rows[-1])

    (error,) = logs.styles_of("bad")
    assert error.color.name == "red"
    for name in ("client-1", "client-2"):
        assert {style.color for style in logs.styles_of(name)} == {process_style(name).color}


@on_screen()
@given_logs(a_long_log)
async def test_the_lines_shown_are_written_to_a_file(logs):
    await logs.press("&")
    await logs.type("loss 11")
    await logs.press("enter", "W")
    await logs.until(lambda: logs.notices)

    (path,) = (logs.folder.parent / "views").iterdir()
    assert path.name.startswith("merged-")
    assert path.read_text().splitlines()[0] == f"client-1 | {stamped(11, 'client-1: loss 11')}"
    assert logs.notices[-1] == f"6 lines are in {path}"


@contextmanager
def largest_file(size):
    """As a full disk: what is longer cannot be written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_where_there_is_no_room_that_is_one_clear_error_and_no_file(logs):
    with largest_file(100):
        await logs.press("W")
        await logs.until(lambda: logs.notices)

    (notice,) = logs.notices
    assert "is not written: File too large" in notice
    assert list((logs.folder.parent / "views").iterdir()) == []


@on_screen()
@given_logs(a_long_log)
async def test_what_is_in_view_is_copied_whole(logs):
    sent = []
    logs.monkeypatch.setattr(HeadlessDriver, "write", lambda _driver, data: sent.append(data))
    await logs.press("y")
    await logs.until(lambda: logs.notices)

    (sequence,) = sent
    copied = base64.b64decode(re.fullmatch(r"\x1b\]52;c;(.*)\x07", sequence)[1]).decode().splitlines()
    assert len(copied) == len(logs.rows)
    assert copied[-1] == f"client-1 | {stamped(119, 'client-1: loss 119')}"


@on_screen(SMALL)
@given_logs(lambda logs: logs.write("server", *(stamped(n, "x" * 5000) for n in range(60))))
async def test_what_is_too_much_for_a_clipboard_goes_to_a_file(logs):
    await logs.press("z", "y")
    await logs.until(lambda: logs.notices)

    (path,) = (logs.folder.parent / "views").iterdir()
    assert "more than terminals take" in logs.notices[-1]
    assert str(path) in logs.notices[-1]
    assert path.read_text().count("\n") >= 16


def a_replay(logs):
    a_long_log(logs)
    logs.stage.liveness, logs.stage.now = Liveness.REPLAY, NOON + 31.5


@on_screen()
@given_logs(a_replay)
async def test_a_replay_shows_what_was_written_until_its_moment(logs):
    assert logs.rows[-1].endswith("loss 31")
    logs.stage.now = NOON + 40.5
    await logs.until(lambda: logs.rows[-1].endswith("round 40"))
    logs.stage.now = NOON + 3.5
    await logs.until(lambda: any(row.endswith("loss 3") for row in logs.rows))
    assert not any(row.endswith("round 4") for row in logs.rows)


def a_large_replay(logs):
    logs.monkeypatch.setattr(log_store, "_FIRST_BYTES", 20_000)
    logs.write("server", *(stamped(n, f"server: round {n}") for n in range(5000)))
    logs.stage.liveness, logs.stage.now = Liveness.REPLAY, NOON + 4000.5


@on_screen(SMALL)
@given_logs(a_large_replay)
async def test_a_replay_finds_its_moment_in_logs_that_are_too_large_to_be_kept(logs):
    for second in (4000, 10, 4999, 2500):
        logs.stage.now = NOON + second + 0.5
        await logs.until(lambda second=second: any(row.endswith(f" round {second}") for row in logs.rows))
        assert not any(row.endswith(f" round {second + 1}") for row in logs.rows)


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_where_nothing_is_written_nothing_is_drawn(logs):
    logs.stage.liveness = Liveness.ENDED
    await logs.until(lambda: logs.pilot.app.screen.view.liveness is Liveness.ENDED)
    await logs.pilot.pause()
    drawn, looks = [], logs.pane._looks
    logs.view.render_line = drawn.append
    await logs.until(lambda: logs.pane._looks > looks + 5)

    assert drawn == []


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_a_pane_that_was_hidden_catches_up(logs):
    await logs.press("2", "z")
    logs.write("server", stamped(200, "server: meanwhile"))
    await logs.until(lambda: len(logs.pane._store.since("server", 0).lines) == 61)
    assert not any("meanwhile" in line.text for line in logs.view.lines)
    await logs.press("3")
    await logs.until(lambda: "meanwhile" in logs.rows[-1])


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_keys_of_the_console_are_letters_while_one_types(logs):
    await logs.press("/")
    await logs.press(*"qdfvx&n1", "space", *"zW", "enter")

    assert logs.pilot.app.is_running
    assert "/ qdfvx&n1 zW" in logs.title
    assert "from" not in logs.title
    assert logs.pilot.app.focused is logs.view


@on_screen(SMALL)
@given_logs(a_long_log)
async def test_lines_that_are_not_in_memory_any_more_are_counted_and_found(logs):
    logs.pane._store._merged.resize(50, 1_000_000)
    logs.write("server", *(stamped(200 + n, f"server: late {n}") for n in range(10)))
    await logs.until(lambda: "late 9" in logs.rows[-1])
    await logs.press("home")

    assert logs.rows[0] == "80 older lines are in logs/"


EVIL = [
    b"\x1b]52;c;ZXZpbA==\x07",
    b"\x1b]0;evil title\x07",
    b"\x1b[2J\x1b[H\x1b[31mred",
    b"\x1bP+q544e\x1b\\",
    "\x9b2J\x9d0;x\x9c".encode(),
    b"\x9b2J",
    "\u202eevil\u2066 \u200f\u061c".encode(),
    b"nul \x00 \xff\xfe\xc3",
    b"\x0b\x0c\x08\x7f\r over",
    b"y" * 9000,
    "日本語 👩‍👩‍👧 é".encode(),
    b"[bold red]no markup[/bold red] [link=x]",
]


@on_screen((60, 20), (120, 40))
@given_logs(lambda logs: logs.write("evil\x1b[2J[red]", *(line + b"\n" for line in EVIL)))
async def test_nothing_of_a_log_is_an_order_to_the_terminal(logs):
    await logs.press("z")
    for keys in ("w", "right", "W"):
        await logs.press(keys)
        shown = "".join(logs.screen) + logs.title + "".join(logs.notices)
        assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown)
    await logs.until(lambda: logs.notices)
    (path,) = (logs.folder.parent / "views").iterdir()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", path.read_text())
    assert r"\x1b]52;c;ZXZpbA==\x07" in path.read_text()
    assert "[bold red]no markup[/bold red]" in path.read_text()
