"""What the checks have found, for people and as JSON."""

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.commands import Finding
from flconsole.doctor.checks import diagnose
from flconsole.streams import writing_output
from flconsole.text import visible

_LEVEL_WIDTH, _NAME_WIDTH = 9, 15
_SHADES = {"ok": "\x1b[32m", "note": "\x1b[33m", "problem": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"


def write_findings(*, bootstrap_servers: str | None, runs_dir: Path | None) -> list[Finding]:
    """Makes every check and writes what it finds to standard output, as it is found.

    Args:
        bootstrap_servers: see `diagnose`.
        runs_dir: likewise.

    Returns:
        All findings.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    colours = width is not None and not os.environ.get("NO_COLOR")
    findings: list[Finding] = []
    for name, found in diagnose(bootstrap_servers=bootstrap_servers, runs_dir=runs_dir):
        with _saying_so(name):
            new = list(found)
        findings += new
        with writing_output():
            for finding in new:
                print(*lines_of(finding, width=width, colours=colours), sep="\n")  # noqa: T201  # the output
    return findings


def find(*, bootstrap_servers: str | None, runs_dir: Path | None) -> list[Finding]:
    """Makes every check and says nothing."""
    checks = diagnose(bootstrap_servers=bootstrap_servers, runs_dir=runs_dir)
    return [finding for _, found in checks for finding in found]


def exit_code(findings: Sequence[Finding]) -> int:
    """0 where nothing prevents a run, otherwise that of a run that meets the first problem."""
    return next((finding.exit_code for finding in findings if finding.level == "problem"), 0)


def lines_of(finding: Finding, *, width: int | None = None, colours: bool = False) -> list[str]:
    """A finding for people: its level, what it is about, what was found, and what to do.

    Args:
        finding: what was found.
        width: of the terminal; None writes each on one line.
        colours: whether to paint the level.
    """
    level = f"{'OK' if finding.level == 'ok' else finding.level:<{_LEVEL_WIDTH}}"
    painted = f"{_SHADES[finding.level]}{level}{_PLAIN}" if colours else level
    indent = " " * (_LEVEL_WIDTH + _NAME_WIDTH)
    room = None if width is None else max(20, width - len(indent))
    first, *others = _wrap(finding.text, room)
    remedy = _wrap(f"-> {finding.remedy}", room) if finding.remedy else []
    return [
        f"{painted}{visible(finding.name):<{_NAME_WIDTH}}{first}",
        *(indent + line for line in (*others, *remedy)),
    ]


def verdict(findings: Sequence[Finding]) -> str:
    """What all findings come to, in one line."""
    levels = [finding.level for finding in findings]
    problems, notes = levels.count("problem"), levels.count("note")
    found = " and ".join(_counted(n, word) for n, word in ((problems, "problem"), (notes, "note")) if n)
    if problems:
        return f"{found}: mend the problem{'s' * (problems > 1)} before a run"
    return f"nothing prevents a run{f'; {found}' if found else ''}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count > 1)}"


def _wrap(text: str, width: int | None) -> list[str]:
    text = " ".join(visible(text).split())
    if width is None:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


@contextlib.contextmanager
def _saying_so(name: str) -> Iterator[None]:
    """Says on a terminal what takes its time, and takes it back."""
    if not sys.stderr.isatty():
        yield
        return
    sys.stderr.write(f"{name} ...")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r" + " " * len(f"{name} ...") + "\r")
        sys.stderr.flush()
