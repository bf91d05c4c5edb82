"""What all dialogs share: keys alone, small terminals, no UTF-8, no colours, foreign text."""

import pytest

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.tui.actions import ACTIONS
from flconsole.tui.dialogs.add import free_parts
from flconsole.tui.dialogs.rules import rules_in_force
from flconsole.tui.keys import spell
from flconsole.tui.terminal import Colours, Terminal
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined, opened, started

SMALLEST = (60, 20)
OPENED_BY = {
    "K": "[ Cancel (n) ]",
    "a": "Enter accepts",
    "e": "Enter accepts",
    "q": "[ Detach (d) ]",
    "question_mark": "In a list:",
    "colon": "Commands",
}
BARE = Terminal(colours=Colours.NONE, has_unicode=False)

each_dialog = pytest.mark.parametrize(("key", "text"), OPENED_BY.items())


def federation(*events, **config):
    seen = [run_started(), started("client-1", "client", 101, "1"), joined("1", 0)]
    return Stage(*seen, *events, config=RunConfig(clients=3, parts=5, **config))


@each_dialog
def test_escape_leaves_every_dialog_on_the_smallest_screen(key, text):
    async def scenario(operator):
        await operator.press(key)
        await operator.asked(text)
        box = operator.app.screen.query_one("#dialog").region
        assert (min(box.x, box.y), box.right <= 60, box.bottom <= 20) >= (0, True, True)
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "it is left")
        assert operator.app.return_value is None

    at_console(scenario, federation(), size=SMALLEST)


@each_dialog
def test_a_bare_terminal_shows_every_dialog_in_ascii_and_without_colours(key, text):
    async def scenario(operator):
        await operator.press(key)
        await operator.asked(text)
        assert all(segment.text.isascii() for segment in drawn(operator))
        assert all(segment.style is None or segment.style.color is None for segment in drawn(operator))
        assert text in "".join(segment.text for segment in drawn(operator))

    at_console(scenario, federation(), size=SMALLEST, terminal=BARE)


def drawn(operator):
    """What the terminal is sent."""
    return [segment for strip in operator.app.screen._compositor.render_strips() for segment in strip]


# --- questions


@pytest.mark.parametrize("size", [*SIZES, SMALLEST])
def test_the_arrows_and_tab_choose_an_answer_and_brackets_show_it(size):
    async def scenario(operator):
        await operator.press("q")
        await operator.asked("[ Detach (d) ] Stop the run (s) Cancel (c)")
        await operator.press("right")
        await operator.asked("Detach (d) [ Stop the run (s) ] Cancel (c)")
        await operator.press("tab", "tab")
        await operator.asked("[ Detach (d) ] Stop the run (s) Cancel (c)")
        await operator.press("left", "enter")
        await operator.until(lambda: not operator.is_asked, "cancelled")

    at_console(scenario, federation(), size=size)


def test_a_key_that_answers_nothing_does_nothing():
    async def scenario(operator):
        await operator.press("q")
        await operator.asked("Detach")
        await operator.press("x", "a", "2", "space")
        assert operator.is_asked
        assert operator.run_screen.active_pane == "clients"

    at_console(scenario, federation())


def test_a_name_that_means_harm_is_shown_and_not_obeyed():
    evil = "\x1b]52;c;ZXZpbA==\x07[bold]"

    async def scenario(operator):
        await operator.press("K")
        await operator.asked(r"Kill client \x1b]52;c;ZXZpbA==\x07[bold]?")

    at_console(scenario, Stage(run_started(), joined(evil, 0)))


# --- the help


@pytest.mark.parametrize("size", [*SIZES, SMALLEST])
def test_the_help_has_every_action_and_scrolls(size):
    pages = []

    async def scenario(operator):
        await operator.press("f1")
        await operator.asked("In a list:")
        while not pages or operator.screen != pages[-1]:
            pages.append(operator.screen)
            await operator.press("pagedown")

    at_console(scenario, federation(), size=size)
    text = " ".join(pages)
    assert [action.name for action in ACTIONS if action.title not in text] == []
    assert [action.name for action in ACTIONS if spell(action.keys[0]) not in text] == []


def test_the_help_is_left_with_any_key_that_leaves_something():
    async def scenario(operator):
        for leave in ("escape", "q", "enter", "question_mark", "f1"):
            await operator.press("question_mark")
            await operator.asked("In a list:")
            await operator.press(leave)
            await operator.until(lambda: not operator.is_asked, "it is left")
        assert operator.app.return_value is None

    at_console(scenario, federation(), size=SMALLEST)


# --- what they are filled with


def test_a_part_is_free_unless_a_member_has_it():
    left, refused = (
        t.ClientLeft(client="2", reason="killed"),
        t.ClientRefused(client="9", host="here", reason="full"),
    )

    assert free_parts(federation(joined("2", 1)).view()) == [2, 3, 4]
    assert free_parts(federation(joined("2", 1), left, refused).view()) == [1, 2, 3, 4]
    assert free_parts(federation(joined("2", 1), t.ClientLost(client="2", reason="silent")).view()) == [
        2,
        3,
        4,
    ]


TIMED = {"mode": "timed", "aggregation_interval_seconds": 10.0, "min_updates_per_aggregation": 2}


def test_the_rules_are_those_of_the_runs_mode():
    interval, minimum = "aggregation_interval_seconds", "min_updates_per_aggregation"
    timed = opened(1, "12", quorum=3, interval_s=2.5)

    assert rules_in_force(federation(**TIMED).view()) == {interval: "10", minimum: "2"}
    assert rules_in_force(federation(timed, **TIMED).view()) == {interval: "2.5", minimum: "3"}
    assert rules_in_force(federation(opened(1, "12", quorum=3), mode="buffered").view()) == {minimum: "3"}


def test_a_quorum_that_is_all_that_was_wanted_is_none():
    assert rules_in_force(federation(opened(1, "123", quorum=2, goal=2)).view())["quorum"] == ""


@pytest.mark.parametrize("size", [*SIZES, SMALLEST])
def test_a_rule_that_a_mode_cannot_do_without_wants_a_number(size):
    async def scenario(operator):
        await operator.press("e")
        await operator.asked("Interval")
        assert "Minimum" in operator.screen
        assert "Quorum" not in operator.screen
        await operator.press("backspace", "backspace", "enter")
        await operator.asked("Interval: there is none to do without; write a number")

    at_console(scenario, federation(**TIMED), size=size)


def test_the_rules_in_force_are_the_rounds_or_else_the_configurations():
    whole = t.RoundOpened(round=1, cohort=["1", "2"], quorum=2, deadline_s=None, base="b")
    ruled = t.RoundOpened(round=1, cohort=["1", "2"], quorum=1, deadline_s=2.5, base="b")

    assert rules_in_force(federation().view()) == {"quorum": "", "deadline_s": ""}
    assert rules_in_force(federation(quorum=2, deadline_s=60.0).view()) == {"quorum": "2", "deadline_s": "60"}
    assert rules_in_force(federation(whole).view()) == {"quorum": "", "deadline_s": ""}
    assert rules_in_force(federation(ruled).view()) == {"quorum": "1", "deadline_s": "2.5"}
