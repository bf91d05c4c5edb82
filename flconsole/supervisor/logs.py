"""Keeps the logs of a long run bounded, without the help of those who write them."""

import os
from pathlib import Path

from engine.errors import RunDirectoryError

MAX_LOG_BYTES = 10_000_000
_BLOCK = 1 << 20


def rotate_logs(folder: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Moves what a log of more than `max_bytes` holds to its `rotated_part` and empties the log.

    Every writer appends (O_APPEND), so it goes on at the beginning of the emptied file, which stays the same
    file. The copy is pursued until it has caught up with the writer; a line that is written in the instant
    between that and the cut is lost.

    Raises:
        RunDirectoryError: there is no room for the copy; the log is as it was.
    """
    for path in folder.glob("*.log"):
        if path.stat().st_size > max_bytes:
            try:
                _rotate(path)
            except OSError as error:
                raise RunDirectoryError(f"{path}: cannot be rotated: {error.strerror}") from error


def rotated_part(path: Path) -> Path:
    """The file to which the lines of a log are moved when it gets large."""
    return path.with_name(f"{path.name}.1")


def log_size(path: Path) -> int:
    """Bytes in a log; 0 where it does not exist yet."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _rotate(path: Path) -> None:
    with path.open("rb", buffering=0) as log, rotated_part(path).open("wb") as kept:
        while block := log.read(_BLOCK):
            kept.write(block)
            kept.flush()  # whoever finds the log emptied finds its lines here
        os.truncate(path, 0)
