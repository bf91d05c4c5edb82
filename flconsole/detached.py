"""Starts the supervisor of a run as a daemon: in a session of its own, where no terminal can end it."""

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import IO, NoReturn

import msgspec

from engine.config import RunConfig
from engine.errors import EngineError, RunDirectoryBusy
from flconsole.runs import CONFIG_NAME
from flconsole.text import visible

_START_S = 60.0
"""A machine under load takes seconds to start an interpreter; whoever takes a minute hangs."""
_STOP_S = 10.0
_OF_THE_TERMINAL = frozenset(
    [
        *("COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION"),
        *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TMUX", "TMUX_PANE", "WINDOW", "WINDOWID"),
    ]
)
"""Variables that tell of the terminal one is started from, which the supervisor has not."""
_OF_THE_LOGIN = "/run/user/"
"""Where systemd keeps a directory for sockets that it removes when the user has logged out."""


class SupervisorNotStarted(EngineError):
    """The supervisor ended before it could be asked anything.

    Args:
        text: its own last words.
        exit_code: its exit code.
    """

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]  # the daemon decides


class _Answer(msgspec.Struct, frozen=True):
    """The one line that the daemon says to whoever starts it."""

    pid: int | None = None
    """Of the supervisor, once operators can connect; None where it could not start."""
    exit_code: int = 1
    text: str = ""


def start_supervisor(run_dir: Path, *, resumed: bool) -> int:
    """Starts the supervisor and waits until operators can connect.

    Whatever interrupts the waiting, a signal for instance, leaves no supervisor behind.

    Args:
        run_dir: the run directory, with its `config.toml`.
        resumed: whether the run goes on from its last checkpoint.

    Returns:
        Its process id.

    Raises:
        SupervisorNotStarted: with its own last words and its exit code.
    """
    log_path = run_dir / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "flconsole.detached", str(run_dir), *(["--resumed"] if resumed else [])]
    with (
        _open_log(log_path) as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        ) as starter,
    ):
        assert starter.stdout is not None  # noqa: S101  # a pipe was asked for
        size = log.seek(0, os.SEEK_END)
        try:
            line = _read_line(starter.stdout, _START_S)
        except BaseException:  # raised again; no interrupted start leaves a supervisor behind
            _end(starter)
            raise
    answer = msgspec.json.decode(line, type=_Answer) if line else _Answer(text=_last_words(log_path, size))
    if answer.pid is None:
        raise SupervisorNotStarted(answer.text, answer.exit_code)
    return answer.pid


def main() -> None:
    """Supervises a run that nobody watches: one line on standard output says that it can be asked."""
    parser = argparse.ArgumentParser(prog="python -m flconsole.detached", description=main.__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--resumed", action="store_true")
    arguments = parser.parse_args()
    if os.fork():  # the starter reaps this process at once, and init the supervisor whenever it ends;
        os._exit(0)  # not the leader of its session, the supervisor can never be given a terminal
    _supervise(arguments.run_dir, resumed=arguments.resumed)


def _supervise(run_dir: Path, *, resumed: bool) -> NoReturn:
    from flconsole.supervisor.supervisor import run_supervisor  # noqa: PLC0415  # asyncio, for this process alone

    try:
        config = RunConfig.load(run_dir / CONFIG_NAME)
        code = run_supervisor(config, run_dir, resumed=resumed, ready=_say_ready)
    except EngineError as error:
        if not isinstance(error, RunDirectoryBusy):  # whose log it is
            traceback.print_exc()
        code = error.exit_code
        _say(_Answer(exit_code=code, text=str(error)))
    sys.exit(code)


def _say_ready() -> None:
    pipe = os.dup(1)
    os.dup2(2, 1)  # what anything here prints belongs to the log, too
    _say(_Answer(pid=os.getpid()), pipe)
    os.close(pipe)


def _say(answer: _Answer, pipe: int = 1) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever started us has gone; the run has not
        os.write(pipe, msgspec.json.encode(answer) + b"\n")


def _environment() -> dict[str, str]:
    """What is left of this process's environment for one that outlives terminal and login."""
    left = {key: value for key, value in os.environ.items() if key not in _OF_THE_TERMINAL}
    if left.get("XDG_RUNTIME_DIR", "").startswith(_OF_THE_LOGIN):
        del left["XDG_RUNTIME_DIR"]
    return left


def _open_log(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise SupervisorNotStarted(f"{path}: {error.strerror}") from error


def _read_line(pipe: IO[bytes], seconds: float) -> bytes:
    """The daemon's line; empty where it ended without one."""
    deadline, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise SupervisorNotStarted(f"the supervisor was not ready after {seconds:g} s")
        read = os.read(pipe.fileno(), 65536)
        if not read:
            return b""
        line += read
    return line


def _end(starter: "subprocess.Popen[bytes]") -> None:
    """Ends a daemon that is still starting, and waits for it: all of its processes are one group."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        deadline, number = time.monotonic() + _STOP_S, int(signum)
        while time.monotonic() < deadline:
            starter.poll()
            try:
                os.killpg(starter.pid, number)
            except ProcessLookupError:
                return
            number = 0  # only ask whether anybody is left
            time.sleep(0.02)


def _last_words(log_path: Path, start: int) -> str:
    """What the log says since the start: of a traceback, the last line tells most."""
    with log_path.open("rb") as log:
        log.seek(start)
        lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    words = visible(lines[-1]) if lines else "it ended without a word"
    return f"the supervisor did not start: {words}; see {log_path}"


if __name__ == "__main__":
    main()
