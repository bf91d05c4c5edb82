"""The newest lines of all logs of a run, in memory: merged, and of each process."""

import heapq
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from flconsole.logs.archive import LogArchive, Window, shares
from flconsole.logs.files import LogFollower, whole_size
from flconsole.logs.lines import Level, Line, LineParser
from flconsole.text import natural, visible

MERGED = ""
"""The name of the log that has the lines of every process."""
MERGED_LINES = 20_000
PROCESS_LINES = 20_000
"""Of all processes together, beside the merged log; most lines stand in both and are kept once."""
MAX_BYTES = 12_000_000
"""Of the merged log, and of all processes together: lines can be long."""
_FIRST_BYTES = 2_000_000
"""Read of all logs together when they are opened, and around a moment."""
_LEAST_BYTES = 16_384
"""Of each log."""
_POLL_S = 0.25


class Fresh(NamedTuple):
    """What is new in a log."""

    begin: int
    """The number of the oldest line that is still kept; the first line of all has 0."""
    first: int
    """The number of the first of `lines`."""
    lines: list[Line]


class Ring:
    """The newest lines of a log.

    Args:
        max_lines: how many are kept.
        max_bytes: how much memory their text may take.
    """

    def __init__(self, max_lines: int, max_bytes: int) -> None:
        self._lines: list[Line] = []
        self.begin = 0
        """How many lines have fallen out."""
        self._bytes = 0
        self.resize(max_lines, max_bytes)

    @property
    def end(self) -> int:
        """How many lines there ever were."""
        return self.begin + len(self._lines)

    def resize(self, max_lines: int, max_bytes: int) -> None:
        self._max_lines, self._max_bytes = max_lines, max_bytes
        self._trim()

    def extend(self, lines: Sequence[Line]) -> None:
        self._lines.extend(lines)
        self._bytes += sum(map(_size, lines))
        self._trim()

    def replace(self, lines: Sequence[Line]) -> None:
        """Lets go of all lines and takes others instead, which count as newer."""
        self.begin, self._lines, self._bytes = self.end, [], 0
        self.extend(lines)

    def since(self, number: int) -> list[Line]:
        """The lines that are kept from the one with that number on."""
        return self._lines[max(0, number - self.begin) :]

    def _trim(self) -> None:
        excess = max(0, len(self._lines) - self._max_lines)
        self._bytes -= sum(map(_size, self._lines[:excess]))
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._lines[excess])
            excess += 1
        del self._lines[:excess]
        self.begin += excess


