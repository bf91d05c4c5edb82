"""Adding, ending, restarting and pausing clients by key."""

import pytest
from textual.events import Paste

from engine import telemetry as t
from tests.console.control.staged import at_both_sizes, commands, stage
from tests.console.operating import SIZES, at_console
from tests.flconsole.recording import joined, started

# --- adding clients


def test_adding_clients_asks_how_many_and_on_what(run):
    async def scenario(operator):
        await operator.press("a")
        await operator.asked("free: 2, 3; empty: any")
        await operator.press("2", "enter")
        await operator.told("started client")
        assert not operator.is_asked

    at_both_sizes(scenario, run)

    assert commands(run) == [("add-client", {"count": 2}, True)] * 2


def test_a_client_can_be_given_its_part_and_its_gpu(run):
    async def scenario(operator):
        await operator.press("a", "tab", "3", "down", "0", "enter")
        await operator.until(lambda: commands(run), "it is asked")

    at_console(scenario, stage(run))

    assert [asked for _, asked, _ in commands(run)] == [{"count": 1, "part": 3, "gpu": 0}]


def test_what_cannot_be_added_is_said_in_the_dialog_and_nothing_is_asked(run):
    async def scenario(operator):
        await operator.press("a", "tab", "1", "enter")
        await operator.asked("Data part: 1 is taken; free: 2, 3")
        await operator.press("backspace", "9", "enter")
        await operator.asked("Data part: '9' will not do; a whole number from 0 to 3")
        await operator.press("up", "x", "enter")
        await operator.asked("How many: 'x' will not do; a whole number from 1 to 1000")
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "the dialog is left")

    at_both_sizes(scenario, run)

    assert commands(run) == []


def test_a_paste_into_the_dialog_is_refused_in_few_words(run):
    async def scenario(operator):
        await operator.press("a")
        await operator.asked("How many")
        operator.app.screen.focused.post_message(Paste("9" * 5000))
        await operator.until(lambda: "999" in operator.screen, "it is pasted")
        await operator.press("enter")
        await operator.asked("How many: that is too long")

    at_both_sizes(scenario, run)

    assert commands(run) == []


def test_where_no_part_is_free_the_operator_learns_what_would_happen(no_run):
    async def scenario(operator):
        await operator.press("a")
        await operator.asked("All 4 parts of the data are taken, so the server will refuse another client")
        assert "--parts" in operator.screen

    at_both_sizes(scenario, no_run, joined("3", 2), joined("4", 3))


def test_one_more_client_with_one_key(run):
    async def scenario(operator):
        await operator.press("+")
        await operator.told("started client")

    at_both_sizes(scenario, run)

    assert commands(run) == [("add-client", {"count": 1}, True)] * 2


# --- ending and restarting clients

QUESTIONS = {
    "K": "Kill client 1?",
    "k": "Stop client 1?",
    "r": "Restart client 1?",
    "-": "Stop client 2, the newest?",
    "x": "End the run when the open round is finished?",
    "X": "End the run now, with its 3 processes?",
}


def test_nothing_is_ended_without_a_yes(run):
    async def scenario(operator):
        for key, question in QUESTIONS.items():
            await operator.press(key)
            await operator.asked(question)
            assert "[ Cancel (n) ]" in operator.screen
            await operator.press("enter")
            await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_both_sizes(scenario, run)

    assert commands(run) == []


def test_a_key_that_is_pressed_twice_asks_once(no_run):
    async def scenario(operator):
        operator.app.simulate_key("K")
        operator.app.simulate_key("K")
        await operator.asked("Kill client 1?")
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_console(scenario, stage(no_run))


@pytest.mark.parametrize("no", ["n", "escape"])
def test_there_are_other_ways_to_say_no(run, no):
    async def scenario(operator):
        await operator.press("K")
        await operator.asked("Kill client 1?")
        await operator.press(no)
        await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_console(scenario, stage(run))

    assert commands(run) == []


@pytest.mark.parametrize(("key", "signum"), [("k", "SIGTERM"), ("K", "SIGKILL")])
def test_a_client_is_ended_gently_or_at_once(run, key, signum):
    async def scenario(operator):
        await operator.press(key)
        await operator.asked("client 1?")
        await operator.press("y")
        await operator.told("client 1 is being")

    at_console(scenario, stage(run))
    run.wait(lambda: run.process("client-1")["state"] == "out", "the client has ended")

    assert run.exits("client-1")[-1].signal == signum


def test_an_action_hits_all_marked_clients_and_says_so_once(run):
    async def scenario(operator):
        await operator.press("space", "down", "space", "K")
        await operator.asked("Kill 2 clients (1, 2)?")
        await operator.press("right", "enter")
        assert await operator.told("2 clients") == "done for 2 clients: 1, 2"

    at_console(scenario, stage(run), size=SIZES[1])

    assert commands(run) == [("kill-client", {"client": name, "hard": True}, True) for name in ("1", "2")]


def test_of_several_clients_the_refused_ones_are_named(run):
    async def scenario(operator):
        await operator.press("asterisk", "r")
        await operator.asked("Restart 3 clients (1, 2, 99)?")
        await operator.press("y")
        await operator.told("done for 2 clients: 1, 2; there is no client '99'")

    at_console(scenario, stage(run, started("client-99", "client", 199, "99"), joined("99", 2)))


def test_a_client_is_started_anew(run):
    async def scenario(operator):
        await operator.press("down", "r")
        await operator.asked("Restart client 2?")
        await operator.press("y")
        await operator.told("client 2 is being restarted")

    at_both_sizes(scenario, run)

    assert commands(run) == [("restart-client", {"client": "2"}, True)] * 2


def test_the_newest_client_is_stopped_with_one_key(run):
    async def scenario(operator):
        await operator.press("-")
        await operator.asked("Stop client 2, the newest?")
        await operator.press("y")
        await operator.told("client 2 is being stopped")

    at_console(scenario, stage(run))


# --- pausing


def test_clients_are_paused_and_if_all_are_they_go_on(run):
    async def scenario(operator):
        await operator.press("asterisk", "p")
        await operator.told("heard")

    at_both_sizes(scenario, run, t.ClientPaused(client="1"))
    at_both_sizes(scenario, run, t.ClientPaused(client="1"), t.ClientPaused(client="2"))

    asked = {"clients": ["1", "2"]}
    assert commands(run) == [("pause", asked, True)] * 2 + [("unpause", asked, True)] * 2


def test_the_federation_is_paused_and_goes_on(run):
    async def scenario(operator):
        await operator.press("P")
        await operator.told("heard")

    at_both_sizes(scenario, run)
    at_both_sizes(scenario, run, t.FederationPaused())

    assert [command for command, _, _ in commands(run)] == ["pause", "pause", "unpause", "unpause"]
