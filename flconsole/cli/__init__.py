"""The command line. Standard output is data, standard error is narration."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

import sys
from collections.abc import Sequence

from engine.errors import EngineError
from engine.lifecycle import Terminated
from flconsole.cli import launch, look, operate  # noqa: F401 - each adds its commands, in this order
from flconsole.cli.application import app
from flconsole.cli.shared import say
from flconsole.streams import reopen_closed

__all__ = ["app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits; an `EngineError` becomes its one line and its exit code."""
    reopen_closed()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(_command(given))
    except EngineError as error:
        if str(error):
            say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Terminated as signal:
        sys.exit(signal.exit_code)


def _command(given: list[str]) -> list[str]:
    """The command line that is meant: of a bare `flconsole`, the one that the operator chooses on a form."""
    if given:
        has_options_alone = given[0].startswith("-") and given[0] not in ("-h", "--help")
        return ["run", *given] if has_options_alone else given
    from flconsole.console import choose_command, has_terminal

    if not has_terminal():
        return ["run"]
    chosen = choose_command()
    if chosen is None:
        sys.exit(0)
    return chosen
