"""Removes runs that are over and that nobody wants to keep, and what dead processes have left behind.

A run stays while it goes on, where its directory has a file `keep`, or where an operator has saved a
checkpoint of it. Its directory is removed under the lock of its supervisor and under another name, so that
nobody opens half a run; a symbolic link is never followed.
"""

import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine.config import read_toml
from engine.errors import ConfigError, RunDirectoryError
from flconsole.figures import byte_size, short_seconds
from flconsole.plan import PREPARING
from flconsole.runs import CONFIG_NAME, is_alive, size_of
from flconsole.supervisor.lock import hold, is_held
from flconsole.text import table

KEEP_NAME = "keep"
"""A file of this name in a run directory protects it."""
_SAVED = "checkpoints/saved-*.ckpt"
_REMOVING = ".removing-"
_WRITTEN = (CONFIG_NAME, "events.jsonl", "processes.jsonl")
_SETTLED_S = 60.0
"""What was written to a shorter time ago may be just starting."""
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A run, or what is left of one.

    Attributes:
        size_bytes: what it takes on the disk.
        age_s: seconds since it was last written to.
        stays: why it is not removed; empty where it is.
    """

    path: Path
    size_bytes: int
    age_s: float
    stays: str = ""


def seconds_of(age: str) -> float:
    """An age such as `30d`, in seconds.

    Raises:
        ConfigError: not a number with one of the units m, h, d and w.
    """
    match = re.fullmatch(r"([0-9]{1,9})([mhdw])", age)
    if match is None:
        raise ConfigError(f"--older-than: {age!r} is no age; write 30d, or 45m, 12h, 2w")
    return int(match[1]) * _UNITS[match[2]]


def look(runs_dir: Path, *, keep: int | None, older_than_s: float | None) -> list[Candidate]:
    """Everything below `runs_dir` that is a run or the rest of one, oldest first; changes nothing.

    Args:
        runs_dir: where runs are kept; need not exist.
        keep: so many of the newest runs stay; None sets no number.
        older_than_s: only what was not written to for so long goes; None sets no age.

    Raises:
        RunDirectoryError: the directory cannot be read.
    """
    entries = sorted(_entries(runs_dir), key=lambda entry: entry.name)
    runs = [entry for entry in entries if not entry.name.startswith(".") and (entry / CONFIG_NAME).is_file()]
    newest = set(runs[-keep:] if keep else [])
    is_asked = keep is not None or older_than_s is not None
    found = []
    for path in runs:
        age_s = _age_s(path)
        stays = why_it_stays(path) or (
            f"is one of the {keep} newest" if path in newest
            else "is younger" if age_s < max(_SETTLED_S, older_than_s or 0.0)
            else "" if is_asked
            else "may go with --keep N or --older-than 30d"
        )  # fmt: skip
        found.append(Candidate(path=path, size_bytes=size_of(path), age_s=age_s, stays=stays))
    leftovers = [path for path in entries if path.name.startswith((PREPARING, _REMOVING))]
    return [*found, *filter(None, map(_leftover, leftovers))]


def why_it_stays(run_dir: Path) -> str:
    """Why a run is never removed, whatever is asked; empty where it may be."""
    if run_dir.is_symlink():
        return "is a symbolic link"
    if is_alive(run_dir):
        return "is going on"
    if (run_dir / KEEP_NAME).exists():
        return f"has a file {KEEP_NAME}"
    if any(run_dir.glob(_SAVED)):
        return "has a saved checkpoint"
    try:
        is_run = read_toml(run_dir / CONFIG_NAME).get("run_id") == run_dir.name
    except ConfigError:
        return f"has a {CONFIG_NAME} that cannot be read"
    return "" if is_run else f"has the {CONFIG_NAME} of something else"


def remove(candidate: Candidate) -> None:
    """Removes a run or a leftover whole, unless it stays after all.

    Raises:
        RunDirectoryBusy: a supervisor has it meanwhile.
        RunDirectoryError: it stays now, or cannot be removed; says why.
    """
    path = candidate.path
    try:
        if path.name.startswith(_REMOVING):
            shutil.rmtree(path)
            return
        with hold(path):
            if not path.name.startswith(".") and (stays := why_it_stays(path)):
                raise RunDirectoryError(f"{path.name}: {stays}")
            removed = path.with_name(_REMOVING + path.name.lstrip("."))
            path.rename(removed)
            shutil.rmtree(removed)
    except OSError as error:
        raise RunDirectoryError(f"{error.filename or path}: {error.strerror}") from error


def remove_all(candidates: Sequence[Candidate]) -> str:
    """Removes what can be removed, and tells how much that was.

    Raises:
        RunDirectoryError: something stays or cannot be removed; names it all. What could go is gone.
    """
    removed, troubles = [], []
    for candidate in candidates:
        try:
            remove(candidate)
        except RunDirectoryError as error:
            troubles.append(str(error))
        else:
            removed.append(candidate)
    if troubles:
        raise RunDirectoryError(f"removed: {total(removed)}; not removed: {'; '.join(troubles)}")
    return total(removed)


def confirmed(question: str) -> bool:
    """Whether the operator says yes.

    Raises:
        ConfigError: nobody can be asked.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError("nobody can be asked here; say --yes, or --dry-run to only look")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def report(candidates: Sequence[Candidate]) -> list[str]:
    """What goes, line by line and in all, and how much stays for which reason."""
    doomed = [candidate for candidate in candidates if not candidate.stays]
    rows = [(one.path.name, byte_size(one.size_bytes), short_seconds(one.age_s)) for one in doomed]
    lines = [*table(("run", "size", "last written"), rows), ""] if rows else []
    lines.append(f"to be removed: {total(doomed)}" if doomed else "nothing to remove")
    reasons = Counter(candidate.stays for candidate in candidates if candidate.stays)
    for reason, count in reasons.most_common():
        size = byte_size(sum(one.size_bytes for one in candidates if one.stays == reason))
        lines.append(
            f"{count} stay ({size}): each {reason}" if count > 1 else f"1 stays ({size}): it {reason}"
        )
    return lines


def total(candidates: Sequence[Candidate]) -> str:
    """How many they are and what they take on the disk: `3, together 1.2 GB`."""
    return f"{len(candidates)}, together {byte_size(sum(one.size_bytes for one in candidates))}"


def _entries(runs_dir: Path) -> Iterator[Path]:
    try:
        for entry in os.scandir(runs_dir):
            if entry.is_dir():
                yield Path(entry.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunDirectoryError(f"{runs_dir}: {error.strerror}") from error


def _leftover(path: Path) -> Candidate | None:
    """The rest of a run whose process is dead; None where it may live."""
    age_s = time.time() - path.lstat().st_mtime
    is_being_made = path.name.startswith(PREPARING) and (age_s < _SETTLED_S or is_held(path))
    if path.is_symlink() or is_being_made:
        return None
    return Candidate(path=path, size_bytes=size_of(path), age_s=age_s)


def _age_s(run_dir: Path) -> float:
    written = [path.stat().st_mtime for name in _WRITTEN if (path := run_dir / name).exists()]
    return max(0.0, time.time() - max(written))
