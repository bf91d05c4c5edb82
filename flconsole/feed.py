"""Follows the files of a run directory as they grow: only whole lines, and only bytes not read before.

Live view, re-attached view and replay read the same files through this module.
"""

import heapq
import os
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from engine import telemetry

EVENT_FILES = ("events.jsonl", "processes.jsonl")
SAMPLE_FILE = "samples.jsonl"


class LineFollower:
    """The lines of a file that another process appends to.

    A line without its newline is not there yet. A file that shrank below what was read is read again from its
    start; one that was replaced (rotated) is read to its end before its successor is opened.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._position = 0  # just after the last whole line

    def read(self) -> list[bytes]:
        """The whole lines that were added since the last call, without their newlines."""
        lines = self._read_open_file()
        if self._is_replaced():
            self.close()
            self._open()
            lines += self._read_open_file()
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _open(self) -> None:
        try:
            self._file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            self._file = None

    def _is_replaced(self) -> bool:
        """Whether the path now names another file than the open one."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        here = os.fstat(self._file.fileno())
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def _read_open_file(self) -> list[bytes]:
        if self._file is None:
            return []
        size = os.fstat(self._file.fileno()).st_size
        if size < self._position:
            self._position = 0
        if size == self._position:
            return []
        self._file.seek(self._position)
        whole, newline, _torn = self._file.read(size - self._position).rpartition(b"\n")
        self._position += len(whole) + len(newline)
        return whole.split(b"\n") if newline else []


class Record(msgspec.Struct, frozen=True):
    """One line of a file of events."""

    line: bytes
    """As it stands in the file, without its newline."""
    envelope: telemetry.Envelope
    event: telemetry.AnyEvent | None
    """None where this software does not know the type."""


class RunFeed:
    """Everything a run records, as it is recorded.

    The lines of one file keep their order; between files the time written in them decides, batch by batch.

    Args:
        run_dir: the run directory.
        samples: whether to follow the resource samples too.
    """

    def __init__(self, run_dir: Path, *, samples: bool = True) -> None:
        names = (*EVENT_FILES, SAMPLE_FILE) if samples else EVENT_FILES
        self._followers = [LineFollower(run_dir / name) for name in names]

    def read(self) -> list[Record]:
        """What was recorded since the last call. A line that is no event (a damaged file) is passed over."""
        batches = [filter(None, map(decode, follower.read())) for follower in self._followers]
        return list(heapq.merge(*batches, key=lambda record: record.envelope.ts))

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
