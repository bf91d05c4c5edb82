"""How a process ended, in words, and whether it is started again."""

import enum
import re
from dataclasses import dataclass
from pathlib import Path

from engine.lifecycle import signal_name

_LOG_TAIL = 4096
_LONGEST_LINE = 300
_LOG_PREFIX = re.compile(r"[\d-]{10} [\d:,]{12} [A-Z]+ +\S+: ")
"""Time, level and name, as `engine.logger` writes them: whoever quotes a line says who wrote it."""
_FRAME = re.compile(r'\s+File ".*", line \d+')
"""A frame of a traceback. Its last one is followed by code, and then by the exception."""
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0


class State(enum.StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    """Not there; to be started when its delay is over and the nursery is there."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    """Told to end, and not gone yet."""
    OUT = "out"
    """Gone for good."""


@dataclass(frozen=True)
class Exit:
    """The end of a process: an exit code, or the signal that killed it."""

    code: int | None
    signal: str | None

    @classmethod
    def from_returncode(cls, returncode: int) -> "Exit":
        """From the convention of `subprocess`: a negative number is a signal."""
        if returncode >= 0:
            return cls(returncode, None)
        return cls(None, signal_name(-returncode))

    def describe(self, log: Path) -> str:
        """One line for people; a failure carries the last words of its log."""
        if self.signal:
            return f"killed by {self.signal}"
        words = last_line(log) if self.code else ""
        return f"exit code {self.code}: {words}" if words else f"exit code {self.code}"


def last_line(log: Path) -> str:
    """The last line of a log that is not blank, printable, shortened and without its time; empty if none.

    Where the log ends with a traceback it is the exception, whatever number of lines its message has.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_TAIL))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return ""
    words = " ".join(line.strip() for line in _exception(lines) or lines[-1:])
    words = _LOG_PREFIX.sub("", words)
    return "".join(character for character in words if character.isprintable())[:_LONGEST_LINE]


def _exception(lines: list[str]) -> list[str]:
    """The exception of a traceback that the lines end with; empty where they do not."""
    last_frame = max((at for at, line in enumerate(lines) if _FRAME.match(line)), default=len(lines))
    message = next((at for at in range(last_frame + 1, len(lines)) if not lines[at][0].isspace()), len(lines))
    logged_since = any(_LOG_PREFIX.match(line) for line in lines[message:])
    return [] if logged_since else lines[message:]


class RestartPolicy:
    """First restart at once, then 0.5, 1, 2, 4 ... 30 s; a finished round starts the count anew.

    Args:
        max_restarts: restarts in a row, without a round in between, after which there is no other.
    """

    def __init__(self, max_restarts: int) -> None:
        self._max_restarts = max_restarts
        self._in_a_row = 0
        self._rounds_then = 0

    def next_delay(self, rounds_finished: int) -> float | None:
        """Seconds to wait before the next restart; None if the process is given up on."""
        if rounds_finished > self._rounds_then:
            self._in_a_row = 0
        self._rounds_then = rounds_finished
        if self._in_a_row >= self._max_restarts:
            return None
        self._in_a_row += 1
        return (
            0.0 if self._in_a_row == 1 else min(_FIRST_DELAY_S * 2 ** (self._in_a_row - 2), _LONGEST_DELAY_S)
        )
