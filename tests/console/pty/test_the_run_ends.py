"""The run ends while somebody looks: it is said, once, and the console can go on with it."""

import pytest

from tests.console.pty.conftest import RealRun, is_alive
from tests.console.pty.harness import wait_until

pytestmark = pytest.mark.broker


@pytest.fixture
def own_run(tmp_path):
    """A run of this test alone, and the terminal it was started from."""
    run = RealRun(tmp_path)
    terminal = run.start()
    try:
        terminal.wait_for(r"round +[1-9]")
        yield run, terminal
    finally:
        terminal.close()
        run.end()


def test_a_supervisor_that_is_killed_is_told_of_and_the_run_resumed_from_the_console(own_run):
    run, terminal = own_run
    processes = run.processes()
    before = len(terminal.output)

    run.supervisor.kill()

    terminal.wait_for("supervisor is gone")
    wait_until(lambda: not any(map(is_alive, processes)), "nothing of the run is left")
    done = run.rounds()[-1][1]

    terminal.press("r")

    wait_until(lambda: run.rounds()[-1][1] > done, "more rounds")
    terminal.press("d")
    assert terminal.exit_code() == 0
    assert b"it goes on" in terminal.output
    bell_and_title = b"\x07\x1b]2;the supervisor is gone"
    assert terminal.output[before:].count(bell_and_title) == 1


def test_a_run_that_is_stopped_elsewhere_ends_on_the_screen(own_run):
    run, terminal = own_run

    run.ask("stop")

    terminal.wait_for("the run was stopped")
    terminal.press("q")  # nothing is left to ask
    assert terminal.exit_code() == 0
    assert f"continue with: flconsole resume {run.path.name}\r\n".encode() in terminal.output
