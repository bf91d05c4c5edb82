"""Writes a run's files to standard output, as they stand or as they grow.

On a terminal, log lines are coloured unless NO_COLOR is set, and no escape of theirs is obeyed.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.config import nearest
from engine.errors import ConfigError
from flconsole.feed import LineFollower, RunFeed
from flconsole.runs import is_alive
from flconsole.streams import writing_output
from flconsole.supervisor.logs import rotated_part
from flconsole.text import coloured, visible

_POLL_S = 0.2


def write_events(run_dir: Path, *, follow: bool) -> None:
    """The lines of both event files, unchanged, in the order of their times."""
    with RunFeed(run_dir, samples=False) as feed:

        def write_new() -> None:
            for record in feed.read_all():
                _write_line(record.line)

        _repeat(write_new, run_dir, follow=follow)


def write_logs(run_dir: Path, process: str | None, *, follow: bool) -> None:
    """The lines of the logs, each with the name of its process unless only one was asked for.

    Args:
        run_dir: the run directory.
        process: the name of a process; None means all.
        follow: whether to go on until the run has ended; logs that appear meanwhile are taken in.

    Raises:
        ConfigError: that process has no log; names the nearest that has.
    """
    logs = run_dir / "logs"
    if process is not None and not (logs / f"{process}.log").exists():
        names = tuple(sorted(path.stem for path in logs.glob("*.log")))
        raise ConfigError(f"{process!r} has no log in {run_dir.name}; {nearest(process, names)}")
    followers: dict[Path, LineFollower] = {}

    def write_new() -> None:
        for path in sorted(logs.glob(f"{process or '*'}.log")):
            follower = followers.setdefault(path, LineFollower(path, rotated_part(path)))
            for line in follower.read():
                _write_log_line(line, "" if process else path.stem)

    try:
        _repeat(write_new, run_dir, follow=follow)
    finally:
        for follower in followers.values():
            follower.close()


def _repeat(write_new: Callable[[], None], run_dir: Path, *, follow: bool) -> None:
    while True:
        goes_on = follow and is_alive(run_dir)  # asked first: what the run wrote last is still to be read
        with writing_output():
            write_new()
        if not goes_on:
            return
        time.sleep(_POLL_S)


def _write_log_line(line: bytes, process: str) -> None:
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        sys.stdout.write(coloured(line.decode("utf-8", "backslashreplace"), process=process) + "\n")
    else:
        _write_line(f"{process} | ".encode() + line if process else line)


def _write_line(line: bytes) -> None:
    if sys.stdout.isatty():
        sys.stdout.write(visible(line.decode("utf-8", "backslashreplace")) + "\n")
    else:
        sys.stdout.buffer.write(line + b"\n")
