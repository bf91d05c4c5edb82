"""What reaches the terminal: nothing it cannot show, nothing a run slips in, nothing when nothing is new."""

import itertools
import re
import time

import pytest

from engine.config import RunConfig
from tests.console.pty.conftest import headless
from tests.console.pty.harness import ALT_SCREEN_OFF, ALT_SCREEN_ON, wait_until
from tests.flconsole.recording import RUN, SERVER_EVENTS, SUPERVISOR_EVENTS, record

pytestmark = pytest.mark.broker

EVERYTHING = ("2", "3", "4", "1", "?", "\x1b", ":", "\x1b")
"""Each pane, then two dialogs and back."""
SGR = re.compile(rb"\x1b\[([0-9;]*)m")
FOREGROUND = {"38", *map(str, range(30, 38)), *map(str, range(90, 98))}
BACKGROUND = {"48", *map(str, range(40, 48)), *map(str, range(100, 108))}


def look_at_everything(terminal):
    for key in EVERYTHING:
        before = len(terminal.output)
        terminal.press(key)
        wait_until(lambda start=before: len(terminal.output) > start, f"an answer to {key!r}")
        settle(terminal)


def settle(terminal, quiet_s=0.2):
    """Waits until nothing more is drawn for a moment."""
    seen, since = len(terminal.output), time.monotonic()
    deadline = since + 20.0
    while time.monotonic() - since < quiet_s:
        assert time.monotonic() < deadline, "it never stops drawing"
        time.sleep(0.02)
        if len(terminal.output) != seen:
            seen, since = len(terminal.output), time.monotonic()


def styles(terminal):
    """The parameters of every sequence that sets a style."""
    return [match[1].decode().split(";") for match in SGR.finditer(bytes(terminal.output))]


@pytest.fixture
def ended_run(tmp_path):
    """A run that is over: nothing about it changes any more."""
    path = tmp_path / RUN
    (path / "logs").mkdir(parents=True)
    (path / "config.toml").write_text(RunConfig(run_id=RUN, rounds=3, dataset="digits").to_toml())
    record(path / "events.jsonl", "server", SERVER_EVENTS)
    record(path / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS)
    return path


@pytest.mark.parametrize(("command", "keys"), [("attach", ""), ("replay", "p")])
def test_nothing_is_sent_while_nothing_changes(open_terminal, ended_run, command, keys):
    terminal = open_terminal(command, str(ended_run), columns=120, rows=40)
    terminal.wait_for(r"round +\d")
    terminal.press(keys)  # a replay plays until it is paused
    settle(terminal, quiet_s=1.0)
    before = len(terminal.output)

    time.sleep(2.0)  # the time is what this is about

    assert bytes(terminal.output[before:]) == b""


def test_without_utf_8_only_ascii_is_sent(attach, ended_run):
    terminal = attach(ended_run, env={"LC_ALL": "C"}, columns=120, rows=40)
    look_at_everything(terminal)
    terminal.press("d")
    assert terminal.exit_code() == 0

    assert sorted({byte for byte in terminal.output if byte > 126}) == []


def test_no_color_means_no_colour(attach, ended_run):
    terminal = attach(ended_run, env={"NO_COLOR": "1", "COLORTERM": "truecolor"}, columns=120, rows=40)
    look_at_everything(terminal)

    used = set(itertools.chain(*styles(terminal)))
    assert used & (FOREGROUND | BACKGROUND | {"39", "49"}) == set()
    assert "7" in used  # what is chosen is in reverse instead


def test_with_colours_nothing_is_drawn_in_the_colour_of_its_background(attach, ended_run):
    terminal = attach(ended_run, env={"TERM": "xterm", "COLORTERM": None}, columns=120, rows=40)
    look_at_everything(terminal)

    assert {"38", "48"} & set(itertools.chain(*styles(terminal))) == set()  # sixteen, and no more
    both = [(set(style) & FOREGROUND, set(style) & BACKGROUND) for style in styles(terminal)]
    assert [pair for pair in both if {str(int(colour) + 10) for colour in pair[0]} & pair[1]] == []


def test_what_a_client_writes_into_its_log_cannot_command_the_terminal(attach, run):
    terminal = attach(columns=120, rows=40)
    with (run.path / "logs" / "client-1.log").open("a") as log:
        log.write("\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b]0;evil\x07\x9b2J the end of evil\n")

    terminal.press("3")
    terminal.press("z")
    terminal.wait_for("the end of evil")

    written = bytes(terminal.output)
    assert b"\x1b]52" not in written
    assert b"\x1b[2J" not in written
    assert b"\x1b]0;" not in written
    assert "\x9b".encode() not in written


def test_a_small_terminal_shows_one_pane_at_a_time(attach):
    terminal = attach(columns=60, rows=20)

    for key, title in [("2", "2 Charts"), ("3", "3 Logs"), ("4", "4 Timeline"), ("1", "1 Clients")]:
        terminal.press(key)
        whole = rf"\A.*\n.*round +\d.*\n.*\n.*{title}(.*\n)+.*\? Help\Z"
        terminal.wait_for(whole)


def test_the_size_is_the_terminals_whatever_the_environment_says(attach):
    terminal = attach(columns=60, rows=20, env={"COLUMNS": "120", "LINES": "40"})

    terminal.resize(90, 30)

    terminal.wait_for(r"\A(.*\n){29}.*\? Help\Z")


def test_a_storm_of_sizes_ends_in_a_whole_screen(attach):
    terminal = attach(env={"COLUMNS": "80", "LINES": "24"})
    for number in range(200):
        terminal.resize(40 + number % 120, 10 + number % 50)
    before = len(terminal.output)

    terminal.resize(100, 30)

    terminal.wait_for(r"\A.*\n.*round +\d(.*\n){28}.*\? Help\Z", since=before)
    lines = terminal.screen(since=before).splitlines()
    assert [line[:2] for line in lines].count("━1") == 1
    terminal.press("d")
    assert terminal.exit_code() == 0


def test_over_ssh_the_window_is_named_after_the_host(attach, ended_run):
    terminal = attach(ended_run, env={"SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22"})

    title = re.search(rb"\x1b\]2;([^\x07]*)\x07", terminal.output)[1].decode()
    assert title.startswith(f"flconsole {RUN} on ")
    terminal.wait_for("ssh -C")


def test_a_terminal_that_can_draw_nothing_is_refused(open_terminal, ended_run):
    terminal = open_terminal("attach", str(ended_run), env={"TERM": "dumb"})

    assert terminal.exit_code() == 2
    assert b"error: TERM=dumb: no screen can be drawn here; use `flconsole run --headless`" in terminal.output
    assert b"\x1b" not in terminal.output


def test_without_a_terminal_a_run_is_headless(run, tmp_path):
    settings = ("--trainer", "null", "--clients", "1", "--rounds", "1", "--runs-dir", str(tmp_path))

    done = headless("run", *settings, env=run.env)

    assert done.returncode == 0
    assert b"finished after 1 rounds" in done.stderr
    assert ALT_SCREEN_ON not in done.stdout + done.stderr
    assert ALT_SCREEN_OFF not in done.stdout + done.stderr
