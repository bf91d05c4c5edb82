"""Which failure an operator means, and what the log says of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from flconsole.snapshot import Snapshot
from flconsole.timeline import Entry, Kind
from flconsole.tracebacks import Excerpt, find_cause


class Suspect(NamedTuple):
    """A process that may have failed, and where it would have written so."""

    process: str
    log: str
    """Relative to the run directory."""
    start: int | None
    """Where its words begin in the log, in bytes."""
    end: int | None
    """Where those of its successor begin; None where it has none."""
    sentence: str
    """How the timeline tells that it has failed; empty where nothing says so."""
    is_consequence: bool = False
    """Whether it may have failed because others had: the run as a whole."""


def suspects(snapshot: Snapshot, *, entry: Entry | None, process: str | None) -> Iterator[Suspect]:
    """Whom the operator may mean, the likeliest first.

    Args:
        snapshot: the run.
        entry: an entry of the timeline that the operator points at.
        process: a process that the operator points at.
    """
    failures = _failures(snapshot)[::-1]
    if entry is not None and entry.is_failure:
        yield _of_entry(entry, snapshot)
    pointed_at = entry.process if entry is not None else process
    if pointed_at is not None:
        own = [failure for failure in failures if failure.process == pointed_at]
        yield from (_of_entry(failure, snapshot) for failure in own[:1])
        yield _without_entry(pointed_at, snapshot)
    yield from (_of_entry(failure, snapshot) for failure in failures)


def find_failure(run_dir: Path, among: Iterable[Suspect]) -> tuple[Suspect, Excerpt] | None:
    """The first one that has failed, with what its log says; None where none has.

    Whoever has failed without a traceback because others had is passed over, unless there is nobody else.

    Raises:
        RunDirectoryError: a log cannot be read.
    """
    second_best = None
    for suspect in among:
        excerpt = find_cause(run_dir / suspect.log, suspect.start, suspect.end)
        if excerpt.is_traceback or (suspect.sentence and not suspect.is_consequence):
            return suspect, excerpt
        if suspect.sentence and second_best is None:
            second_best = suspect, excerpt
    return second_best


def _failures(snapshot: Snapshot) -> list[Entry]:
    return [entry for entry in snapshot.timeline.rings["troubles"] if entry.is_failure]


def _of_entry(entry: Entry, snapshot: Snapshot) -> Suspect:
    name = entry.process or "supervisor"
    suspect = _without_entry(name, snapshot)
    starts = [suspect.start, *(other.log_start for other in _failures(snapshot) if other.process == name)]
    later = [start for start in starts if start is not None and start > (entry.log_start or 0)]
    return suspect._replace(
        start=entry.log_start,
        end=min(later, default=None),
        sentence=entry.text,
        is_consequence=entry.kind is Kind.RUN,
    )


def _without_entry(name: str, snapshot: Snapshot) -> Suspect:
    """A process that nobody says has failed, since it was started last."""
    process = snapshot.state.processes.get(name)
    if process is None:
        return Suspect(name, f"logs/{name}.log", None, None, "")
    return Suspect(name, process.log, process.log_start, None, "")
