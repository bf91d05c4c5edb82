"""One real run that trains nothing, which all tests of a module look at, and terminals to look from."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flconsole.supervisor.client import connect
from flconsole.supervisor.lock import read_lock
from tests.console.pty.harness import COMMAND, Terminal, wait_until

ROOT = Path(__file__).parents[3]


class RealRun:
    """A federation of two clients that goes on until it is stopped.

    Args:
        folder: gets the run directory, and is the user's home.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.env = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PYTHONPATH": str(ROOT),
            "FLCONSOLE_OFFLINE": "1",
        }

    def start(self) -> Terminal:
        """Starts it as an operator does, with the console on it."""
        settings = ("--trainer", "null", "--clients", "2", "--rounds", "1000000")
        return Terminal("run", *settings, "--runs-dir", str(self._folder / "runs"), env=self.env)

    @property
    def path(self) -> Path:
        (found,) = (self._folder / "runs").iterdir()
        return found

    @property
    def supervisor(self) -> psutil.Process:
        info = read_lock(self.path)
        assert info is not None, "nobody supervises the run"
        return psutil.Process(info.pid)

    def ask(self, command: str, **arguments: object) -> None:
        with connect(self.path) as supervisor:
            answer = supervisor.request(command, **arguments)
        assert answer.ok, answer.text

    def rounds(self) -> list[tuple[float, int]]:
        """When each round was finished, by its number."""
        lines = (self.path / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines if '"round_finished"' in line and line.endswith("}")]
        return [(event["ts"], event["round"]) for event in events]

    def processes(self) -> list[psutil.Process]:
        """All that the run has started and that has not ended."""
        supervisor = self.supervisor
        return [supervisor, *supervisor.children(recursive=True)]

    def end(self) -> None:
        if read_lock(self.path) is None:
            return
        processes = self.processes()
        self.ask("stop")
        wait_until(lambda: not any(map(is_alive, processes)), "all processes of the run have ended")


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRun]:
    """A run that goes on, paused: it leaves the processors to those who look at it."""
    run = RealRun(tmp_path_factory.mktemp("pty"))
    terminal = run.start()
    try:
        terminal.wait_for(r"round +[1-9]")
        terminal.press("d")
        assert terminal.exit_code() == 0
        run.ask("pause")
        yield run
    finally:
        terminal.close()
        run.end()


@pytest.fixture
def open_terminal(run: RealRun) -> Iterator[Callable[..., Terminal]]:
    """Opens terminals with the real command on them; none of them outlives the test."""
    opened: list[Terminal] = []

    def open_one(*arguments: str, env: dict[str, str | None] | None = None, **more: object) -> Terminal:
        opened.append(Terminal(*arguments, env={**run.env, **(env or {})}, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.fixture
def attach(run: RealRun, open_terminal: Callable[..., Terminal]) -> Callable[..., Terminal]:
    """Opens a terminal with the console on the run that goes on, and waits until it shows it."""

    def attach_to(path: Path | None = None, **more: object) -> Terminal:
        terminal = open_terminal("attach", str(path or run.path), **more)
        terminal.wait_for(r"round +\d")
        return terminal

    return attach_to


def headless(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    """The command without any terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **env},
    )
