"""Follows a log that its process writes and the supervisor rotates, without ever reading much at once."""

import os
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flconsole.supervisor.logs import log_size, rotated_part

MOST_LINES = 20_000
"""Taken at once, however short they are."""
_FINGERPRINT_BYTES = 64
_TORN_S = 1.0
"""Seconds after which the beginning of a line is taken for all of it: its writer waits, or died."""


def whole_size(path: Path) -> int:
    """Bytes of a log together with its rotated part; 0 where that cannot be told, as reading it will say."""
    try:
        return log_size(path) + log_size(rotated_part(path))
    except OSError:
        return 0


class Chunk(NamedTuple):
    """What was added to a log since the last look."""

    lines: list[bytes]
    written_at: float
    """When the file was last written to, in wall-clock seconds since the epoch."""
    gap: str = ""
    """What is missing before these lines, for people; empty where nothing is."""


class LogFollower:
    """The lines of a log, from its tail on.

    `rotate_logs` moves what a log holds to `<name>.log.1` and empties the log: whatever was not read before
    that is read there. What never ends is cut into lines of `max_bytes`.

    Args:
        path: the log; it need not exist yet.
        tail_bytes: how much of what is there at first is read.
        max_bytes: how much is read at once later. What is too much is passed over, and that is said.
    """

    def __init__(self, path: Path, *, tail_bytes: int, max_bytes: int = 1_000_000) -> None:
        self.path, self._tail_bytes, self._max_bytes = path, tail_bytes, max_bytes
        self._rotated = rotated_part(path)
        self._position: int | None = None
        """Just after the last line read; None before the first look."""
        self._fingerprint = b""
        """What stands just before the position."""
        self._seen: tuple[int, int] | None = None
        self._is_torn = False
        self.older_bytes = 0
        """Bytes before the first line that was ever read."""

    def read(self) -> Chunk | None:
        """The lines added since the last call; None where there are none.

        Raises:
            OSError: the log is there and cannot be read.
        """
        try:
            status = self.path.stat()
            if self._seen == (status.st_size, status.st_mtime_ns) and not self._is_torn:
                return None
            with self.path.open("rb", buffering=0) as log:
                chunk = self._read(log, status)
        except FileNotFoundError:
            return None
        self._seen = (status.st_size, status.st_mtime_ns)
        return chunk if chunk.lines or chunk.gap else None

    def _read(self, log: BinaryIO, status: os.stat_result) -> Chunk:
        before, gap = _Part([], 0), ""
        if self._position is None:
            before = _read_part(self._rotated, 0, self._tail_bytes - status.st_size)
            self._position, self.older_bytes = 0, before.skipped
        elif _bytes_before(log, self._position, len(self._fingerprint)) != self._fingerprint:
            before, gap = self._rest_of_rotated()
            self._position, self._fingerprint = 0, b""
        is_first = self._seen is None
        limit = self._tail_bytes if is_first else self._max_bytes
        data, skipped = _read_tail(log, self._position, status.st_size, limit)
        if is_first:
            self.older_bytes += skipped
        elif skipped:
            gap = gap or _passed_over(skipped, self.path)
        lines, size = self._split(data, is_final=time.time() - status.st_mtime > _TORN_S)
        self._is_torn = size < len(data)
        self._position += skipped + size
        self._fingerprint = ((b"" if skipped else self._fingerprint) + data[:size])[-_FINGERPRINT_BYTES:]
        lines, size = _newest(before.lines + lines)
        if is_first:
            self.older_bytes += size
        elif size:
            gap = gap or _passed_over(size, self.path)
        return Chunk(lines, status.st_mtime, gap)

    def _split(self, data: bytes, *, is_final: bool) -> tuple[list[bytes], int]:
        """The whole lines at the beginning of `data`, and how many bytes they are."""
        whole, newline, torn = data.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        if torn and (is_final or len(torn) >= self._max_bytes):
            return [*lines, torn], len(data)
        return lines, len(whole) + len(newline)

    def _rest_of_rotated(self) -> tuple["_Part", str]:
        """The lines that were moved away before they were read, and what is missing before them."""
        position = self._position or 0
        try:
            with self._rotated.open("rb", buffering=0) as rotated:
                is_this_log = _bytes_before(rotated, position, len(self._fingerprint)) == self._fingerprint
        except FileNotFoundError:
            is_this_log = False
        if not is_this_log:
            lost = f"lines are lost: {self.path.name} was emptied before they were read"
            return _Part([], 0), lost
        part = _read_part(self._rotated, position, self._max_bytes)
        return part, _passed_over(part.skipped, self._rotated) if part.skipped else ""


class _Part(NamedTuple):
    """The last lines of a file that nobody writes to any more."""

    lines: list[bytes]
    skipped: int
    """Bytes before them that were not read."""


def _read_part(path: Path, start: int, max_bytes: int) -> _Part:
    """At most `max_bytes` of the lines after `start`; none where there is no such file."""
    try:
        with path.open("rb", buffering=0) as file:
            data, skipped = _read_tail(file, start, os.fstat(file.fileno()).st_size, max(0, max_bytes))
    except FileNotFoundError:
        return _Part([], 0)
    return _Part(data.removesuffix(b"\n").split(b"\n") if data else [], skipped)


def _read_tail(file: BinaryIO, start: int, end: int, max_bytes: int) -> tuple[bytes, int]:
    """What stands from `start` to `end`: of too much, the last lines, and the size of those before."""
    if end - start <= max_bytes:
        return os.pread(file.fileno(), max(0, end - start), start), 0
    # from the byte before on, which is the end of a line where a line begins here
    data = os.pread(file.fileno(), max_bytes + 1, end - max_bytes - 1)
    begin = data.find(b"\n") + 1
    return data[begin:], end - len(data) + begin - start


def _newest(lines: list[bytes]) -> tuple[list[bytes], int]:
    """The last `MOST_LINES` lines, and the size of those before."""
    older = lines[:-MOST_LINES]
    return lines[-MOST_LINES:], sum(map(len, older)) + len(older)


def _bytes_before(file: BinaryIO, position: int, size: int) -> bytes:
    return os.pread(file.fileno(), size, position - size)


def _passed_over(size: int, path: Path) -> str:
    return f"{size:,} bytes were passed over; they are in {path.name}"
