"""From a bare `flconsole` to a run on the screen, and back to it when its supervisor was killed."""

import os
import re
import signal

import pytest

from flconsole.supervisor.lock import read_lock
from tests.console.pty.conftest import RealRun, headless, is_alive
from tests.console.pty.harness import Terminal, wait_until

pytestmark = pytest.mark.broker


@pytest.fixture
def operator(tmp_path, monkeypatch):
    """A run that somebody starts in an empty folder, with a trainer that trains nothing as her default."""
    for name in ("config", "state"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "config/flconsole/config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('trainer = "null"\nclients = 2\nrounds = 1000000\n')
    run = RealRun(tmp_path)
    yield run
    if (tmp_path / "runs").exists():
        run.end()


@pytest.fixture
def open_here(operator):
    opened = []

    def open_one(*arguments, **more):
        opened.append(Terminal(*arguments, env=operator.env, **more))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


def test_a_run_is_chosen_started_killed_resumed_and_stopped_by_key(operator, open_here, tmp_path):
    terminal = open_here()
    terminal.wait_for(r"> dataset +< auto >")
    terminal.press("\x1b[B\x1b[B\x1b[B7")
    terminal.wait_for(r"> parts +7 +5 spare, for clients added later")
    terminal.press("\r")
    terminal.wait_for(r"round +[1-9]")

    assert "parts = 7" in (operator.path / "config.toml").read_text()
    assert "parts = 7" in (tmp_path / "state/flconsole/last_choices.toml").read_text()

    killed, processes = operator.supervisor, operator.processes()
    os.kill(killed.pid, signal.SIGKILL)
    terminal.wait_for(r"r Resume")
    wait_until(lambda: not any(map(is_alive, processes[1:])), "nobody is left")
    terminal.press("r")
    terminal.wait_for(r"the run goes on")
    assert operator.supervisor != killed
    terminal.wait_for(r"a Add")

    terminal.press("q")
    terminal.wait_for(r"\[ Detach \(d\) \]")
    terminal.press("s")
    assert terminal.exit_code() == 0
    assert read_lock(operator.path) is None


def test_leaving_the_form_starts_nothing(open_here, tmp_path):
    terminal = open_here()
    terminal.wait_for(r"> dataset")
    terminal.press("q")

    assert terminal.exit_code() == 0
    assert not (tmp_path / "runs").exists()


def test_a_signal_ends_the_form(open_here):
    terminal = open_here()
    terminal.wait_for(r"> dataset")
    terminal.kill(signal.SIGTERM)

    assert terminal.exit_code() == 128 + signal.SIGTERM


@pytest.mark.parametrize("arguments", [(), ("run",)])
def test_keys_that_make_no_sense_are_an_error_before_anything_starts(open_here, tmp_path, arguments):
    (tmp_path / "config/flconsole/console.toml").write_text('[keys]\nkill-clinet = "f8"\n')
    terminal = open_here(*arguments, columns=200)

    assert terminal.exit_code() == 2
    assert re.search(
        r"error: .*console.toml: 'kill-clinet' is not an action; did you mean", terminal.screen()
    )
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_done_goes_on_for_as_many_rounds_as_one_says(operator, open_here):
    finished = headless("run", "--headless", "--rounds", "2", env=operator.env)
    assert finished.returncode == 0, finished.stderr
    terminal = open_here("attach")
    terminal.wait_for(r"r Resume")
    terminal.press("r")
    terminal.wait_for(r"in all; 2 are done")
    terminal.press("1000000\r")
    terminal.wait_for(r"round +[3-9]")

    assert "rounds = 1000000" in (operator.path / "config.toml").read_text()
