"""What several commands do: find the run, ask its supervisor, write and say."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from flconsole.streams import writing_output


def find(name: str | None, runs_dir: Path | None) -> Path:
    """The directory of the run that RUN names; of None, the newest.

    Raises:
        ConfigError: there is none, or more than one.
    """
    from flconsole.runs import find_run

    return find_run(name, default_runs_dir(runs_dir))


def default_runs_dir(given: Path | None) -> Path:
    """Where runs are kept: as given, or as the user's own configuration has it."""
    from flconsole import plan

    return given or Path(plan.resolve({}, None).runs_dir)


def request(run_dir: Path, command: str, **arguments: Any) -> None:
    """Asks the run's supervisor, and says what it answers.

    Raises:
        EngineError: it refuses, or is not there.
    """
    from flconsole.supervisor.client import connect

    with connect(run_dir) as supervisor:
        answer = supervisor.request(command, **arguments)
    if not answer.ok:
        raise EngineError(answer.text)
    say(answer.text or "done")


def write(lines: Sequence[str]) -> None:
    """Writes data to standard output."""
    with writing_output():
        sys.stdout.write("\n".join(lines) + "\n")


def say(line: str) -> None:
    """Writes narration to standard error, with its control characters made visible."""
    from flconsole.text import visible

    sys.stderr.write(visible(line) + "\n")
