"""What cannot be done says why: no answer, nobody there, not allowed, not in such a run."""

import signal

import pytest

from flconsole.tui.actions import ACTIONS
from flconsole.tui.key_line import KeyLine
from flconsole.tui.view import Liveness
from tests.console.control.staged import at_both_sizes, commands, stage
from tests.console.operating import at_console

# --- a supervisor that does not answer


def test_a_supervisor_that_hangs_holds_nothing_up(run):
    async def scenario(operator):
        operator.run_screen.answer_timeout_s = 1.0
        await operator.press("plus", "2")
        assert operator.run_screen.active_pane == "charts"
        assert operator.notices == []
        await operator.told("has not answered 'add-client' for 1 s; its process is there, but does nothing")

    (supervisor,) = run.supervisors
    supervisor.send_signal(signal.SIGSTOP)
    try:
        at_console(scenario, stage(run))
    finally:
        supervisor.send_signal(signal.SIGCONT)


def test_a_supervisor_that_is_gone_is_said_to_be(no_run):
    async def scenario(operator):
        await operator.press("plus")
        await operator.told("no supervisor is running")

    at_console(scenario, stage(no_run))


# --- who may not


@pytest.mark.parametrize("liveness", [Liveness.RUNNING, Liveness.GONE])
def test_looking_only_changes_nothing_and_says_so(run, liveness):
    async def scenario(operator):
        for action in ACTIONS:
            if action.changes and liveness in action.when:
                await operator.press(action.keys[0])
                await operator.told(f"{action.title}: read-only: nothing is changed from here")
                assert not operator.is_asked
        in_last_line = {item.title: item.enabled for item in operator.run_screen.query_one(KeyLine)._items}
        assert not any(in_last_line.get(action.title) for action in ACTIONS if action.changes)
        assert in_last_line["Help"]

    at_both_sizes(scenario, run, read_only=True, liveness=liveness)

    assert commands(run) == []


@pytest.mark.parametrize(
    ("liveness", "reason"),
    [
        (Liveness.ENDED, "the run has ended"),
        (Liveness.GONE, "no supervisor runs it: it has to be resumed first"),
        (Liveness.REPLAY, "this is a replay"),
    ],
)
def test_what_needs_a_running_run_says_why_it_cannot_be_done(no_run, liveness, reason):
    source = stage(no_run)
    source.liveness = liveness

    async def scenario(operator):
        await operator.press("a")
        await operator.told(f"Add: {reason}")
        assert not operator.is_asked

    at_console(scenario, source)
