"""Follows the files of a run directory as they grow: only whole lines, and only bytes not read before.

Live view, re-attached view and replay read the same files through this module. A history of any size is read
piece by piece, so that memory stays flat.
"""

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, Self

import msgspec

from engine import telemetry
from engine.errors import RunDirectoryError

EVENT_FILES = ("events.jsonl", "processes.jsonl")
SAMPLE_FILE = "samples.jsonl"
OLDER_SAMPLE_FILE = "samples.1.jsonl"
PIECE_BYTES = 1 << 17
"""A piece of a history: some hundred records, a few milliseconds of work."""

_LONGEST_LINE = 1 << 24
"""Whatever is longer is no line of ours, and is handed out in pieces."""


class Lines(Protocol):
    """Lines that are read one after the other."""

    is_behind: bool
    """Whether the last call left whole lines unread because of its bound."""

    def read(self, max_bytes: int | None = None) -> list[bytes]:
        """The next lines, without their newlines; all that are there, or about `max_bytes`."""


class LineFollower:
    """The lines of a file that another process appends to.

    A line without its newline is not there yet. A file that was replaced (rotated) is read to its end before
    its successor is opened. One that shrank below what was read was emptied, and is read from its start.

    Args:
        path: the file; it need not exist yet.
        older: where it is moved to when it is rotated, or copied to before it is emptied. What lies there and
            was not read is read before the file itself.
    """

    def __init__(self, path: Path, older: Path | None = None) -> None:
        self.path, self._older = path, older
        self._file: BinaryIO | None = None
        self._position = 0  # just after the last whole line
        self.is_behind = False

    def read(self, max_bytes: int | None = None) -> list[bytes]:
        """The whole lines that were added since the last call, without their newlines.

        Args:
            max_bytes: about how much to read of one file; None means all. A longer line is read all the same.

        Raises:
            RunDirectoryError: the file is there and cannot be read.
        """
        try:
            lines = self._read_open_file(max_bytes)
            while not self.is_behind and self._open_successor():
                lines += self._read_open_file(max_bytes)
        except OSError as error:
            raise RunDirectoryError(f"{self.path}: {error.strerror}") from error
        return lines

    @property
    def bytes_left(self) -> int:
        """About how much there is still to be read."""
        here = 0 if self._file is None else os.fstat(self._file.fileno()).st_size - self._position
        return here + sum(path.stat().st_size for path in self._successors() if path.exists())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _open_successor(self) -> bool:
        successors = self._successors()
        if not successors:
            return False
        try:
            successor = successors[0].open("rb", buffering=0)
        except FileNotFoundError:  # just being rotated: the next call finds it
            return False
        self.close()
        self._file = successor
        return True

    def _successors(self) -> list[Path]:
        """The files to be read after the open one."""
        newest = _identity(self.path)
        here = None if self._file is None else _device_and_inode(os.fstat(self._file.fileno()))
        if newest is None or newest == here:
            return []
        rotated = None if self._older is None else _identity(self._older)
        missed = [] if self._older is None or rotated in (None, here) else [self._older]
        return [*missed, self.path]

    def _read_open_file(self, max_bytes: int | None) -> list[bytes]:
        if self._file is None:
            return []
        size = os.fstat(self._file.fileno()).st_size
        rest: list[bytes] = []
        if size < self._position:
            rest, self._position = self._rest_of_copy(), 0
        lines, self._position, self.is_behind = read_lines(
            self._file.fileno(), self._position, size, max_bytes
        )
        return rest + lines

    def _rest_of_copy(self) -> list[bytes]:
        """What was written after the last read and before the file was emptied."""
        if self._older is None:
            return []
        try:
            with self._older.open("rb", buffering=0) as copy:
                size = os.fstat(copy.fileno()).st_size
                return read_lines(copy.fileno(), self._position, max(size, self._position), None)[0]
        except FileNotFoundError:
            return []


