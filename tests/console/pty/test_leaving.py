"""Whichever way the console ends, the terminal is as it was, and the run does not notice."""

import os
import re
import shlex
import shutil
import signal
import sys

import psutil
import pytest

from tests.console.pty.harness import ALT_SCREEN_OFF, COMMAND, RESTORED, wait_until

pytestmark = pytest.mark.broker


def assert_restored(terminal, since):
    """The terminal was given back, once, and nothing but plain text came after it."""
    end = bytes(terminal.output[since:])
    assert [mode for mode in RESTORED if mode not in end] == []
    after = end.rpartition(ALT_SCREEN_OFF)[2]
    assert b"Traceback" not in after
    return after


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_detaches(attach, run, signum):
    supervisor, terminal = run.supervisor, attach()
    before = len(terminal.output)

    terminal.kill(signum)

    assert terminal.exit_code() == 128 + signum
    after = assert_restored(terminal, before)
    assert f"detached from {run.path.name}; it goes on: flconsole attach {run.path}\r\n".encode() in after
    assert run.supervisor == supervisor


def test_a_signal_that_comes_while_the_screen_is_taken_finds_it_given_back(open_terminal, run):
    terminal = open_terminal("attach", str(run.path))
    wait_until(lambda: terminal.output, "the first byte")  # nothing is mounted yet, still less drawn

    terminal.kill(signal.SIGTERM)

    assert terminal.exit_code() == 128 + signal.SIGTERM
    assert_restored(terminal, 0)


def test_the_console_can_be_killed(attach, run):
    supervisor, terminal = run.supervisor, attach()
    processes = run.processes()

    terminal.kill(signal.SIGKILL)

    assert terminal.exit_code() == -signal.SIGKILL
    assert run.supervisor == supervisor
    assert [process for process in processes if not process.is_running()] == []
    attach()


def test_a_terminal_that_hangs_up_ends_the_console_and_nothing_else(attach, run):
    supervisor, terminal = run.supervisor, attach()

    terminal.hang_up()

    assert terminal.exit_code() == 128 + signal.SIGHUP
    assert run.supervisor == supervisor


def test_a_hang_up_that_no_signal_tells_of_is_noticed_too(run, open_terminal, tmp_path):
    code = tmp_path / "code"
    script = f"trap '' HUP; \"$@\"; echo $? >{shlex.quote(str(code))}"
    shell = ("/bin/sh", "-c", script, "sh", *COMMAND)  # it alone would get the signal
    terminal = open_terminal("attach", str(run.path), command=shell)
    terminal.wait_for("Help")

    terminal.hang_up()

    wait_until(lambda: code.exists() and code.read_text() == "129\n", "the console has ended")


def test_keys_detach(attach, run):
    terminal = attach()
    before = len(terminal.output)

    terminal.press("d")

    assert terminal.exit_code() == 0
    assert b"it goes on" in assert_restored(terminal, before)


def test_control_q_asks_first(attach, run):
    terminal = attach()

    terminal.press("\x11")
    terminal.wait_for("Stop the run")
    terminal.press("\x1b")
    wait_until(lambda: "Stop the run" not in terminal.screen(), "the question is gone")
    terminal.press("d")

    assert terminal.exit_code() == 0


def test_control_c_while_a_run_is_started_leaves_nothing_behind(run, open_terminal, tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    settings = ("run", "--trainer", "null", "--runs-dir", str(tmp_path / "runs"))
    terminal = open_terminal(*settings, command=(sys.executable, str(tmp_path / "waiting.py")))
    wait_until(lambda: b"waiting for" in terminal.output, "the supervisor is being started")
    starter = int(re.search(rb"waiting for (\d+)", terminal.output)[1])

    terminal.press("\x03")

    assert terminal.exit_code() == 130
    assert [p for p in psutil.process_iter() if _session_of(p.pid) == starter] == []
    assert list((tmp_path / "runs").iterdir()) == []


def _session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


WAITING = """
from flconsole import cli, detached

def select(*arguments):
    print("waiting for", starters[0].pid, flush=True)
    return waiting(*arguments)

class Popen(detached.subprocess.Popen):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        starters.append(self)

starters = []
waiting, detached.select.select = detached.select.select, select
detached.subprocess.Popen = Popen
cli.main()
"""


def test_control_z_gives_the_terminal_back_to_the_shell_and_fg_brings_the_console_back(run, open_terminal):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash, whose jobs this is about")
    terminal = open_terminal(command=(bash, "--norc", "-i"), env={"PS1": "ready>"})
    terminal.wait_for("ready>")
    terminal.press(f"{shlex.join([*COMMAND, 'attach', str(run.path)])}\n")
    wait_until(lambda: re.search(r"round +\d", terminal.screen()), "the console")
    before = len(terminal.output)

    terminal.press("\x1a")

    wait_until(lambda: b"Stopped" in terminal.output[before:], "the job has stopped")
    assert_restored(terminal, before)
    back = len(terminal.output)
    terminal.press("fg\n")
    terminal.wait_for(r"round +\d", since=back)
    terminal.wait_for("Help", since=back)
    terminal.press("d")
    wait_until(lambda: b"it goes on" in terminal.output[back:], "detached")


def test_control_z_does_nothing_where_no_shell_could_bring_the_console_back(attach):
    terminal = attach()  # it leads its session, as `ssh -t host flconsole attach` does

    terminal.press("\x1a")

    terminal.wait_for("no shell to go back to")


def test_an_unexpected_error_gives_the_terminal_back_and_says_where_its_traceback_is(
    open_terminal, run, tmp_path
):
    (tmp_path / "broken.py").write_text(BROKEN)
    terminal = open_terminal("attach", str(run.path), command=(sys.executable, str(tmp_path / "broken.py")))

    assert terminal.exit_code() == 1
    after = assert_restored(terminal, 0)
    log = run.path / "logs" / "console.log"
    assert (
        f"error: the console failed: ZeroDivisionError: division by zero; the traceback is in {log}".encode()
        in after
    )
    assert b"it goes on" in after
    assert "in look" in log.read_text()
    assert run.supervisor.is_running()


BROKEN = """
from flconsole import cli
from flconsole.tui.run_screen import RunScreen

def look(screen):
    1 / 0

RunScreen.look = look
cli.main()
"""
