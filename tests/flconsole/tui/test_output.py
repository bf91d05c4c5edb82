"""Writing to a terminal that may not be read, or be gone."""

import contextlib
import os
import pty
import select
import threading
import time
import tty

import pytest

from flconsole.tui.driver import Output

DEADLINE_S = 20.0
MEGABYTE = 1 << 20
FULL_MS = 300


class Pair:
    """A terminal and the output to it."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.gone, self.caught_up = threading.Event(), threading.Event()
        self.output = Output(self.slave, gone=self.gone.set, caught_up=self.caught_up.set)

    def read(self, size):
        pieces = b""
        while len(pieces) < size:
            pieces += os.read(self.master, size - len(pieces))
        return pieces

    def fill(self):
        """Leaves the terminal no room: what is written from now on has to wait."""
        terminal = os.open(os.ttyname(self.slave), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        room = select.poll()
        room.register(terminal, select.POLLOUT)
        while room.poll(FULL_MS):  # the kernel passes on what it has taken a moment later
            with contextlib.suppress(BlockingIOError):
                os.write(terminal, b"x" * 4096)
        os.close(terminal)

    def read_on(self):
        """Reads all that comes, in a thread, until the terminal is closed."""
        threading.Thread(target=self._drain, daemon=True).start()

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def _drain(self):
        try:
            while os.read(self.master, 1 << 16):
                pass
        except OSError:
            return


@pytest.fixture
def pair():
    pair = Pair()
    yield pair
    pair.read_on()
    pair.output.close(DEADLINE_S)
    os.close(pair.slave)


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_what_is_written_arrives_in_order_and_whole(pair):
    texts = [f"{number} ─ ok;" for number in range(1000)]
    for text in texts:
        pair.output.write(text)

    whole = "".join(texts).encode()
    assert pair.read(len(whole)) == whole
    wait_until(lambda: not pair.output.is_behind)
    assert not pair.caught_up.is_set()


def test_a_terminal_that_is_not_read_keeps_nobody_waiting_and_hears_when_to_draw_again(pair):
    pair.fill()

    for _ in range(20):
        pair.output.write("x" * MEGABYTE)  # it would take minutes, or for ever

    assert not pair.caught_up.wait(0.3)
    assert pair.output.is_behind
    pair.read_on()
    assert pair.caught_up.wait(DEADLINE_S)
    wait_until(lambda: not pair.output.is_behind)


def test_a_frame_is_drawn_however_large_it_is(pair):
    pair.read_on()

    pair.output.write("x" * MEGABYTE)
    pair.output.write("the end of the frame")

    wait_until(lambda: not pair.output.is_behind)
    assert not pair.caught_up.is_set()


def test_what_waits_for_a_stalled_terminal_is_bounded(pair):
    for _ in range(200):
        pair.output.write("x" * 10_000)

    assert len(pair.output._waiting) <= 128 * 1024


def test_a_stalled_terminal_is_emptied_so_that_it_can_be_restored(pair):
    pair.output.write("\x1b[38;5;1mx" * 100_000)  # more than the kernel's queue holds

    pair.output.make_room(patience_s=0.2)
    pair.output.write("restored")
    pair.output.close(DEADLINE_S)

    left = os.read(pair.master, MEGABYTE)
    while not left.endswith(b"restored"):
        left += os.read(pair.master, MEGABYTE)
    assert left.endswith(b"\x18\x1b\\restored")  # whatever sequence was cut off has ended
    assert len(left) < 20_000


def test_a_terminal_that_is_gone_is_written_to_no_more(pair):
    pair.hang_up()

    pair.output.write("anybody there?")

    assert pair.gone.wait(DEADLINE_S)
    pair.output.write("hello?")
    assert not pair.output.is_behind
    pair.master, other = pty.openpty()
    os.close(other)
