"""Keeps what was rejected in the run directory, where it outlives the broker; never more than a little."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.errors import RunDirectoryError
from engine.telemetry import VERSION, DeadLetter
from engine.transport.base import Record

FILE_NAME = "dead_letters.jsonl"
OLDER_FILE_NAME = "dead_letters.1.jsonl"
HEAD_BYTES = 4096
"""So much is kept of a record."""
MAX_FILE_RECORDS = 500
MAX_FILE_BYTES = 4_000_000
"""A file that is full becomes the older one, and the one that was older is gone: twice as much at most."""


class DeadLetters:
    """The one writer of the files.

    Args:
        run_dir: the run directory; what an earlier server kept there stays.
        clock: wall-clock seconds.

    Raises:
        RunDirectoryError: the files cannot be written.
    """

    def __init__(self, run_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._older, self._clock = run_dir / FILE_NAME, run_dir / OLDER_FILE_NAME, clock
        try:
            kept = self._path.read_bytes() if self._path.exists() else b""
            whole = kept[: kept.rfind(b"\n") + 1]
            if whole != kept:  # a server was killed in the middle of a line
                os.truncate(self._path, len(whole))
        except OSError as error:
            raise self._problem(error) from error
        self._records, self._bytes = whole.count(b"\n"), len(whole)

    def keep(
        self, record: Record, *, client: str, round_number: int | None, reason: str, detail: str
    ) -> None:
        """Keeps the head of a rejected record.

        Args:
            record: as it came.
            client: who sent it, as it says; empty if it does not.
            round_number: what it is for, likewise.
            reason: short name of what is wrong with it.
            detail: the same in words.

        Raises:
            RunDirectoryError: it cannot be written.
        """
        letter = DeadLetter(
            v=VERSION,
            ts=round(self._clock(), 3),
            reason=reason,
            detail=detail,
            client=client,
            round=round_number,
            topic=record.place.topic,
            partition=record.place.partition,
            offset=record.offset,
            size=len(record.value),
            head=record.value[:HEAD_BYTES],
        )
        self._append(msgspec.json.encode(letter) + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            if self._records >= MAX_FILE_RECORDS or self._bytes + len(line) > MAX_FILE_BYTES:
                self._path.replace(self._older)
                self._records = self._bytes = 0
            with self._path.open("ab", buffering=0) as file:
                file.write(line)
        except OSError as error:
            raise self._problem(error) from error
        self._records += 1
        self._bytes += len(line)

    def _problem(self, error: OSError) -> RunDirectoryError:
        return RunDirectoryError(f"{self._path}: {error.strerror}")
