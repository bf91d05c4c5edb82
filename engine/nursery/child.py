"""What happens in a child between its birth and its end: detach, redirect, run one module, leave.

A forked child calls `enter` and `run` directly. Where fork is unsafe (macOS) the nursery starts this file in
a fresh interpreter, `python -m engine.nursery.child SPAWN --parent PID`, which calls the same two functions.
"""

import argparse
import faulthandler
import os
import runpy
import signal
import sys
import traceback
from typing import NoReturn

import msgspec

from engine import lifecycle
from engine.commands import Spawn


def enter(spawn: Spawn, parent: int) -> None:
    """Turns this process into the child: its signals fresh, its log on 1 and 2, its environment.

    Raises:
        OSError: the log cannot be opened.
    """
    _restore_signals()
    lifecycle.die_with_parent(parent)
    log = os.open(spawn.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a killed child keeps its lines
    os.environ.update(spawn.env)
    faulthandler.enable()  # where native code crashes, the log has the Python that called it


def run(spawn: Spawn) -> NoReturn:
    """Runs the module as `__main__` and ends the process with its exit code."""
    sys.argv = [spawn.module, *spawn.args]
    try:
        runpy.run_module(spawn.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as request:
        code = _exit_code(request)
    except lifecycle.Terminated as end:
        code = end.exit_code
    except BaseException:  # noqa: BLE001  # the top of a process: whatever it is ends up in the log
        traceback.print_exc()
        code = 1
    finish(code)


def finish(code: int) -> NoReturn:
    """Leaves at once: tearing the interpreter down under TensorFlow's threads can hang or crash."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _restore_signals() -> None:
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(signum)):
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _exit_code(request: SystemExit) -> int:
    """The interpreter's own rules: nothing is 0, a number is itself, anything else is printed and is 1."""
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)  # noqa: T201  # as `sys.exit("text")` does
    return 1


def main() -> NoReturn:
    """The composition root of a child in a fresh interpreter."""
    parser = argparse.ArgumentParser(prog="engine.nursery.child", description=__doc__)
    parser.add_argument("spawn", help="a Spawn message as JSON")
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    spawn = msgspec.json.decode(arguments.spawn, type=Spawn)
    enter(spawn, arguments.parent)
    run(spawn)


if __name__ == "__main__":
    main()
