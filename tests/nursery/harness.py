"""A real nursery on two pipes, programs for it to run, and waiting for conditions."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.commands import Exited, NurseryNotice, Signal, Spawn, Started, encode

_decoder = msgspec.json.Decoder(NurseryNotice)
DEADLINE_S = 20.0
N = TypeVar("N", bound=NurseryNotice)


class NurseryUnderTest:
    """Starts `python -m engine.nursery`, speaks its language, ends it."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder = folder
        self.errors = folder / "nursery.log"
        path = os.pathsep.join([str(folder), str(Path.cwd())])
        with self.errors.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        self._buffer = b""

    def spawn(self, name: str, program: str, *args: str, env: dict[str, str] | None = None) -> int:
        """Runs `program` (source text) as a module of its own; returns its pid."""
        module = f"program_{name.replace('-', '_')}"
        (self.folder / f"{module}.py").write_text(program)
        self.send(Spawn(name=name, module=module, args=list(args), log=str(self.log(name)), env=env or {}))
        return self.expect(Started).pid

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def signal(self, name: str, signum: signal.Signals) -> None:
        self.send(Signal(name=name, signal=signum.name))

    def send(self, command: Spawn | Signal) -> None:
        self.process.stdin.write(encode(command))
        self.process.stdin.flush()

    def expect(self, kind: type[N]) -> N:
        notice = self.next_notice()
        assert isinstance(notice, kind), f"{notice} instead of {kind.__name__}"
        return notice

    def next_notice(self) -> NurseryNotice:
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no notice; {self.errors.read_text()}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"the nursery has ended; {self.errors.read_text()}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return _decoder.decode(line)

    def exit_of(self, name: str) -> Exited:
        exited = self.expect(Exited)
        assert exited.name == name
        return exited

    def wait_for_line(self, name: str, line: str) -> None:
        wait_until(lambda: line in self.log(name).read_text().splitlines(), f"{line!r} in the log of {name}")

    def close(self) -> int:
        """Ends the commands; returns the nursery's exit code."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        return code


def wait_until(condition, what: str) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:g} s: {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Neither alive nor waiting to be reaped by anybody but init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
