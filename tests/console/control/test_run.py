"""Changing the rules of a run, saving, ending it, and leaving the console."""

import pytest

from flconsole.tui.view import Liveness
from tests.console.control.staged import RULED, at_both_sizes, commands, stage
from tests.console.operating import SIZES, at_console
from tests.flconsole.recording import accepted, finished

IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')"

# --- rules


def test_the_rules_in_force_are_there_to_be_changed(run):
    async def scenario(operator):
        await operator.press("e")
        await operator.asked("Quorum |2")
        assert "Deadline |30" in operator.screen
        await operator.press("1", "enter")
        await operator.told("heard")

    at_both_sizes(scenario, run, RULED)

    assert commands(run) == [("set", {"quorum": 1, "clear": []}, True)] * 2


def test_an_emptied_rule_is_taken_away(run):
    async def scenario(operator):
        await operator.press("e", "tab", "backspace", "enter")
        await operator.told("heard")

    at_console(scenario, stage(run, RULED))

    assert commands(run) == [("set", {"clear": ["deadline_s"]}, True)]


def test_rules_that_nobody_changed_are_left_alone(run):
    async def scenario(operator):
        await operator.press("e", "enter")
        await operator.until(lambda: not operator.is_asked, "the dialog is left")

    at_console(scenario, stage(run, RULED))

    assert commands(run) == []


def test_what_is_no_rule_is_refused_in_the_words_of_the_command_line(no_run):
    async def scenario(operator):
        await operator.press("e", "x", "enter")
        await operator.asked("quorum: 'x' will not do")

    at_both_sizes(scenario, no_run)


# --- saving


def test_the_checkpoint_and_the_charts_are_saved_and_told_in_one_notice(run):
    async def scenario(operator):
        await operator.press("s")
        assert await operator.told("heard") == f"heard; {len(saved())} charts in {run.run_dir / 'plots'}"

    def saved():
        return list((run.run_dir / "plots").glob("*.svg"))

    at_both_sizes(scenario, run, RULED, accepted("1", 1), finished(1, 1, 0.5))

    assert saved()
    assert commands(run) == [("save", {}, True)] * 2


def test_without_a_supervisor_the_charts_are_saved_all_the_same(no_run):
    async def scenario(operator):
        await operator.press("s")
        notice = await operator.told("no supervisor is running")
        assert notice.endswith(f"charts in {no_run.run_dir / 'plots'}")

    at_console(scenario, stage(no_run, RULED, accepted("1", 1), finished(1, 1, 0.5)))


# --- the end


def test_the_run_ends_after_the_round(run_of_its_own):
    async def scenario(operator):
        await operator.press("x")
        await operator.asked("End the run when the open round is finished?")
        await operator.press("y")
        await operator.told("the run ends when the open round is finished")

    run_of_its_own.start()
    at_both_sizes(scenario, run_of_its_own)

    assert {"type": "StopAfterRound"} in run_of_its_own.heard()


def test_the_run_ends_now_and_the_console_stays(run_of_its_own):
    async def scenario(operator):
        await operator.press("X")
        await operator.asked("End the run now")
        await operator.press("y")
        await operator.until(lambda: run_of_its_own.supervisors[0].poll() is not None, "the run has ended")
        await operator.until(lambda: not operator.is_asked, "the list of the living is gone")

    run_of_its_own.start()

    assert at_console(scenario, stage(run_of_its_own)) is None
    assert run_of_its_own.exit_code() == 143


def test_whoever_keeps_a_run_from_ending_is_named_and_can_be_killed(run_of_its_own):
    run = run_of_its_own
    run.client_does("1", IGNORE_TERM)
    run.start(stop_timeout_s=60.0)
    run.wait(lambda: "deaf" in run.log("client-1"), "the client is deaf")

    async def scenario(operator):
        await operator.press("X")
        await operator.asked("End the run now")
        await operator.press("y")
        await operator.asked("Still alive: nursery pid")
        await operator.until(
            lambda: "client-1 pid" in operator.screen and "client-2 pid" not in operator.screen, "one is left"
        )
        await operator.press("K")
        await operator.until(lambda: not operator.is_asked, "nobody is left")

    at_console(scenario, stage(run))

    assert run.exits("client-1")[0].signal == "SIGKILL"


# --- leaving


def test_leaving_asks_and_detaching_is_the_default(run):
    async def stays(operator):
        for no in ("escape", "c"):
            await operator.press("q")
            await operator.asked("[ Detach (d) ] Stop the run (s) Cancel (c)")
            await operator.press(no)
            await operator.until(lambda: not operator.is_asked, "the question is gone")

    async def leaves(operator):
        await operator.press("q")
        await operator.asked("Detach")
        await operator.press("enter")

    for size in SIZES:
        assert at_console(stays, stage(run), size=size) is None
        assert at_console(leaves, stage(run), size=size) == 0
    assert commands(run) == []


def test_leaving_can_stop_the_run(run_of_its_own):
    async def scenario(operator):
        await operator.press("q")
        await operator.asked("Stop the run")
        await operator.press("s")
        await operator.until(lambda: operator.app.return_value is not None, "the console has ended")

    run_of_its_own.start()

    assert at_console(scenario, stage(run_of_its_own)) == 0
    assert run_of_its_own.exit_code() == 143


@pytest.mark.parametrize("liveness", [Liveness.ENDED, Liveness.GONE, Liveness.REPLAY])
def test_where_nothing_goes_on_leaving_asks_nothing(no_run, liveness):
    source = stage(no_run)
    source.liveness = liveness

    async def scenario(operator):
        await operator.press("q")

    assert at_console(scenario, source) == 0
