"""A terminal that is not read delays nothing but itself; a supervisor that is killed is noticed."""

import signal
import time

import psutil
import pytest

from tests.console.pty.harness import RESTORED, wait_until

pytestmark = pytest.mark.broker

STALL_S = 12.0


@pytest.fixture
def going_on(run):
    """The run, opening rounds as fast as it can."""
    run.ask("unpause")
    yield run
    run.ask("pause")


def test_rounds_go_on_while_nobody_reads_the_terminal(going_on, attach):
    terminal = attach(columns=120, rows=40)
    last = going_on.rounds()[-1][1]

    terminal.stall()
    began = time.time()
    time.sleep(STALL_S)
    over = time.time()
    terminal.go_on()

    # Cannot flake: rounds take milliseconds, and whoever waited for this terminal would have finished none
    # after the first second or two; half the stall is what a machine would have to stand still altogether.
    ends = [ts for ts, number in going_on.rounds() if number > last and ts <= over]
    gaps = [after - before for before, after in zip([began, *ends], [*ends, over], strict=True)]
    assert max(gaps) < STALL_S / 2
    newest = going_on.rounds()[-1][1]
    terminal.wait_for(rf"round +{str(newest)[:-2]}")  # what it shows is of now


def test_a_signal_is_obeyed_while_nobody_reads_the_terminal(attach):
    terminal = attach(columns=120, rows=40)
    fill_the_queue_of(terminal)

    terminal.kill(signal.SIGTERM)

    wait_until(terminal._has_ended, "the console has ended, though nobody reads what it says")
    terminal.go_on()
    assert terminal.exit_code() == 128 + signal.SIGTERM
    assert [mode for mode in RESTORED if mode not in terminal.output] == []
    assert b"it goes on" in terminal.output


def test_a_terminal_that_is_read_again_shows_how_things_are_now(attach):
    terminal = attach(columns=120, rows=40)
    fill_the_queue_of(terminal)
    terminal.press("2z")
    for _ in range(100):  # also what may wait in the console is more than enough
        draw_all_of(terminal)
    wait_until(lambda: is_idle(terminal), "all of it is drawn")

    terminal.go_on()

    terminal.wait_for("zoomed")
    one_pane = r"\A(?!(?s:.*)1 Clients:)(.*\n){3}.*━2 Charts(.*\n)+.*\? Help\Z"
    terminal.wait_for(one_pane)


def is_idle(terminal):
    spent = terminal.cpu_s()
    time.sleep(0.5)
    return terminal.cpu_s() - spent < 0.05


def draw_all_of(terminal):
    terminal.press("\x0c")
    time.sleep(0.02)


def fill_the_queue_of(terminal):
    """Has the whole screen drawn again and again, unread, until the console can write no more of it."""
    terminal.stall()
    console, written, since = psutil.Process(terminal.pid), 0, time.monotonic()
    while time.monotonic() - since < 1.0:
        draw_all_of(terminal)
        if (now := console.io_counters().write_chars) != written:
            written, since = now, time.monotonic()
