"""One log as an operator reads it: the lines that pass a filter, their matches, the rows they take."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from flconsole.logs.lines import Level, Line
from flconsole.logs.store import MERGED, LogStore
from flconsole.patterns import compile_pattern


def search_pattern(text: str) -> re.Pattern[str] | None:
    """A regular expression in which small letters match both cases; None where there is no text.

    Raises:
        BadPattern: it is none.
    """
    return compile_pattern(text, 0 if any(map(str.isupper, text)) else re.IGNORECASE) if text else None


class LogFilter(NamedTuple):
    """Which lines are shown."""

    level: Level = Level.DEBUG
    """The least serious."""
    pattern: re.Pattern[str] | None = None
    """What they match; None for anything."""

    def select(self, lines: Iterable[Line]) -> list[int]:
        """The indexes of the lines that pass."""
        level = self.level
        if self.pattern is None:
            return [at for at, line in enumerate(lines) if line.level >= level]
        search = self.pattern.search
        return [at for at, line in enumerate(lines) if line.level >= level and search(line.text)]


class Taken(NamedTuple):
    """How a log has changed."""

    dropped: int
    """Lines that are gone from its beginning."""
    added: int
    """Lines at its end."""


class FilteredLog:
    """The lines of one log that pass a filter. Each line is looked at once.

    `collect` finds what is new, `take` lets it in: between the two, nothing moves under the reader's eyes.

    Args:
        store: where the lines are.
        process: whose; empty for merged.
        chosen: the filter; None lets everything pass.
    """

    def __init__(self, store: LogStore, process: str = MERGED, chosen: LogFilter | None = None) -> None:
        self._store, self.process, self.filter = store, process, chosen or LogFilter()
        self.lines: list[Line] = []
        self._numbers = array("q")
        self._waiting: list[Line] = []
        self._waiting_numbers = array("q")
        self._next = 0
        self._begin = self._oldest = 0
        self.new = 0
        """How many lines were found and not yet taken, those included that fell out meanwhile."""

    def collect(self) -> bool:
        """Finds what was written since the last time; whether anything passes the filter."""
        fresh = self._store.since(self.process, self._next)
        selected = self.filter.select(fresh.lines)
        self._waiting += [fresh.lines[at] for at in selected]
        self._waiting_numbers.extend(fresh.first + at for at in selected)
        self._next = fresh.first + len(fresh.lines)
        self._oldest = fresh.begin
        gone = bisect_left(self._waiting_numbers, self._oldest)
        del self._waiting[:gone], self._waiting_numbers[:gone]
        self.new += len(selected)
        return bool(selected)

    def take(self) -> Taken:
        """Lets in what was collected, and lets go what has fallen out of the store."""
        dropped = bisect_left(self._numbers, self._oldest)
        del self.lines[:dropped], self._numbers[:dropped]
        added = len(self._waiting)
        self.lines += self._waiting
        self._numbers += self._waiting_numbers
        self._waiting, self._waiting_numbers, self.new = [], array("q"), 0
        self._begin = self._oldest
        return Taken(dropped, added)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the processes whose lines may stand here, where there are several."""
        return () if self.process else self._store.processes

    @property
    def older(self) -> str:
        """Where the lines before the first one are; empty where there are none."""
        return self._store.older(self.process, self._begin)

    def index_of(self, line: Line) -> int:
        """Where a line is; where it is not, the index of what was written just after it."""
        begin = bisect_left(self.lines, line.ts, key=lambda other: other.ts)
        end = self.end_at(line.ts)
        return next((at for at in range(begin, end) if self.lines[at] is line), begin)

    def end_at(self, ts: float) -> int:
        """How many lines were written until a moment, in seconds since the epoch."""
        return bisect_right(self.lines, ts, key=lambda line: line.ts)


@dataclass(frozen=True)
class Found:
    """A line that matches."""

    index: int
    number: int
    """Which of the matching lines it is, from 1 on."""
    count: int
    """How many lines match."""
    has_wrapped: bool
    """Whether the search went over an end of the log."""


def find(lines: Sequence[Line], pattern: re.Pattern[str], start: int, *, forward: bool) -> Found | None:
    """The next matching line from `start` on, itself included; goes on at the other end.

    Args:
        lines: where to look.
        pattern: what to look for.
        start: an index; may lie outside.
        forward: whether to go to the newer lines.
    """
    search = pattern.search
    matches = [at for at, line in enumerate(lines) if search(line.text)]
    if not matches:
        return None
    place = bisect_left(matches, start) if forward else bisect_right(matches, start) - 1
    has_wrapped = not 0 <= place < len(matches)
    place %= len(matches)
    return Found(matches[place], place + 1, len(matches), has_wrapped)


class Rows:
    """Which line stands in which row, where long lines may take several; found without drawing any.

    Args:
        width: cells of a row; None where every line takes one row, however long it is.
    """

    def __init__(self, width: int | None) -> None:
        self.width = width
        self._ends = array("q")
        """For each line, the rows up to its end, those included that were dropped."""
        self._dropped = 0

    def extend(self, lines: Sequence[Line]) -> None:
        end = self._ends[-1] if self._ends else self._dropped
        if self.width is None:
            self._ends.extend(range(end + 1, end + 1 + len(lines)))
            return
        for line in lines:
            text = line.short_text
            end += max(1, -(-len(text) // self._step(text)))
            self._ends.append(end)

    def drop(self, count: int) -> int:
        """Takes away lines from the beginning; returns how many rows those were."""
        rows = self.before(count)
        self._dropped += rows
        del self._ends[:count]
        return rows

    def before(self, index: int) -> int:
        """How many rows stand before a line, or before the end."""
        return (self._ends[index - 1] if index else self._dropped) - self._dropped

    def at(self, row: int) -> tuple[int, int]:
        """The index of the line that stands in a row, and which of the line's rows it is."""
        index = bisect_right(self._ends, row + self._dropped)
        return index, row - self.before(index)

    def part(self, text: str, number: int) -> slice:
        """What of a line's short text stands in its row of that number."""
        step = self._step(text)
        return slice(number * step, (number + 1) * step)

    def _step(self, text: str) -> int:
        """Characters to a row: where some may take two cells, all are taken to do so."""
        if self.width is None:
            return max(1, len(text))
        return self.width if text.isascii() or cell_len(text) == len(text) else max(1, self.width // 2)
