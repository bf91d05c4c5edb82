"""Runs the installed command as a stranger would, in its own process, and reads what it leaves behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from engine import telemetry
from engine.event_log import read_events

DEADLINE_S = 100.0


@dataclass
class Federation:
    """One run of `flconsole run --headless`, from its start to what stays of it."""

    runs_dir: Path
    options: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None

    def start(self, *command: str) -> "Federation":
        """Starts `run`, or another command, in the background."""
        words = list(command) or ["run", "--headless", *self.options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flconsole", *words, "--runs-dir", str(self.runs_dir)],
            env=os.environ | {"FLCONSOLE_OFFLINE": "1"} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def finish(self, expected_code: int = 0) -> "Federation":
        """Waits for the end; shows what was said if it ended otherwise than expected."""
        assert self.process is not None
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == expected_code, f"{out}\n{err}\n{self.server_log()}"
        return self

    def run(self) -> "Federation":
        return self.start().finish()

    @property
    def run_dir(self) -> Path:
        (run_dir,) = (path.parent for path in self.runs_dir.glob("*/config.toml"))
        return run_dir

    def server_log(self) -> str:
        logs = list(self.runs_dir.glob("*/logs/server.log"))
        return logs[0].read_text()[-4000:] if logs else "no server log"

    def events(self, kind: "type[telemetry.Event] | None" = None) -> list[telemetry.AnyEvent]:
        files = list(self.runs_dir.glob("*/events.jsonl"))
        events = [event for _, event in read_events(files[0]) if event is not None] if files else []
        return [event for event in events if kind is None or isinstance(event, kind)]

    def processes(self, kind: type[telemetry.Event]) -> list[telemetry.AnyEvent]:
        files = list(self.runs_dir.glob("*/processes.jsonl"))
        events = [event for _, event in read_events(files[0])] if files else []
        return [event for event in events if isinstance(event, kind)]

    def digests(self) -> list[tuple[int, str]]:
        """(round, digest) of every finished round, in the order in which they were recorded."""
        return [(e.round, e.digest) for e in self.events(telemetry.RoundFinished)]

    def pid_of(self, name: str) -> int:
        """The newest process with that name (`server`, `client-2`, `broker`, `nursery`)."""
        return [e.pid for e in self.processes(telemetry.ProcessStarted) if e.name == name][-1]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Looks again and again, and leaves the processors to the run for most of the time."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            looked_at = time.monotonic()
            if condition():
                return
            assert self.process is None or self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, f"waited in vain\n{self.server_log()}"
            time.sleep(max(0.01, 3 * (time.monotonic() - looked_at)))

    def family(self) -> list[psutil.Process]:
        """Every process of this run, now."""
        assert self.process is not None
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def kill(self) -> None:
        """Ends whatever is left of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Callable[..., Federation]]:
    """Makes federations, each in a runs directory of its own; `federation("--rounds", "3", NAME="value")`."""
    made: list[Federation] = []

    def make(*options: str, **environment: str) -> Federation:
        made.append(Federation(tmp_path / f"runs{len(made)}", list(options), environment))
        return made[-1]

    yield make
    for one in made:
        one.kill()


NULL_RUN = (
    "--trainer=null", "--model=vector:1000000", "--dataset=digits", "--clients=3", "--seed=7", "--rounds=4",
)  # fmt: skip
"""Five chunks each way, three clients, four rounds, no TensorFlow."""
KERAS_RUN = (
    "--dataset=digits",
    "--subset-size=300",
    "--test-size=100",
    "--clients=2",
    "--seed=7",
    "--rounds=3",
)


@pytest.fixture(scope="session")
def undisturbed_null(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Digests of `NULL_RUN` when nobody disturbs it."""
    return Federation(tmp_path_factory.mktemp("null"), list(NULL_RUN)).run().digests()


@pytest.fixture(scope="session")
def keras_in_turns(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Digests of `KERAS_RUN` when its clients train in turns in one process, and nobody disturbs it."""
    options = [*KERAS_RUN, "--clients-per-process=2"]
    run = Federation(tmp_path_factory.mktemp("keras"), options).run()
    clients = {e.name for e in run.processes(telemetry.ProcessStarted) if e.role == "client"}
    assert clients == {"clients-1-2"}
    return run.digests()


@pytest.fixture
def null_run(federation: Callable[..., Federation]) -> Callable[..., Federation]:
    """Makes federations that must end with the digests of `undisturbed_null`."""
    return lambda **environment: federation(*NULL_RUN, **environment)


@pytest.fixture
def keras_run(federation: Callable[..., Federation]) -> Callable[..., Federation]:
    """Makes federations that must end with the digests of `keras_in_turns`."""
    return lambda **environment: federation(*KERAS_RUN, **environment)
