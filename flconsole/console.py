"""Opens the console on a terminal, and says on leaving what becomes of the run.

Textual is loaded here and not before: what it reads when it is imported must be found out first.
"""

# ruff: noqa: PLC0415  # a third of a second that only a screen needs

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from engine.errors import ConfigError
from engine.lifecycle import Terminated
from flconsole.tui.terminal import Terminal, TerminalUnusable

if TYPE_CHECKING:
    from flconsole.tui.view import Source, View


def has_terminal() -> bool:
    """Whether there is a terminal to draw on and to read keys from.

    Raises:
        TerminalUnusable: there is one on which nothing can be drawn.
        ConfigError: there is one, and the user's own keys make no sense.
    """
    from flconsole.tui.keys import Keys

    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return False
    Terminal.from_environment(os.environ)
    Keys.load()
    return True


def open_console(run_dir: Path, *, read_only: bool, low_bandwidth: bool | None = None) -> int:
    """Shows a run until the operator leaves.

    Args:
        run_dir: the run directory.
        read_only: refuse whatever would change the run.
        low_bandwidth: whether to draw less often; None lets SSH decide.

    Returns:
        The exit code.

    Raises:
        TerminalUnusable: no screen can be drawn on this terminal, or there is none.
    """
    terminal = _prepare_terminal(low_bandwidth=low_bandwidth)
    try:
        return _show(run_dir, _follow, terminal, read_only=read_only, farewell=_farewell)
    except (Terminated, KeyboardInterrupt):  # before there was a screen
        _say(_farewell(run_dir), terminal)
        raise


def open_replay(run_dir: Path, *, low_bandwidth: bool | None = None) -> int:
    """Plays what a run has recorded until the operator leaves; the run need not be over.

    Args:
        run_dir: the run directory.
        low_bandwidth: whether to draw less often; None lets SSH decide.

    Returns:
        The exit code.

    Raises:
        TerminalUnusable: no screen can be drawn on this terminal, or there is none.
        RunDirectoryError: what was recorded cannot be read.
    """
    terminal = _prepare_terminal(low_bandwidth=low_bandwidth)
    return _show(run_dir, _replay, terminal, read_only=False, farewell=lambda _run_dir, _view: [])


def choose_command() -> list[str] | None:
    """Lets the operator choose what to start, or what to attach to.

    Returns:
        The command line; None where the operator leaves.

    Raises:
        ConfigError: the user's own defaults make no sense.
        Terminated: a signal ended it.
    """
    terminal = Terminal.from_environment(os.environ)
    _tell_textual(terminal, os.environ)
    from flconsole.tui.start_screen import choose

    return choose(terminal)


def _prepare_terminal(*, low_bandwidth: bool | None) -> Terminal:
    if not has_terminal():
        raise TerminalUnusable("there is no terminal to draw on; use `flconsole status`, `logs` or `events`")
    terminal = Terminal.from_environment(os.environ, low_bandwidth=low_bandwidth)
    _tell_textual(terminal, os.environ)
    return terminal


def _follow(run_dir: Path) -> "Source":
    from flconsole.tui.live import LiveSource

    return LiveSource(run_dir)


def _replay(run_dir: Path) -> "Source":
    from flconsole.tui.replay_source import ReplaySource

    return ReplaySource(run_dir)


def _show(
    run_dir: Path,
    open_source: Callable[[Path], "Source"],
    terminal: Terminal,
    *,
    read_only: bool,
    farewell: Callable[[Path, "View"], list[str]],
) -> int:
    from flconsole.tui.app import ConsoleApp
    from flconsole.tui.keys import Keys

    keys = Keys.load()
    app = ConsoleApp(open_source(run_dir), read_only=read_only, keys=keys, terminal=terminal)
    code = app.run() or 0
    if app.failure is not None:
        _say([_told(app.failure, run_dir), *farewell(run_dir, app.source.view())], terminal)
        return 1
    if not app.is_terminal_gone:
        _say(farewell(run_dir, app.source.view()), terminal)
    return code


def _tell_textual(terminal: Terminal, environ: MutableMapping[str, str]) -> None:
    """Sets what Textual reads at import; what the operator has set herself stands."""
    for name, value in terminal.textual_settings().items():
        environ.setdefault(name, value)
    if not environ.get("NO_COLOR"):
        environ.pop("NO_COLOR", None)  # an empty one says nothing, which Textual takes for a yes
    for name in ("COLUMNS", "LINES"):  # Textual would believe them, and they know of no resize
        environ.pop(name, None)


def _farewell(run_dir: Path, view: "View | None" = None) -> list[str]:
    """What becomes of the run, for people on their normal screen; a long history is not read again for it."""
    from flconsole.narration import summary
    from flconsole.runs import is_alive, read_state

    if is_alive(run_dir):
        return [f"detached from {run_dir.name}; it goes on: flconsole attach {_argument(run_dir)}"]
    is_whole = view is not None and view.loading is None and view.snapshot.state.outcome is not None
    state = view.snapshot.state if is_whole and view is not None else read_state(run_dir, samples=False)
    return summary(state, run_dir)


def _argument(run_dir: Path) -> str:
    """What to call a run on the command line: its id, where that is enough."""
    from flconsole.plan import resolve

    with contextlib.suppress(ConfigError):
        if run_dir.parent == Path(resolve({}, None).runs_dir).resolve():
            return run_dir.name
    return str(run_dir)


def _told(error: Exception, run_dir: Path) -> str:
    """One line about what should not have happened; a log gets the traceback, the run's if it can be."""
    text = str(error).partition("\n")[0]
    told = f"error: the console failed: {type(error).__name__}: {text}"
    for directory in (run_dir / "logs", Path(platformdirs.user_log_dir("flconsole"))):
        path = directory / "console.log"
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
                traceback.print_exception(error, file=log)
            return f"{told}; the traceback is in {path}"
    return told


def _say(lines: Sequence[str], terminal: Terminal) -> None:
    from flconsole.text import visible
    from flconsole.tui.ascii_filter import to_ascii

    shown = [visible(line) if terminal.has_unicode else to_ascii(visible(line)) for line in lines]
    with contextlib.suppress(OSError):  # the terminal may go at any moment
        sys.stderr.write("".join(f"{line}\n" for line in shown))
        sys.stderr.flush()
