"""Lets a process of the engine look at what the console must not load; nothing of it is left running."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from engine.commands import Finding
from engine.errors import EngineError

_TIMEOUT_S = {"tensorflow": 120.0, "broker": 60.0, "data": 120.0}
"""A machine under load takes long to import TensorFlow; whoever takes longer than this hangs."""


@dataclass(frozen=True)
class Ended:
    """A process that has looked at something."""

    code: int | None
    """None where it was ended because its time was over."""
    output: bytes
    last_words: str


def ask_engine(check: str, error: type[EngineError] = EngineError) -> Iterator[Finding]:
    """Lets a process look, and says what became of it where it does not answer."""
    timeout_s = _TIMEOUT_S[check]
    child = run_module("engine.doctor", check, timeout_s=timeout_s)
    if child.code == 0:
        yield from (msgspec.json.decode(line, type=Finding) for line in child.output.splitlines())
        return
    ended = f"no answer within {timeout_s:g} s" if child.code is None else _how(child.code)
    words = f"{ended}: {child.last_words}" if child.last_words else ended
    yield Finding(
        name=check,
        level="problem",
        text=words,
        remedy=f"look at what `python -m engine.doctor {check}` says",
        exit_code=error.exit_code,
    )


def _how(code: int) -> str:
    return f"its process was killed by {signal.Signals(-code).name}" if code < 0 else "its process failed"


def run_module(module: str, *arguments: str, timeout_s: float) -> Ended:
    """Runs a module of the engine in a session of its own, of which nothing is left."""
    command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=quiet
    ) as child:
        code: int | None = None
        try:
            output, said = child.communicate(timeout=timeout_s)
            code = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, said = child.communicate()
        except BaseException:  # raised again; what was asked to look does not outlive us
            os.killpg(child.pid, signal.SIGKILL)
            raise
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return Ended(code, output, lines[-1].strip().removeprefix("error: ") if lines else "")
