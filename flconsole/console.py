"""Opens the console on a terminal; Textual is loaded here and not before."""

# ruff: noqa: PLC0415  # a third of a second that only a screen needs

import sys
from pathlib import Path


def has_terminal() -> bool:
    """Whether there is a terminal to draw on and to read keys from."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def open_console(run_dir: Path, *, read_only: bool) -> int:
    """Shows a run until the operator leaves.

    Returns:
        The exit code.
    """
    from flconsole.tui.app import ConsoleApp
    from flconsole.tui.live import LiveSource

    return ConsoleApp(LiveSource(run_dir), read_only=read_only).run() or 0
