"""The daemon under the console: who starts it, who can end it, what it inherits, and what it says."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from engine.config import RunConfig
from flconsole import detached
from flconsole.detached import SupervisorNotStarted, start_supervisor
from flconsole.runs import is_alive
from flconsole.supervisor.client import connect
from flconsole.supervisor.lock import SupervisorLock, read_lock
from tests.flconsole.supervisor.harness import NO_BROKER
from tests.nursery.harness import wait_until


@pytest.fixture
def empty_run(runs_dir):
    """A run directory as `plan.create_run` leaves it. No broker listens there, and none is needed."""
    path = runs_dir / "20260102-030405-beef"
    (path / "logs").mkdir(parents=True)
    config = RunConfig(run_id=path.name, trainer="null", clients=1, rounds=1, **NO_BROKER)
    (path / "config.toml").write_text(config.to_toml())
    yield path
    if is_alive(path):
        with connect(path) as supervisor:
            supervisor.request("stop")
        wait_until(lambda: not is_alive(path), "the supervisor has ended")


def test_the_supervisor_is_a_daemon_that_has_nothing_of_the_terminal(empty_run, monkeypatch):
    monkeypatch.setenv("SSH_TTY", "/dev/pts/7")
    monkeypatch.setenv("TERM", "xterm-256color")

    pid = start_supervisor(empty_run, resumed=False)

    supervisor = psutil.Process(pid)
    assert psutil.Process().children() == []  # it is nobody's zombie when it ends
    assert os.getsid(pid) not in (pid, os.getsid(0))
    assert supervisor.terminal() is None
    assert {"SSH_TTY", "TERM"}.isdisjoint(supervisor.environ())
    standard = [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)]
    assert standard == ["/dev/null", *[str(empty_run / "logs" / "supervisor.log")] * 2]
    with connect(empty_run) as client:
        assert client.request("status").data["pid"] == pid


def test_the_socket_outlives_the_login(empty_run, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")  # gone when the user has logged out

    start_supervisor(empty_run, resumed=False)

    info = read_lock(empty_run)
    assert info is not None
    assert Path(info.socket).is_relative_to(tempfile.gettempdir())


def test_a_run_that_is_supervised_already_is_not_started_again(empty_run):
    with SupervisorLock(empty_run), pytest.raises(SupervisorNotStarted, match="already supervised by pid"):
        start_supervisor(empty_run, resumed=False)

    assert (empty_run / "logs" / "supervisor.log").read_text() == ""  # the other one's log


def test_a_start_that_fails_says_why_with_its_own_exit_code(empty_run):
    (empty_run / "config.toml").write_text("rouns = 3\n")

    with pytest.raises(SupervisorNotStarted, match=r"rouns.*rounds") as failure:
        start_supervisor(empty_run, resumed=False)

    assert failure.value.exit_code == 2
    assert "Traceback" in (empty_run / "logs" / "supervisor.log").read_text()


def test_a_start_that_breaks_says_the_last_line_of_its_log(empty_run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(empty_run))
    (empty_run / "flconsole").mkdir()
    (empty_run / "flconsole" / "__init__.py").write_text("raise RuntimeError('no such luck')")

    with pytest.raises(SupervisorNotStarted, match=r"RuntimeError: no such luck; see .*supervisor\.log"):
        start_supervisor(empty_run, resumed=False)


def test_a_start_that_hangs_is_ended(empty_run, monkeypatch):
    monkeypatch.setattr(detached, "_START_S", 0.0)

    with pytest.raises(SupervisorNotStarted, match="was not ready after 0 s"):
        start_supervisor(empty_run, resumed=False)

    assert not is_alive(empty_run)


INTERRUPTED = """
import sys, pathlib
from engine.lifecycle import Terminated, raise_on_signals
from flconsole import detached

def select(*arguments):
    print("waiting", flush=True)
    return waiting(*arguments)

waiting, detached.select.select = detached.select.select, select
raise_on_signals()
try:
    detached.start_supervisor(pathlib.Path(sys.argv[1]), resumed=False)
except (Terminated, KeyboardInterrupt):
    sys.exit(99)
"""


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_interrupted_leaves_nothing_behind(empty_run, sig):
    command = [sys.executable, "-c", INTERRUPTED, str(empty_run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waiting\n"
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sig)

    assert process.returncode == 99
    assert [p for p in started if p.is_running()] == []
    assert not is_alive(empty_run)
