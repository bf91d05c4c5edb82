"""The newest lines of all logs of a run, in memory: merged, and of each process."""

import heapq
import re
import sys
import threading
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from flconsole.log_files import LogFollower
from flconsole.log_lines import Line, LineParser
from flconsole.text import visible

MERGED = ""
"""The name of the log that has the lines of every process."""
MERGED_LINES = 20_000
PROCESS_LINES = 40_000
"""Of all processes together, beside the merged log; most lines stand in both and are kept once."""
MAX_BYTES = 12_000_000
"""Of the merged log, and of all processes together: lines can be long."""
_FIRST_BYTES = 3_000_000
"""Read of all logs together when they are opened."""
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
    """Follows `logs/` of a run. `poll` reads; a thread may do that while another asks for lines.

    Lines of different processes stand in the order of their times within what one look has found.

    Args:
        folder: the folder of the logs; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._paths: set[Path] = set()
        self._sources: dict[str, _Source] = {}
        self._merged = Ring(MERGED_LINES, MAX_BYTES)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    # --- reading the files

    def start(self) -> Self:
        """Reads from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._follow, name="logs", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Ends the thread; it is not waited for, for a file of a dead network can hold it."""
        self._closed.set()

    def poll(self) -> bool:
        """Reads what was written since the last time; whether there was anything."""
        self._find_logs()
        batches = [batch for source in self._sources.values() if (batch := source.read())]
        merged = list(heapq.merge(*batches, key=attrgetter("ts")))
        with self._lock:
            self._merged.extend(merged)
            for batch in batches:
                self._sources[batch[0].process].ring.extend(batch)
        return bool(merged)

    def _follow(self) -> None:
        while not self._closed.is_set():
            self.poll()
            self._closed.wait(_POLL_S)

    def _find_logs(self) -> None:
        new = sorted(set(self.folder.glob("*.log")) - self._paths)
        if not new:
            return
        self._paths.update(new)
        count = len(self._paths)
        tail_bytes = max(16_384, _FIRST_BYTES // count)
        sources = [*self._sources.values(), *(_Source(path, tail_bytes) for path in new)]
        share = (min(MERGED_LINES, max(200, PROCESS_LINES // count)), max(100_000, MAX_BYTES // count))
        with self._lock:
            for source in sources:
                source.ring.resize(*share)
            self._sources = {s.name: s for s in sorted(sources, key=lambda s: _natural(s.name))}

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
        chosen = [s for s in self._sources.values() if process in (MERGED, s.name)]
        unread = sum(source.follower.older_bytes for source in chosen)
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
        self.follower = LogFollower(path, tail_bytes=tail_bytes)
        self.parser = LineParser(path.stem)
        self.ring = Ring(0, 0)
        self._trouble = ""

    def read(self) -> list[Line]:
        try:
            chunk = self.follower.read()
        except OSError as error:
            trouble, self._trouble = self._trouble, f"{self.path.name}: {error.strerror}"
            return [self.parser.note(self._trouble, 0.0)] if trouble != self._trouble else []
        if chunk is None:
            return []
        note = [self.parser.note(chunk.gap, chunk.written_at)] if chunk.gap else []
        return note + self.parser.parse(chunk.lines, chunk.written_at)


def _size(line: Line) -> int:
    return sys.getsizeof(line.text)


def _natural(name: str) -> list[str | int]:
    """Sorts `client-2` before `client-10`."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"(\d+)", name))]
