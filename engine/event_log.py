"""Appends events to a JSON-lines file: enveloped, numbered and chained by hash.

Each line is written by one `write` on a descriptor opened with O_APPEND. A torn last line is cut when the
file is opened again. `verify_chain` is the check of the audit chain.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from blake3 import blake3

from engine import telemetry
from engine.errors import RunDirectoryError

_TAIL_BLOCK = 1 << 16


class EventLog:
    """The one writer of a file of events.

    Args:
        path: the file; created if it is not there.
        run: the run's id, repeated in every line.
        origin: who writes, `server` or `supervisor`.
        clock: wall-clock seconds, for `ts`.

    Raises:
        RunDirectoryError: the file cannot be opened, its last line is damaged or, later, the disk is full.
    """

    def __init__(self, path: Path, *, run: str, origin: str, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._run, self._origin, self._clock = run, origin, clock
        try:
            _cut_torn_line(path)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            last = _last_line(path)
        except OSError as error:
            raise RunDirectoryError(f"{path}: {error.strerror}") from error
        self._prev = blake3(last).hexdigest() if last else ""
        self._incarnation = _decode(path, last)[0].incarnation + 1 if last else 1
        self._seq = 0

    @property
    def incarnation(self) -> int:
        """Which writer of this file this is: 1 for the first."""
        return self._incarnation

    def append(self, event: telemetry.Event) -> None:
        """Writes one event.

        Raises:
            RunDirectoryError: the line could not be written whole.
        """
        self._seq += 1
        fields: dict[str, Any] = {
            "v": telemetry.VERSION,
            "ts": round(self._clock(), 3),
            "run": self._run,
            "origin": self._origin,
            "incarnation": self._incarnation,
            "seq": self._seq,
            **msgspec.to_builtins(event),
        }
        if event.chained:
            fields["prev"] = self._prev
        line = msgspec.json.encode(fields)
        try:
            written = os.write(self._fd, line + b"\n")
        except OSError as error:
            raise RunDirectoryError(f"{self.path}: {error.strerror}") from error
        if written != len(line) + 1:
            wanted = len(line) + 1
            raise RunDirectoryError(
                f"{self.path}: only {written} of {wanted} bytes written; is the disk full?"
            )
        if event.chained:
            self._prev = blake3(line).hexdigest()

    def sync(self) -> None:
        """Forces what was written to the disk."""
        os.fsync(self._fd)

    def rotate(self, target: Path) -> None:
        """Moves what was written to `target` and goes on in a new file, numbering and chain unbroken."""
        self.path.rename(target)
        os.close(self._fd)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        os.close(self._fd)


def read_events(path: Path) -> Iterator[tuple[telemetry.Envelope, telemetry.AnyEvent | None]]:
    """The whole lines of a file of events, in order; nothing where the file does not exist.

    Raises:
        RunDirectoryError: a line is damaged; names the file.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _decode(path, line)


def verify_chain(path: Path) -> int | None:
    """The number, from 1, of the first line whose `prev` is not the hash of the one before; None if whole."""
    prev = ""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                envelope, _ = telemetry.decode_line(line)
            except msgspec.DecodeError:
                return number
            if envelope.prev != prev:
                return number
            prev = blake3(line.rstrip(b"\n")).hexdigest()
    return None


def _decode(path: Path, line: bytes) -> tuple[telemetry.Envelope, telemetry.AnyEvent | None]:
    try:
        return telemetry.decode_line(line)
    except msgspec.DecodeError as error:
        raise RunDirectoryError(
            f"{path}: a line was damaged after it was written: {error}; restore the file, "
            "or start a new run from a checkpoint with --init-from"
        ) from None


def _cut_torn_line(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        start = end
        while start > 0:
            start = max(0, start - _TAIL_BLOCK)
            file.seek(start)
            newline = file.read(min(_TAIL_BLOCK, end - start)).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
        file.truncate(0)


def _last_line(path: Path) -> bytes:
    """The last whole line, without its newline; empty in an empty file."""
    with path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        tail = b""
        while start > 0:
            step = min(_TAIL_BLOCK, start)
            start -= step
            file.seek(start)
            tail = file.read(step) + tail
            before = tail.rstrip(b"\n").rfind(b"\n")
            if before >= 0:
                return tail[before + 1 :].rstrip(b"\n")
        return tail.rstrip(b"\n")
