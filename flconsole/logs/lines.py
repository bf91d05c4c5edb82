r"""What a line of a log says beside its text: when, and how serious.

Three writers are understood, whatever else a process prints belongs to the line before it:

    2026-11-24 09:51:03,278 INFO    client-1: joined           engine.logger, local time
    E0000 00:00:1795513862.536204   18315 gpu.cc:52] failed    TensorFlow's native code (absl)
    2026-11-24T10:04:28.746123Z ERROR tansu_service: err       the embedded broker, UTC

The text kept is the text shown: colours are taken out, every other control character is written out (`\x1b`).
So nothing that is searched, drawn, saved or copied later can give a terminal an order.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum

import msgspec

from flconsole.text import visible

MAX_LINE_BYTES = 4096
"""More of a line than that stays in the file."""


class Level(IntEnum):
    """As serious as `logging` has it."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a log."""

    process: str
    """Whose log it stands in: `server`, `client-3`."""
    ts: float
    """When it was written, in wall-clock seconds since the epoch."""
    level: Level
    text: str
    """Fit for a terminal."""
    is_stamped: bool = False
    """Whether the text begins with the date and time of `engine.logger`."""

    @property
    def short_text(self) -> str:
        """The text without what takes room and says little: date, milliseconds, the name of the process."""
        if not self.is_stamped:
            return self.text
        return self.text[_TIME] + self.text[_LEVEL] + self.text[self._message_begin :]

    def short_offset(self, offset: int) -> int:
        """Where a place in `text` is in `short_text`; what is not there, just before what follows it."""
        if not self.is_stamped:
            return offset
        begin = self._message_begin
        parts = (_TIME, _LEVEL, slice(begin, max(begin, offset)))
        return sum(min(max(offset, part.start), part.stop) - part.start for part in parts)

    @property
    def _message_begin(self) -> int:
        name = f"{self.process}: "
        return _LEVEL.stop + (len(name) if self.text.startswith(name, _LEVEL.stop) else 0)


_TIME, _LEVEL = slice(11, 19), slice(23, 32)
"""Of `2026-11-24 09:51:03,278 INFO    client-1: joined`, the hours to the seconds, and the level."""

_LEVEL_NAMES = "|".join(level.name for level in Level)
_LOGGER = re.compile(rf"(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{{3}}) ({_LEVEL_NAMES}) ")
_BROKER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6})\d*Z +(TRACE|DEBUG|INFO|WARN|ERROR) ")
_NATIVE = re.compile(r"([IWEF])\d{4} \d\d:\d\d:(?:\d\d\.\d+|(\d{9,10}\.\d+)) ")
_LEVELS = {level.name: level for level in Level} | {
    "TRACE": Level.DEBUG,
    "WARN": Level.WARNING,
    "I": Level.INFO,
    "W": Level.WARNING,
    "E": Level.ERROR,
    "F": Level.CRITICAL,
}
_CRASH = ("Traceback (most recent call last)", "Fatal Python error", "Segmentation fault")
"""How what was never logged begins, where a process dies of it."""
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


class LineParser:
    """Reads the lines of one log in their order.

    A line that says neither when nor how serious takes both from the line before it.

    Args:
        process: whose log it is.
    """

    def __init__(self, process: str) -> None:
        self._process = visible(process)
        self._ts: float | None = None
        self._level = Level.INFO
        self._second = ("", 0.0)

    def parse(self, lines: Sequence[bytes], written_at: float) -> list[Line]:
        """The lines as they are kept and shown.

        Args:
            lines: as they stand in the file, without their newlines.
            written_at: when the file was last written to, in seconds since the epoch: the time of lines that
                have no other line's time to take.
        """
        if self._ts is None:
            times = filter(None, map(self.time_of, lines))
            self._ts = next(times, written_at)
        return [self._line(to_text(line)) for line in lines]

    def time_of(self, line: bytes) -> float | None:
        """When a line says that it was written."""
        stamp = self._stamp(to_text(line))
        return None if stamp is None else stamp[0]

    def note(self, text: str, written_at: float) -> Line:
        """A line of the console's own among those of the log."""
        return Line(self._process, written_at if self._ts is None else self._ts, Level.WARNING, f"[{text}]")

    def _line(self, text: str) -> Line:
        stamp = self._stamp(text)
        if stamp is not None:
            self._ts = self._ts if stamp[0] is None else stamp[0]
            self._level = stamp[1]
        elif text.startswith(_CRASH):
            self._level = max(self._level, Level.ERROR)
        is_stamped = stamp is not None and stamp[2]
        return Line(self._process, self._ts or 0.0, self._level, text, is_stamped)

    def _stamp(self, text: str) -> "_Stamp | None":
        if ours := _LOGGER.match(text):
            second = self._second_of(ours[1])
            return None if second is None else (second + int(ours[2]) / 1000, _LEVELS[ours[3]], True)
        if native := _NATIVE.match(text):
            return (float(native[2]) if native[2] else None, _LEVELS[native[1]], False)
        if broker := _BROKER.match(text):
            return (_seconds(f"{broker[1]}+00:00"), _LEVELS[broker[2]], False)
        return None

    def _second_of(self, text: str) -> float | None:
        """The time of a whole second; lines come many to the second."""
        if self._second[0] != text:
            seconds = _seconds(text)
            if seconds is None:
                return None
            self._second = (text, seconds)
        return self._second[1]


_Stamp = tuple[float | None, Level, bool]
"""When, how serious, and whether `engine.logger` wrote it."""


def to_text(line: bytes) -> str:
    """A line as it is kept: at most `MAX_LINE_BYTES` of it, said where it is cut, and fit for a terminal."""
    line = line.rstrip(b"\r")
    size = len(line)
    if size > MAX_LINE_BYTES:
        line = line[: _end_of_character(line, MAX_LINE_BYTES)]
    cut = size - len(line)
    if b"\x1b" in line:
        line = _COLOUR.sub(b"", line)
    text = line.decode("utf-8", "backslashreplace").expandtabs()
    if not text.isprintable():
        text = visible(text)
    return f"{text} [{cut:,} more bytes]" if cut else text


def _end_of_character(line: bytes, end: int) -> int:
    """The last place up to `end` that is not within a character of UTF-8."""
    start = end
    while start > end - 3 and line[start] & 0xC0 == 0x80:
        start -= 1
    return start


def _seconds(text: str) -> float | None:
    """A date and time, local unless it says otherwise, as seconds since the epoch; None for none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):  # there is no such day, or not in this calendar
        return None
