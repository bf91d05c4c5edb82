"""A program on a terminal of its own: what it writes is counted, dated, and drawn when somebody looks."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import psutil
from rich.cells import cell_len

DEADLINE_S = 180.0
_ASKS_FOR_SYNCHRONIZED_OUTPUT = b"\x1b[?2026$p"
_HAS_SYNCHRONIZED_OUTPUT = b"\x1b[?2026;2$y"


class Terminal:
    """Runs a command on a pty, as a fast terminal that never keeps it waiting.

    Args:
        command: the program and its arguments.
        columns: width in cells.
        rows: height in lines.
        env: beside the environment of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = _Screen(columns, rows)
        self._unread: deque[tuple[float, bytes]] = deque()
        self.bytes_written = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self.started_at = time.monotonic()
        self._child = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, **terminal, **(env or {})},
        )
        os.close(slave)
        self.process = psutil.Process(self._child.pid)
        self._reader = threading.Thread(target=self._drain, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.terminate()
        self._child.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        os.close(self._master)

    def press(self, keys: str) -> float:
        """Types; returns the moment, in monotonic seconds."""
        pressed_at = time.monotonic()
        os.write(self._master, keys.encode())
        return pressed_at

    def wait_for(self, pattern: str) -> float:
        """Waits until a regular expression is on the screen; returns when it was, in monotonic seconds.

        Raises:
            TimeoutError: it never is.
        """
        give_up_at = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.text()):
            moment = self._look(give_up_at)
            if moment is None:
                raise TimeoutError(f"{pattern!r} is not on the screen:\n{self.text()}")
            if re.search(pattern, self.text()):
                return moment
        return time.monotonic()

    def text(self) -> str:
        """What is on the screen."""
        return self._screen.text()

    def settle(self, quiet_s: float) -> None:
        """Waits until nothing was written for so long."""
        give_up_at = time.monotonic() + DEADLINE_S
        written, since = self.bytes_written, time.monotonic()
        while time.monotonic() - since < quiet_s and time.monotonic() < give_up_at:
            time.sleep(0.05)
            if self.bytes_written != written:
                written, since = self.bytes_written, time.monotonic()

    def cpu_s(self) -> float:
        """Processor seconds that the program has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def measure(self, seconds: float) -> tuple[float, float]:
        """Share of a processor, in percent, and kB/s to the terminal, over some time."""
        cpu_s, written, started = self.cpu_s(), self.bytes_written, time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - started
        return 100 * (self.cpu_s() - cpu_s) / took, (self.bytes_written - written) / 1000 / took

    def _look(self, give_up_at: float) -> float | None:
        """Draws the next piece that was written; None if there is none until the deadline."""
        while not self._unread:
            if time.monotonic() > give_up_at or not self._reader.is_alive():
                return None
            time.sleep(0.001)
        moment, piece = self._unread.popleft()
        self._screen.feed(piece)
        return moment

    def _drain(self) -> None:
        with contextlib.suppress(OSError):  # the program has closed its side
            while piece := os.read(self._master, 1 << 16):
                self._unread.append((time.monotonic(), piece))
                self.bytes_written += len(piece)
                if _ASKS_FOR_SYNCHRONIZED_OUTPUT in piece:
                    os.write(self._master, _HAS_SYNCHRONIZED_OUTPUT)


class _Screen:
    """As much of a terminal as Textual makes use of: it moves the cursor, clears, and writes text."""

    _TOKEN = re.compile(
        r"\x1b\[(?P<arguments>[0-9;?<>=$ ]*)(?P<command>[@-~])"
        r"|\x1b[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[^\[\]P]|(?P<control>[\x00-\x1a\x1c-\x1f])|(?P<text>[^\x00-\x1f]+)"
    )

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._pending = b""
        self._clear()

    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._lines)

    def feed(self, piece: bytes) -> None:
        """Draws a piece; a sequence that is cut in two waits for its other half."""
        written = (self._pending + piece).decode(errors="surrogateescape")
        end = 0
        while match := self._TOKEN.match(written, end):
            end = match.end()
            if end == len(written) and match["text"] and _is_cut(match["text"]):
                end = match.start()
                break
            self._draw(match)
        self._pending = written[end:].encode(errors="surrogateescape")

    def _draw(self, token: re.Match[str]) -> None:
        if token["text"]:
            self._write(token["text"])
        elif token["command"] == "H":
            row, _, column = token["arguments"].partition(";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif token["command"] == "J" and token["arguments"] == "2":
            self._clear()
        elif token["control"] == "\n":
            self._row = min(self._row + 1, self._rows - 1)
        elif token["control"] == "\r":
            self._column = 0

    def _write(self, text: str) -> None:
        line = self._lines[self._row]
        for character in text:
            if self._column < self._columns:
                line[self._column] = character
            width = cell_len(character)
            if width == 2 and self._column + 1 < self._columns:
                line[self._column + 1] = ""
            self._column += width

    def _clear(self) -> None:
        self._lines = [[" "] * self._columns for _ in range(self._rows)]
        self._row = self._column = 0


def _is_cut(text: str) -> bool:
    """Whether a text ends in the middle of a character."""
    return "\udc80" <= text[-1] <= "\udcff"
