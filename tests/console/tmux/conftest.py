"""A terminal in tmux, on a server of its own, with a shell in which the installed command is typed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flconsole.supervisor.lock import read_lock

DEADLINE_S = 90.0
ROOT = Path(__file__).parents[3]
INSTALLED = Path(sys.executable).with_name("flconsole")
PROMPT = "ready>"


class Tmux:
    """One window with a shell in it.

    Args:
        folder: where the shell starts, and the home of its user.
        columns: width in cells.
        rows: height in lines.
    """

    def __init__(self, folder: Path, *, columns: int, rows: int) -> None:
        self._sockets = tempfile.TemporaryDirectory(prefix="tmux-")  # a socket's path must be short
        self._environment = environment(folder) | {"TMUX_TMPDIR": self._sockets.name}
        size = ("-x", str(columns), "-y", str(rows))
        self._run("-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), "/bin/sh")

    def wait_for_shell(self) -> None:
        """Waits for its prompt, whatever it is, and then for one that a test can tell."""
        self.wait_for(r"\S")
        self.type(f"PS1='{PROMPT}'")
        self.wait_for(f"(?m)^{PROMPT}")

    def screen(self) -> str:
        """What is on it, line by line."""
        return self._run("capture-pane", "-p")

    def type(self, line: str) -> None:
        """Types a line and Enter."""
        self._run("send-keys", "-l", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Presses keys by tmux's names: `a`, `Enter`, `Down`, `C-c`."""
        self._run("send-keys", *keys)

    def wait_for(self, pattern: str) -> str:
        """Waits until a regular expression matches the screen, and returns the screen."""
        return self.wait_until(lambda screen: re.search(pattern, screen), f"{pattern!r} on the screen")

    def wait_until(self, holds: Callable[[str], object], what: str) -> str:
        """Waits until something holds of the screen, and returns the screen."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds(screen := self.screen()):
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{screen}"
            time.sleep(0.05)
        return screen

    def close(self) -> None:
        """Ends tmux's server, and with it whatever runs in the window."""
        subprocess.run(self._command("kill-server"), env=self._environment, check=False, capture_output=True)
        self._sockets.cleanup()

    def _run(self, *words: str) -> str:
        command = self._command(*words)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def _command(self, *words: str) -> list[str]:
        return ["tmux", "-L", "flconsole-test", *words]


def environment(folder: Path) -> dict[str, str]:
    """Of a user who has just been made, on a machine without a network."""
    mine = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return mine | {
        "HOME": str(folder),
        "PATH": f"{INSTALLED.parent}:{mine.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "FLCONSOLE_OFFLINE": "1",
    }


@pytest.fixture
def flconsole() -> str:
    """The command, as one types it: the installed one where there is one."""
    return "flconsole" if INSTALLED.exists() else f"{sys.executable} -m flconsole"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    """Makes terminals; at the end nothing that was started in them is left."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made: list[Tmux] = []

    def make(*, columns: int, rows: int) -> Tmux:
        made.append(Tmux(tmp_path, columns=columns, rows=rows))
        made[-1].wait_for_shell()
        return made[-1]

    yield make
    for one in made:
        one.close()
    for lock in tmp_path.glob("runs/*/supervisor.json"):
        _end_supervisor(lock.parent)


def _end_supervisor(run_dir: Path) -> None:
    """Whatever a failed test left going on."""
    info = read_lock(run_dir)
    if info is not None:
        supervisor = psutil.Process(info.pid)
        supervisor.send_signal(signal.SIGKILL)  # its processes die with it
        supervisor.wait(DEADLINE_S)
