"""Starts the supervisor of a run in a session of its own, where no terminal can end it."""

import argparse
import os
import subprocess
import sys
import traceback
from pathlib import Path

from engine.config import RunConfig
from engine.errors import EngineError
from flconsole.runs import CONFIG_NAME

_READY = b"ready\n"


class SupervisorNotStarted(EngineError):
    """The supervisor ended before it could be asked anything."""


def start_supervisor(run_dir: Path, *, resumed: bool) -> int:
    """Starts the supervisor and waits until operators can connect.

    Args:
        run_dir: the run directory, with its `config.toml`.
        resumed: whether the run goes on from its last checkpoint.

    Returns:
        Its process id.

    Raises:
        SupervisorNotStarted: with its own last words.
    """
    log_path = run_dir / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "flconsole.detached", str(run_dir), *(["--resumed"] if resumed else [])]
    with (
        log_path.open("ab") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        ) as child,
    ):
        answer = child.stdout.readline() if child.stdout else b""
        if answer == _READY:
            child.returncode = 0  # it goes on without us: nobody waits for it
            return child.pid
    raise SupervisorNotStarted(answer.decode().strip() or f"the supervisor did not start; see {log_path}")


def main() -> None:
    """Supervises a run that nobody watches: one line on standard output says that it can be asked."""
    from flconsole.supervisor.supervisor import run_supervisor  # noqa: PLC0415  # asyncio, for this process alone

    parser = argparse.ArgumentParser(prog="python -m flconsole.detached", description=main.__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--resumed", action="store_true")
    arguments = parser.parse_args()
    try:
        config = RunConfig.load(arguments.run_dir / CONFIG_NAME)
        code = run_supervisor(config, arguments.run_dir, resumed=arguments.resumed, ready=_say_ready)
    except EngineError as error:
        traceback.print_exc()
        _say(str(error).encode() + b"\n")
        code = error.exit_code
    sys.exit(code)


def _say_ready() -> None:
    _say(_READY)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.close(devnull)


def _say(line: bytes) -> None:
    try:
        os.write(1, line)
    except BrokenPipeError:  # whoever started us has gone; the run has not
        return


if __name__ == "__main__":
    main()