class LogStore:
    """Follows `logs/` of a run, or looks up what stands there around a moment.

    `poll` reads; a thread may do that while another asks for lines. Lines of different processes stand in the
    order of their times within what one look has found.

    Args:
        folder: the folder of the logs; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._paths: set[Path] = set()
        self._sources: dict[str, _Source] = {}
        self._merged = Ring(MERGED_LINES, MAX_BYTES)
        self._moment: float | None = None
        self._since, self._until = float("inf"), float("-inf")
        """Between these moments, what `_moment` asks for is there."""
        self._wake = threading.Event()
        self._is_closed = False
        self._trouble = ""

    # --- reading the files

    def start(self) -> Self:
        """Reads from now on, in a thread of its own."""
        threading.Thread(target=self._follow, name="logs", daemon=True).start()
        return self

    def close(self) -> None:
        """Ends the thread; it is not waited for, for a file of a dead network can hold it."""
        self._is_closed = True
        self._wake.set()

    def look_at(self, ts: float | None) -> None:
        """Says what is wanted, where the logs are too large to be kept whole.

        Args:
            ts: a moment in a run that is over, in seconds since the epoch; None for the newest lines. From a
                moment there is no way back to the newest.
        """
        self._moment = ts
        if ts is not None and not self._since <= ts <= self._until:
            self._wake.set()

    def poll(self) -> bool:
        """Reads what was written since the last time, or around the moment; whether there was anything."""
        self._find_logs()
        moment = self._moment
        if moment is None:
            return self._read_new()
        if self._since <= moment <= self._until:
            return False
        self._read_around(moment)
        return True

    def _follow(self) -> None:
        while not self._is_closed:
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001  # no bug may end the logs without a word
                self._complain(error)
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _complain(self, error: Exception) -> None:
        before, self._trouble = self._trouble, f"[reading the logs: {type(error).__name__}: {error}]"
        if before != self._trouble:
            line = Line("console", time.time(), Level.ERROR, visible(self._trouble))
            with self._lock:
                self._merged.extend([line])

    def _find_logs(self) -> None:
        new = sorted(set(self.folder.glob("*.log")) - self._paths)
        if not new:
            return
        self._paths.update(new)
        tails = shares([whole_size(path) for path in new], _FIRST_BYTES)
        sources = [
            *self._sources.values(),
            # a log that has just begun may grow before it is read
            *(_Source(path, max(_LEAST_BYTES, tail)) for path, tail in zip(new, tails, strict=True)),
        ]
        count = len(sources)
        share = (min(MERGED_LINES, max(200, PROCESS_LINES // count)), max(100_000, MAX_BYTES // count))
        with self._lock:
            for source in sources:
                source.ring.resize(*share)
            self._sources = {s.name: s for s in sorted(sources, key=lambda s: natural(s.name))}

    def _read_new(self) -> bool:
        batches = {name: batch for name, source in self._sources.items() if (batch := source.read_new())}
        merged = list(heapq.merge(*batches.values(), key=_ts))
        with self._lock:
            self._merged.extend(merged)
            for name, batch in batches.items():
                self._sources[name].ring.extend(batch)
        return bool(merged)

    def _read_around(self, moment: float) -> None:
        sources = self._sources.values()
        given = shares([whole_size(source.path) for source in sources], _FIRST_BYTES)
        windows = [source.read_around(moment, share) for source, share in zip(sources, given, strict=True)]
        merged = list(heapq.merge(*(window.lines for window in windows), key=_ts))
        end = min(len(merged), max(MERGED_LINES, bisect_right(merged, moment, key=_ts) + MERGED_LINES // 2))
        begin = max(0, end - MERGED_LINES)
        with self._lock:
            self._merged.replace(merged[begin:end])
            for source, window in zip(sources, windows, strict=True):
                source.ring.replace(window.lines)
        since = [window.since for window in windows] + [line.ts for line in merged[:begin][-1:]]
        until = [window.until for window in windows] + [line.ts for line in merged[end:][:1]]
        # the moment itself is between them, or a log whose times go back and forth would be read for ever
        self._since = min(moment, max(since, default=moment))
        self._until = max(moment, min(until, default=moment))

    # --- what was read

    @property
    def processes(self) -> tuple[str, ...]:
        """Who has a log, in natural order."""
        return tuple(self._sources)

    def since(self, process: str, number: int) -> Fresh:
        """The lines of a process, or merged, from the one with that number on."""
        with self._lock:
            ring = self._ring(process)
            return Fresh(ring.begin, max(number, ring.begin), ring.since(number))

    def older(self, process: str, lines: int) -> str:
        """Where the lines are that are not in memory any more or never were; empty where there are none.

        Args:
            process: whose; empty for merged.
            lines: how many have fallen out since they were read.
        """
        chosen = [source for source in self._sources.values() if process in (MERGED, source.name)]
        unread, lines = sum(source.older_bytes for source in chosen), 0 if self._moment is not None else lines
        amounts = [f"{lines:,} older lines"] * bool(lines) + [f"{unread:,} older bytes"] * bool(unread)
        place = f"logs/{process}.log" if process else "logs/"
        return f"{' and '.join(amounts)} are in {place}" if amounts else ""

    def _ring(self, process: str) -> Ring:
        if process == MERGED:
            return self._merged
        source = self._sources.get(process)
        return source.ring if source is not None else Ring(0, 0)


class _Source:
    """The log of one process."""

    def __init__(self, path: Path, tail_bytes: int) -> None:
        self.path, self.name = path, visible(path.stem)
        self.ring = Ring(0, 0)
        self.older_bytes = 0
        """Bytes before the lines that were read."""
        self._follower = LogFollower(path, tail_bytes=tail_bytes)
        self._archive = LogArchive(path)
        self._parser = LineParser(path.stem)
        self._trouble = ""

    def read_new(self) -> list[Line]:
        try:
            chunk = self._follower.read()
        except OSError as error:
            return self._complain(error)
        self.older_bytes = self._follower.older_bytes
        if chunk is None:
            return []
        note = [self._parser.note(chunk.gap, chunk.written_at)] if chunk.gap else []
        return note + self._parser.parse(chunk.lines, chunk.written_at)

    def read_around(self, moment: float, max_bytes: int) -> Window:
        try:
            window = self._archive.around(moment, max_bytes)
        except OSError as error:
            return Window(self._complain(error), 0, 0)
        self.older_bytes = window.older_bytes
        return window

    def _complain(self, error: OSError) -> list[Line]:
        before, self._trouble = self._trouble, f"{self.path.name}: {error.strerror}"
        return [self._parser.note(self._trouble, 0.0)] if before != self._trouble else []


_ts = attrgetter("ts")


def _size(line: Line) -> int:
    return sys.getsizeof(line.text)
