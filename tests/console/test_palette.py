"""The palette: every action by its name."""

import pytest

from flconsole.tui.actions import ACTIONS, BY_NAME
from flconsole.tui.palette import find, label
from flconsole.tui.view import Liveness
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined


def federation(liveness=Liveness.RUNNING):
    source = Stage(run_started(), joined("1", 0), joined("2", 1))
    source.liveness = liveness
    return source


# --- finding


def test_nothing_written_finds_everything():
    assert find("") == list(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_whoever_writes_the_whole_name_finds_the_action_first(action):
    assert find(action.name)[0] == action
    assert action in find(label(action))


@pytest.mark.parametrize(
    ("query", "name"), [("kil", "kill-client"), ("KILL", "kill-client"), ("pse", "pause-client")]
)
def test_a_few_letters_in_their_order_are_enough(query, name):
    assert BY_NAME[name] in find(query)


def test_letters_that_nothing_has_find_nothing():
    assert find("zzzz") == []


# --- choosing


@pytest.mark.parametrize(("size", "key"), [(SIZES[0], "colon"), (SIZES[1], "ctrl+p"), ((60, 20), "colon")])
def test_what_is_chosen_is_done_where_its_key_would_have_worked(size, key):
    async def scenario(operator):
        await operator.press(key)
        await operator.asked("Commands")
        await operator.write("show-timeline")
        await operator.press("enter")
        await operator.until(lambda: operator.run_screen.active_pane == "timeline", "it is done")

    at_console(scenario, federation(), size=size)


def test_an_action_of_a_pane_brings_the_pane_up():
    async def scenario(operator):
        await operator.press("4", "colon")
        await operator.asked("Commands")
        await operator.write("mark-all")
        await operator.press("enter")
        await operator.until(lambda: operator.run_screen.chosen_clients == ("1", "2"), "all are marked")
        assert operator.run_screen.active_pane == "clients"

    at_console(scenario, federation())


def test_an_action_that_asks_asks():
    async def scenario(operator):
        await operator.press("colon")
        await operator.write("kill")
        await operator.press("enter")
        await operator.asked("Kill client 1?")

    at_console(scenario, federation())


def test_the_arrows_choose_among_what_was_found():
    async def scenario(operator):
        await operator.press("colon")
        await operator.write("show-")
        before = operator.app.screen._found.chosen
        await operator.press("down", "down", "up")
        assert operator.app.screen._found.chosen is operator.app.screen._found.actions[1] is not before

    at_console(scenario, federation())


@pytest.mark.parametrize("leave", ["escape", "enter"])
def test_without_a_choice_nothing_is_done(leave):
    async def scenario(operator):
        await operator.press("colon")
        await operator.write("zzzz")
        await operator.press(leave)
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "it is left")
        assert operator.notices == []

    at_console(scenario, federation())


def test_what_cannot_be_done_now_is_there_with_its_reason():
    async def scenario(operator):
        await operator.press("colon")
        await operator.write("add-clients")
        await operator.asked("(this is a replay)")
        await operator.press("enter")
        await operator.told("Add: this is a replay")

    at_console(scenario, federation(Liveness.REPLAY))
