"""A federation under measurement: the real command, watched through the files it writes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from engine import telemetry
from engine.event_log import read_events

DEADLINE_S = 900.0


class Federation:
    """`flconsole run --headless` with these options, from start to end.

    Args:
        options: of the command.
    """

    def __init__(self, *options: str) -> None:
        self._runs_dir = Path(tempfile.mkdtemp(prefix="flconsole-bench-"))
        self.process = self._launch("run", "--headless", *options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(DEADLINE_S)
        shutil.rmtree(self._runs_dir)

    @property
    def run_dir(self) -> Path:
        """Of the run, once it has been made."""
        return next(self._runs_dir.glob("[!.]*"))

    def rounds_opened(self) -> int:
        """So far."""
        return len(self.events(telemetry.RoundOpened))

    def command(self, *words: str) -> None:
        """Runs another command of the console on this run, to its end."""
        self._launch(*words).wait(DEADLINE_S)

    def finish(self) -> Self:
        """Waits for the end of the run.

        Raises:
            RuntimeError: it failed.
        """
        if self.process.wait(DEADLINE_S) != 0:
            raise RuntimeError(f"the run failed with exit code {self.process.returncode}")
        return self

    def events(self, kind: type[telemetry.Event]) -> list[tuple[float, Any]]:
        """(wall-clock seconds, event) of the events of one kind, of both files."""
        return self.events_of("[ep]*s", kind)

    def events_of(self, file: str, kind: type[telemetry.Event]) -> list[tuple[float, Any]]:
        """The same of one file, `events` or `processes`."""
        return [
            (envelope.ts, event)
            for path in sorted(self._runs_dir.glob(f"*/{file}.jsonl"))
            for envelope, event in read_events(path)
            if isinstance(event, kind)
        ]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Polls the files until something has happened.

        Raises:
            TimeoutError: it did not.
        """
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError("the federation ended, or stood still, before what was waited for")
            time.sleep(0.005)

    def wait_for_round(self, number: int) -> None:
        """Waits until a round has been opened."""
        self.wait_for(lambda: any(e.round >= number for _, e in self.events(telemetry.RoundOpened)))

    def wait_until(self, wall_clock_s: float) -> None:
        """Waits for a time, unless the run ends before."""
        while time.time() < wall_clock_s and self.process.poll() is None:
            time.sleep(0.05)

    def kill(self, name: str) -> float:
        """Ends a process with SIGKILL; returns the wall-clock time of it."""
        os.kill(self.pids()[name], signal.SIGKILL)
        return time.time()

    def pids(self) -> dict[str, int]:
        """Process name -> pid, of the newest of each name."""
        started = [event for _, event in self.events_of("processes", telemetry.ProcessStarted)]
        return {"supervisor": self.process.pid} | {event.name: event.pid for event in started}

    def processes(self) -> list[psutil.Process]:
        """Every process of the run."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def _launch(self, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "flconsole", *words, "--runs-dir", str(self._runs_dir)],
            env=os.environ | {"FLCONSOLE_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
