"""Logs to which nothing is written any more: what stands in them around a moment."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from flconsole.logs.files import MOST_LINES
from flconsole.logs.lines import Line, LineParser
from flconsole.supervisor.logs import log_size, rotated_part

_PROBE_BYTES = 16_384
"""Read to find out when the lines at a place in a log were written."""
_NEAR_BYTES = 256


class Window(NamedTuple):
    """The lines of one log around a moment."""

    lines: list[Line]
    older_bytes: int
    """Size of the lines before them."""
    newer_bytes: int
    """Size of the lines after them."""

    @property
    def since(self) -> float:
        """The moment from which on no line is missing, in seconds since the epoch."""
        return self.lines[0].ts if self.older_bytes and self.lines else float("-inf")

    @property
    def until(self) -> float:
        """The moment until which no line is missing."""
        return self.lines[-1].ts if self.newer_bytes and self.lines else float("inf")


class LogArchive:
    """A log with its rotated part before it, as one text.

    Args:
        path: the log.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (rotated_part(path), path)
        self._process = path.stem

    def around(self, ts: float, max_bytes: int) -> Window:
        """The lines around a moment.

        Args:
            ts: the moment, in seconds since the epoch.
            max_bytes: how much is read.

        Raises:
            OSError: the log is there and cannot be read.
        """
        sizes = [log_size(path) for path in self._paths]
        size = sum(sizes)
        middle = self._find(ts, size) if size > max_bytes else 0
        begin = max(0, min(middle - max_bytes // 2, size - max_bytes))
        data = self._read(max(0, begin - 1), min(size, begin + max_bytes))
        if begin:  # from the byte before on, which is the end of a line where a line begins here
            cut = data.find(b"\n") + 1
            data, begin = data[cut:], begin - 1 + cut
        end = begin + len(data)
        if end < size:
            data = data[: data.rfind(b"\n") + 1]
            end = begin + len(data)
        lines = data.removesuffix(b"\n").split(b"\n")[:MOST_LINES] if data else []
        return Window(LineParser(self._process).parse(lines, _written_at(self._paths)), begin, size - end)

    def _find(self, ts: float, size: int) -> int:
        """A place in the text near which the lines of that moment stand."""
        parser, low, high = LineParser(self._process), 0, size
        while high - low > _NEAR_BYTES:
            middle = (low + high) // 2
            _torn, *lines = self._read(middle, middle + _PROBE_BYTES).split(b"\n")
            found = next((at for at in map(parser.time_of, lines) if at is not None), None)
            if found is None or found > ts:
                high = middle
            else:
                low = middle
        return low

    def _read(self, begin: int, end: int) -> bytes:
        """What stands from one place to another."""
        data = b""
        for path in self._paths:
            size = log_size(path)
            if begin < size and end > 0:
                with path.open("rb", buffering=0) as file:
                    data += os.pread(file.fileno(), min(end, size) - max(0, begin), max(0, begin))
            begin, end = begin - size, end - size
        return data


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """Divides a number of bytes fairly: who needs less than its share leaves the rest to others."""
    given, left = [0] * len(sizes), total
    for done, at in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        given[at] = min(sizes[at], left // (len(sizes) - done))
        left -= given[at]
    return given


def _written_at(paths: Iterable[Path]) -> float:
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)
