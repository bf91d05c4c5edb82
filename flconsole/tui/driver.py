"""The way to the terminal: never in the way of the event loop, and gone at once when the terminal is.

Textual's own writer makes the event loop wait for a terminal that is not read, so that not even a signal is
obeyed; its reader spins when the terminal has hung up.
"""

import contextlib
import os
import select
import sys
import termios
import threading
from collections.abc import Callable
from typing import Protocol, cast

from textual.drivers.linux_driver import LinuxDriver

_MOST_WAITING = 128 * 1024
"""Bytes that may wait for a terminal; beyond that they are dropped, and the screen is drawn again later.

A few frames always may, however large the screen."""
_FRAMES_WAITING = 4
_PIECE = 4096
_PATIENCE_S = 0.5
_POLL_MS = 100
"""What was dropped meanwhile is waited for no longer than that."""
_ABORT_SEQUENCE = "\x18\x1b\\"
"""Ends whatever control sequence was cut off: CAN, then ST."""

_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"


class DrivenApp(Protocol):
    """What the driver tells its application, always in the event loop."""

    def terminal_gone(self) -> None:
        """Nothing can be drawn any more."""

    def draw_again(self) -> None:
        """Some of what was drawn never arrived."""

    def fail(self, error: Exception) -> None:
        """The input could not be understood."""


class Output:
    """Writes to a terminal from a thread of its own, and never makes the one who draws wait.

    Args:
        fd: the terminal.
        gone: called in that thread when the terminal takes nothing any more.
        caught_up: called in that thread when everything has arrived after something was dropped.
    """

    def __init__(self, fd: int, *, gone: Callable[[], None], caught_up: Callable[[], None]) -> None:
        self._fd, self._gone, self._caught_up = _open_again(fd), gone, caught_up
        self._waiting = bytearray()
        self._longest = 0
        self._cleared = 0
        self._has_dropped = self._is_gone = self._is_closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="terminal-output", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether something that was drawn has not arrived yet."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        """Takes it along; drops it, where the terminal is far behind or gone."""
        with self._changed:
            if self._is_gone or self._has_dropped:
                return
            data = text.encode()
            self._waiting += data
            self._longest = max(self._longest, len(data))
            if len(self._waiting) > max(_MOST_WAITING, _FRAMES_WAITING * self._longest):
                self._clear(_ABORT_SEQUENCE)
                self._has_dropped = True
            self._changed.notify_all()

    def make_room(self, patience_s: float) -> None:
        """Waits a little until everything has arrived; drops what has not, the kernel's queue included."""
        with self._changed:
            if self._changed.wait_for(lambda: not self._waiting, patience_s):
                return
            self._clear(_ABORT_SEQUENCE)
            self._has_dropped = False
            with contextlib.suppress(termios.error):
                termios.tcflush(self._fd, termios.TCOFLUSH)

    def close(self, patience_s: float) -> None:
        """Waits a little until everything has arrived, and ends the thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, patience_s)
            self._is_closed = True
            self._changed.notify_all()

    def _clear(self, instead: str = "") -> None:
        self._waiting[:] = instead.encode()
        self._cleared += 1

    def _run(self) -> None:
        room = select.poll()
        room.register(self._fd, select.POLLOUT)
        while self._has_more():
            if room.poll(_POLL_MS):
                self._write_some()
        os.close(self._fd)

    def _has_more(self) -> bool:
        """Waits until there is something to write; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed or self._is_gone)
            return not self._is_closed and not self._is_gone

    def _write_some(self) -> None:
        with self._changed:
            piece, cleared = bytes(self._waiting[:_PIECE]), self._cleared
        try:
            written = os.write(self._fd, piece)
        except BlockingIOError:
            return
        except OSError:
            with self._changed:
                self._is_gone = True
                self._clear()
                self._changed.notify_all()
            self._gone()
            return
        with self._changed:
            if cleared == self._cleared:
                del self._waiting[:written]
            if self._has_dropped and not self._waiting:
                self._has_dropped = False
                self._caught_up()
            self._changed.notify_all()


def _open_again(fd: int) -> int:
    """The same terminal for writing without ever waiting, which is set where the shell does not see it."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # another user's, for instance; then it cannot be restored while it stalls
        return os.dup(fd)


class ConsoleDriver(LinuxDriver):
    """Textual's driver with another way out, and with an ear for a terminal that hangs up."""

    _output: Output | None = None
    _hang_up: select.epoll | None = None
    _title = ""

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not taken yet what was drawn last."""
        return self._output is not None and self._output.is_behind

    def write(self, data: str) -> None:
        if self._output is not None:
            self._output.write(data)

    def show_title(self, title: str) -> None:
        """Names the window; the terminal remembers the name it had, where it can."""
        if not self._title:
            self.write(_PUSH_TITLE)
        self._title = title
        self.write(f"\x1b]2;{title}\x07")

    def start_application_mode(self) -> None:
        if self._output is not None:  # a CONT without a stop before it, as a hang-up brings one along
            return
        app, terminal = cast(DrivenApp, self._app), sys.__stderr__
        assert terminal is not None  # noqa: S101  # the console is opened where all three streams are a terminal
        self._output = Output(
            terminal.fileno(),
            gone=lambda: self._in_loop(app.terminal_gone),
            caught_up=lambda: self._in_loop(app.draw_again),
        )
        self._watch_for_hang_up()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._title:  # it was put aside for a while
            title, self._title = self._title, ""
            self.show_title(title)

    def stop_application_mode(self) -> None:
        self._stop_watching()
        if self._output is not None:
            self._output.make_room(_PATIENCE_S)
        if self._title:
            self.write(_POP_TITLE)
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        if self._output is not None:
            self._output.close(_PATIENCE_S)
            self._output = None

    def _run_input_thread(self) -> None:
        app = cast(DrivenApp, self._app)
        try:
            self.run_input_thread()
        except OSError:
            self._in_loop(app.terminal_gone)
        except Exception as error:  # noqa: BLE001  # it ends the application, which says so
            self._in_loop(app.fail, error)

    def _watch_for_hang_up(self) -> None:
        """Asks the kernel for nothing but a hang-up; a reader only finds that there is nothing to read."""
        if not hasattr(select, "epoll"):  # elsewhere the next write finds out
            return
        self._hang_up = select.epoll()
        self._hang_up.register(self.fileno, 0)
        self._loop.add_reader(self._hang_up.fileno(), self._hung_up)

    def _hung_up(self) -> None:
        self._stop_watching()
        cast(DrivenApp, self._app).terminal_gone()

    def _stop_watching(self) -> None:
        if self._hang_up is not None:
            self._loop.remove_reader(self._hang_up.fileno())
            self._hang_up.close()
            self._hang_up = None

    def _in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all interest
            self._loop.call_soon_threadsafe(function, *arguments)
