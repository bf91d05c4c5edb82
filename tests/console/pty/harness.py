"""The real command on a pseudo-terminal that answers nothing, and can stall, hang up and change its size."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping

import psutil

from benchmarks._terminal import _Screen as Screen

DEADLINE_S = 30.0
COMMAND = (sys.executable, "-m", "flconsole")

ALT_SCREEN_ON, ALT_SCREEN_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
RESTORED = (
    ALT_SCREEN_OFF,
    b"\x1b[?25h",  # the cursor
    b"\x1b[?2004l",  # bracketed paste
    b"\x1b[?1000l",  # the mouse
    b"\x1b[?1003l",
    b"\x1b[?7h",  # line wrap
)


def wait_until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


class Terminal:
    """A program that leads a session on a pseudo-terminal of its own.

    Args:
        arguments: of `flconsole`.
        env: variables that differ from the environment of the tests; None for one that is not set.
        columns: width in cells.
        rows: height in lines.
        command: what to run instead of `flconsole`.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        columns: int = 80,
        rows: int = 24,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        self.output = bytearray()
        """All that the program has written and the terminal has read."""
        self._exit: int | None = None
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        child_env = {key: value for key, value in environment.items() if value is not None}
        self.columns, self.rows = columns, rows
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            _set_size(0, columns, rows)
            os.execvpe(command[0], [*command, *arguments], child_env)  # noqa: S606  # as a terminal does
        self._reads = threading.Event()
        self._reads.set()
        self._is_open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # --- what a terminal does

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        _set_size(self._master, columns, rows)

    def stall(self) -> None:
        """Reads nothing any more, as a laptop does whose lid is closed."""
        self._reads.clear()

    def go_on(self) -> None:
        self._reads.set()

    def hang_up(self) -> None:
        self._is_open = False
        self._reads.set()
        self._reader.join(DEADLINE_S)
        os.close(self._master)

    # --- what is asked of it

    def kill(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def wait_for(self, pattern: str, *, since: int = 0) -> None:
        """Waits until a regular expression is on the screen, of what was written from some byte on."""
        try:
            wait_until(lambda: re.search(pattern, self.screen(since=since)), pattern)
        except AssertionError as error:
            raise AssertionError(f"{error} in:\n{self.screen(since=since)}") from None

    def screen(self, *, since: int = 0) -> str:
        screen = Screen(self.columns, self.rows)
        screen.feed(bytes(self.output[since:]))
        return screen.text()

    def exit_code(self) -> int:
        """Waits for the end; a signal is negative, as in `subprocess`."""
        wait_until(self._has_ended, "the program has ended")
        assert self._exit is not None
        if self._is_open:
            self._reader.join(DEADLINE_S)
        return self._exit

    def close(self) -> None:
        if not self._has_ended():
            os.kill(self.pid, signal.SIGKILL)
            wait_until(self._has_ended, "the program is killed")
        if self._is_open:
            self.hang_up()

    def cpu_s(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def _has_ended(self) -> bool:
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit = os.waitstatus_to_exitcode(status)
        return self._exit is not None

    def _read(self) -> None:
        while self._is_open:
            self._reads.wait()
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            try:
                piece = os.read(self._master, 1 << 16) if self._reads.is_set() else b""
            except OSError:  # the last one who had the other side open has closed it
                return
            self.output += piece


def _set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
