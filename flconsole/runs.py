"""The run directories on this machine: finding one, and reading it whole."""

import contextlib
import os
from pathlib import Path

import msgspec

from engine.errors import ConfigError
from flconsole.feed import RunFeed
from flconsole.fold import fold_all
from flconsole.state import RunState, outcome_verb
from flconsole.supervisor.lock import read_lock

CONFIG_NAME = "config.toml"
_BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's is."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of runs."""

    id: str
    status: str
    """`running`, `finished`, `failed`, `stopped`, or `interrupted`: it ended without saying so."""
    rounds_done: int
    rounds: int | None
    accuracy: float | None
    model: str | None
    dataset: str | None
    started_at: float | None
    run_dir: str
    size_bytes: int
    """What it takes on the disk."""


def run_dirs(runs_dir: Path) -> list[Path]:
    """Every run directory below `runs_dir`, oldest first (an id begins with the time of its start)."""
    return sorted(path.parent for path in runs_dir.resolve().glob(f"[!.]*/{CONFIG_NAME}"))


def find_run(name: str | None, runs_dir: Path) -> Path:
    """The directory of a run.

    Args:
        name: an id, a path or the unique beginning of an id; None means the newest run.
        runs_dir: where runs are kept.

    Raises:
        ConfigError: no such run, or several that begin so.
    """
    if name is not None and (Path(name) / CONFIG_NAME).is_file():
        return Path(name).resolve()
    known = run_dirs(runs_dir)
    if not known:
        raise ConfigError(f"no runs in {runs_dir}; start one with: flconsole run")
    if name is None:
        return known[-1]
    matches = [path for path in known if path.name == name] or [p for p in known if p.name.startswith(name)]
    if not matches:
        raise ConfigError(f"no run {name!r} in {runs_dir}; the newest is {known[-1].name}")
    if len(matches) > 1:
        raise ConfigError(f"{name!r} could be any of {', '.join(path.name for path in matches)}")
    return matches[0]


def size_of(folder: Path) -> int:
    """Bytes that a folder takes on the disk, with all that is in it; links are not followed."""
    size = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # rotated meanwhile
                size += Path(here, name).lstat().st_blocks * _BLOCK_BYTES
    return size


def read_state(run_dir: Path, *, samples: bool = True) -> RunState:
    """The run as its files tell it now."""
    with RunFeed(run_dir, samples=samples) as feed:
        return fold_all(RunState(), ((record.envelope, record.event) for record in feed.read_all()))


def is_alive(run_dir: Path) -> bool:
    """Whether a supervisor runs it now."""
    return read_lock(run_dir) is not None


def status_of(state: RunState, *, alive: bool) -> str:
    """The status of a run in one word; see `RunSummary.status`."""
    if alive:
        return "running"
    if state.outcome is None:
        return "interrupted"
    return outcome_verb(state.outcome)


def summarize(run_dir: Path) -> RunSummary:
    """What the list of runs tells of one run."""
    state = read_state(run_dir, samples=False)
    started = state.started
    return RunSummary(
        id=run_dir.name,
        status=status_of(state, alive=is_alive(run_dir)),
        rounds_done=state.rounds_done,
        rounds=state.rounds,
        accuracy=state.accuracy,
        model=started.model if started else None,
        dataset=started.dataset if started else None,
        started_at=state.started_at,
        run_dir=str(run_dir),
        size_bytes=size_of(run_dir),
    )