def read_lines(descriptor: int, start: int, end: int, max_bytes: int | None) -> tuple[list[bytes], int, bool]:
    """The whole lines between two offsets of a file, or as many of them as the bound allows.

    Returns:
        The lines without their newlines, the offset just after them, and whether the bound left others.
    """
    bound = end - start if max_bytes is None else max_bytes
    while True:
        data = os.pread(descriptor, min(bound, end - start), start)
        is_bounded = len(data) == bound < end - start
        whole, newline, torn = data.rpartition(b"\n")
        if newline:
            return whole.split(b"\n"), start + len(whole) + 1, is_bounded
        if not is_bounded:
            return [], start, False
        if bound >= _LONGEST_LINE:
            return [torn], start + len(torn), True
        bound *= 2


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of a file of events."""

    line: bytes
    """As it stands in the file, without its newline."""
    envelope: telemetry.Envelope
    event: telemetry.AnyEvent | None
    """None where this software does not know the type."""


class Mark(NamedTuple):
    """Where the records of one file stand in a merge, so that another merge can go on from there."""

    taken: int = 0
    """Of the piece that was read last, so many records have been merged."""
    newest: float = 0.0
    """The latest time before that piece."""


class Merge:
    """The records of several files as one sequence.

    The lines of one file keep their order; between files the time written in them decides. How many bytes are
    read at once makes no difference to the order, as long as nothing is appended meanwhile.

    Args:
        sources: the files' lines.
        marks: where to go on, one for each source; each source then begins with the piece read last.
    """

    def __init__(self, sources: Sequence[Lines], marks: Sequence[Mark] | None = None) -> None:
        self._queues = [
            _Queue(source, mark)
            for source, mark in zip(sources, marks or [Mark()] * len(sources), strict=True)
        ]

    def read(self, max_bytes: int | None = None) -> list[Record]:
        """The next records; there may be more, and this may be none, while the merge `is_behind`."""
        for queue in self._queues:
            queue.fill(max_bytes)
        # a file of which more is left may go on at the time it has reached: nothing later may come before
        horizon = min(
            ((queue.newest, place) for place, queue in enumerate(self._queues) if queue.source.is_behind),
            default=(math.inf, 0),
        )
        ready = []
        for place, queue in enumerate(self._queues):
            ready += [(ts, place, record) for ts, record in queue.take_until(horizon, place)]
        ready.sort(key=lambda item: item[:2])
        return [record for _ts, _place, record in ready]

    @property
    def is_behind(self) -> bool:
        """Whether the last call left records that are there."""
        return any(queue.source.is_behind or queue.pending for queue in self._queues)

    @property
    def marks(self) -> tuple[Mark, ...]:
        return tuple(queue.mark for queue in self._queues)


class _Queue:
    """The records of one file that were read and wait for their turn."""

    def __init__(self, source: Lines, mark: Mark) -> None:
        self.source = source
        self.newest = mark.newest
        self.pending: deque[tuple[float, Record]] = deque()
        self._before_piece, self._taken, self._skip = mark.newest, 0, mark.taken

    @property
    def mark(self) -> Mark:
        return Mark(self._taken, self._before_piece)

    def fill(self, max_bytes: int | None) -> None:
        """Reads the next piece once the one before is used up."""
        if self.pending:
            return
        self._before_piece, self._taken = self.newest, 0
        for record in filter(None, map(decode, self.source.read(max_bytes))):
            self.newest = max(
                self.newest, record.envelope.ts
            )  # a clock that steps back turns no order around
            self.pending.append((self.newest, record))
        for _ in range(min(self._skip, len(self.pending))):
            self.pending.popleft()
        self._taken, self._skip = self._skip, 0

    def take_until(self, horizon: tuple[float, int], place: int) -> Iterator[tuple[float, Record]]:
        while self.pending and (self.pending[0][0], place) <= horizon:
            self._taken += 1
            yield self.pending.popleft()


class RunFeed:
    """Everything a run records, as it is recorded.

    Args:
        run_dir: the run directory.
        samples: whether to follow the resource samples too.
    """

    def __init__(self, run_dir: Path, *, samples: bool = True) -> None:
        self._followers = [LineFollower(run_dir / name) for name in EVENT_FILES]
        if samples:
            self._followers.append(LineFollower(run_dir / SAMPLE_FILE, run_dir / OLDER_SAMPLE_FILE))
        self._merge = Merge(self._followers)

    def read(self, max_bytes: int | None = None) -> list[Record]:
        """What was recorded since the last call. A line that is no event (a damaged file) is passed over.

        Args:
            max_bytes: about how much to read of each file; None means all. Records are left while the feed
                `is_behind`, even where this call has none.

        Raises:
            RunDirectoryError: a file cannot be read.
        """
        return self._merge.read(max_bytes)

    def read_all(self) -> Iterator[Record]:
        """Everything that is there now, read piece by piece."""
        yield from self.read(PIECE_BYTES)
        while self.is_behind:
            yield from self.read(PIECE_BYTES)

    @property
    def is_behind(self) -> bool:
        """Whether records that are there have not been read."""
        return self._merge.is_behind

    @property
    def bytes_left(self) -> int:
        """About how much there is still to be read."""
        return sum(follower.bytes_left for follower in self._followers)

    def close(self) -> None:
        for follower in self._followers:
            follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def decode(line: bytes) -> Record | None:
    """Reads one line; None where it is not an event at all."""
    try:
        envelope, event = telemetry.decode_line(line)
    except msgspec.DecodeError:
        return None
    return Record(line, envelope, event)


def _identity(path: Path) -> tuple[int, int] | None:
    """Tells a file from another that has its name; None where there is none."""
    try:
        return _device_and_inode(path.stat())
    except FileNotFoundError:
        return None


def _device_and_inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
