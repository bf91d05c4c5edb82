"""Finds in a log why its process failed: the first traceback since its start, or else its last words.

The first one is the cause, or begins with it: the exceptions of a chain ("During handling of the above
exception...") stand in the order in which they were raised, and belong together.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.errors import RunDirectoryError
from flconsole.supervisor.logs import log_size, rotated_part
from flconsole.text import visible

_BEGINNING = re.compile(
    rb"(?m)^[ +|]*(?:Exception Group )?Traceback \(most recent call last\):\r?$|^Fatal Python error: "
)
"""Of a traceback, that of a group of exceptions too, or of what `faulthandler` writes after a crash."""
_NEXT_RECORD = re.compile(
    rb"(?m)^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ |[IWEF]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ )"
)
"""What is logged after a traceback, by `engine.logger` or by TensorFlow: it is over there."""
_BLOCK = 1 << 20
_LONGEST = 1 << 18
_MOST_LINES = 1000
"""Of a longer traceback, the first and the last lines are kept."""
_LAST_WORDS = 1 << 13


class Excerpt(msgspec.Struct, frozen=True):
    """A part of a log, fit for a terminal."""

    log: Path
    lines: tuple[str, ...]
    """Made `visible`; none where the process wrote nothing."""
    is_traceback: bool
    """Otherwise they are the last lines, for there is no traceback."""


class _Span(NamedTuple):
    """What one process wrote into one file."""

    path: Path
    start: int
    end: int


def find_cause(log: Path, start: int | None = None, end: int | None = None) -> Excerpt:
    """The first traceback in a log, or its last lines where it has none.

    Args:
        log: the log. What was rotated out of it, to `<name>.log.1`, is looked through too.
        start: where the words of the process begin; None looks through all that is there.
        end: where those of its successor begin; None where there is none.

    Raises:
        RunDirectoryError: the log cannot be read.
    """
    try:
        spans = list(_spans(log, start or 0, end))
        for span in spans:
            if (found := _find_beginning(span)) is not None:
                return Excerpt(log, _lines(_until_next_record(span._replace(start=found))), is_traceback=True)
        return Excerpt(log, _lines(_last_words(spans)), is_traceback=False)
    except OSError as error:
        raise RunDirectoryError(f"{log}: {error.strerror}") from error


def _spans(log: Path, start: int, end: int | None) -> list[_Span]:
    """Where the words of a process are: in the log, in what was rotated out of it, or in both."""
    rotated = rotated_part(log)
    size, rotated_size = log_size(log), log_size(rotated)
    if rotated_size and end is not None and end > max(start, size):
        return [_Span(rotated, start, end)]
    if not rotated_size or 0 < start <= size:
        return [_Span(log, start, size if end is None or end <= start else end)]
    return [_Span(rotated, start, rotated_size), _Span(log, 0, size if end is None else end)]


def _find_beginning(span: _Span) -> int | None:
    """The offset of the first traceback."""
    with _open(span.path) as descriptor:
        for offset, block in _blocks(descriptor, span):
            if match := _BEGINNING.search(block):
                return offset + match.start()
    return None


def _until_next_record(span: _Span) -> bytes:
    data = _read(span._replace(end=min(span.end, span.start + _LONGEST)))
    next_record = _NEXT_RECORD.search(data)
    return data if next_record is None else data[: next_record.start()]


def _last_words(spans: list[_Span]) -> bytes:
    """The end of what was written last; a line that was cut is left out."""
    for span in reversed(spans):
        start = max(span.start, span.end - _LAST_WORDS)
        words = _read(span._replace(start=start))
        if words.strip():
            return words if start == span.start else words.partition(b"\n")[2]
    return b""


def _read(span: _Span) -> bytes:
    with _open(span.path) as descriptor:
        return os.pread(descriptor, max(0, span.end - span.start), span.start)


def _blocks(descriptor: int, span: _Span) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about a block at a time, each block with its offset."""
    start = span.start
    while block := os.pread(descriptor, max(0, min(_BLOCK, span.end - start)), start):
        whole = block[: block.rfind(b"\n") + 1] or block
        yield start, whole
        start += len(whole)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[int]:
    if not path.exists():  # nothing was ever written
        path = Path(os.devnull)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lines(text: bytes) -> tuple[str, ...]:
    lines = text.decode("utf-8", "backslashreplace").strip("\n").split("\n")
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]
    return tuple(visible(line.rstrip("\r").expandtabs(4)) for line in lines if text)
