"""Watches the room on the disk: a run is ended in order before its files are cut short."""

import shutil
from collections.abc import Callable
from pathlib import Path

from engine.errors import RunDirectoryError
from engine.telemetry import DiskLow

_MB = 1_000_000
_LOW = 2
"""So many times the minimum, and the operator is warned."""
_REMEDY = "make room, for example with `flconsole prune --keep 10`"


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write where `path` is, or will be.

    Raises:
        RunDirectoryError: nobody can tell.
    """
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    try:
        return shutil.disk_usage(there).free
    except OSError as error:
        raise RunDirectoryError(f"{there}: {error.strerror}") from error


def require_room(path: Path, min_free_disk_mb: int) -> None:
    """Lets a run start, or go on, only where there is room for it.

    Args:
        path: the run directory, or where it will be.
        min_free_disk_mb: megabytes that must be free; 0 does not look.

    Raises:
        RunDirectoryError: there are fewer; says how many, where, and what to do.
    """
    if min_free_disk_mb and (free := free_bytes(path)) < min_free_disk_mb * _MB:
        raise RunDirectoryError(
            f"{_shortage(path, free, min_free_disk_mb)}; {_REMEDY}, or ask for less with --min-free-disk-mb"
        )


class DiskWatch:
    """Says once that the disk is getting full, and as long as it is that it is full.

    Args:
        run_dir: the run directory.
        min_free_disk_mb: megabytes below which the run ends; 0 does not look.
        on_low: called when less than twice as much is left.
        on_full: called, with the reason, when less than that is left.
    """

    def __init__(
        self,
        run_dir: Path,
        min_free_disk_mb: int,
        *,
        on_low: Callable[[DiskLow], None],
        on_full: Callable[[str], None],
    ) -> None:
        self._run_dir, self._min_free_disk_mb = run_dir, min_free_disk_mb
        self._on_low, self._on_full = on_low, on_full
        self._is_low = False

    def look(self, free: int) -> None:
        """Takes a measurement, in bytes."""
        limit = self._min_free_disk_mb * _MB
        if free < _LOW * limit and not self._is_low:
            self._is_low = True
            self._on_low(DiskLow(free_bytes=free, limit_bytes=limit))
        if free < limit:
            shortage = _shortage(self._run_dir, free, self._min_free_disk_mb)
            self._on_full(f"disk: {shortage}; {_REMEDY}, then `flconsole resume {self._run_dir.name}`")


def _shortage(path: Path, free: int, min_free_disk_mb: int) -> str:
    return f"{free // _MB:,} MB free for {path}, less than min_free_disk_mb = {min_free_disk_mb}"
