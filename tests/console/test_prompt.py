"""The line above the footer: what is typed is text, and Escape leaves everything as it was."""

import asyncio
from typing import ClassVar

import pytest
from textual.app import App
from textual.binding import Binding
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input, Static

from flconsole.tui.prompt import Prompt
from flconsole.tui.prompt_line import MAX_LENGTH

SIZES = [(80, 24), (120, 40), (60, 20)]


class Pane(Widget, can_focus=True):
    """A pane with a key of its own."""

    BINDINGS: ClassVar = [Binding("slash", "search"), Binding("k", "kill"), Binding("left", "left")]

    def __init__(self, name):
        super().__init__(id=name)
        self.done_keys = []

    def action_search(self):
        self.app.ask()

    def action_kill(self):
        self.done_keys.append("k")

    def action_left(self):
        self.done_keys.append("left")


class PromptApp(App):
    """A pane that asks, one beside it, and a screen with keys that one would not like to hit."""

    BINDINGS: ClassVar = [Binding("q", "stop_all")]
    CSS = "Pane { height: 1fr; }"

    def __init__(self):
        super().__init__()
        self.changes, self.answers, self.stopped = [], [], False
        self.label, self.value = "/", ""

    def compose(self):
        yield Pane("asks")
        yield Pane("other")
        yield Prompt()

    def on_mount(self):
        self.query_one("#asks").focus()

    def ask(self):
        def changed(value):
            self.changes.append(value)
            return "not good" if "(" in value else None

        self.prompt.ask(self.label, self.value, changed=changed, done=self.answers.append)

    def action_stop_all(self):
        self.stopped = True

    @property
    def prompt(self):
        return self.query_one(Prompt)

    @property
    def line(self):
        return self.query_one(Input)

    @property
    def lowest_row(self):
        return self.screen._compositor.render_strips()[-1].text.rstrip()


def on_screen(*sizes):
    def decorate(test):
        @pytest.mark.parametrize("size", sizes or SIZES[:1])
        def run(size):
            async def play():
                app = PromptApp()
                async with app.run_test(size=size) as pilot:
                    await test(app, pilot)

            asyncio.run(play())

        run.__name__ = test.__name__
        return run

    return decorate


@on_screen(*SIZES)
async def test_what_is_typed_is_told_letter_by_letter_and_accepted_with_enter(app, pilot):
    await pilot.press("/", "a", "b")
    assert app.lowest_row.startswith("/ ab")
    await pilot.press("enter")

    assert app.changes == ["a", "ab"]
    assert app.answers == ["ab"]
    assert not app.prompt.display


@on_screen()
async def test_escape_says_that_nothing_was_accepted(app, pilot):
    await pilot.press("/", "a", "escape")

    assert app.answers == [None]
    assert not app.prompt.display


@on_screen()
async def test_the_focus_goes_back_to_where_it_came_from(app, pilot):
    for end in ("enter", "escape"):
        await pilot.press("/", "a", end)
        assert app.focused.id == "asks"


@on_screen()
async def test_the_keys_of_the_console_are_letters(app, pilot):
    await pilot.press("/", "k", "q", "/", "left", "x", "enter")

    assert app.answers == ["kqx/"]
    assert not app.stopped
    assert app.query_one("#asks").done_keys == []


@on_screen()
async def test_so_they_are_when_they_arrive_together_with_the_key_that_opens_it(app, pilot):
    for key, character in (("slash", "/"), ("k", "k"), ("q", "q"), ("comma", ","), ("space", " ")):
        app.post_message(Key(key, character))
    await pilot.pause()
    await pilot.press("enter")

    assert sorted(app.answers[0]) == sorted("kq, ")
    assert not app.stopped
    assert app.query_one("#asks").done_keys == []


@on_screen()
async def test_what_it_holds_at_first_can_be_edited(app, pilot):
    app.value = "old"
    await pilot.press("/", "backspace", "d", "enter")

    assert app.answers == ["old"]
    assert app.changes == ["ol", "old"]


@on_screen(*SIZES)
async def test_what_is_wrong_stands_beside_the_line(app, pilot):
    await pilot.press("/", "(")
    assert app.lowest_row.startswith("/ (")
    assert app.lowest_row.endswith("not good")
    await pilot.press("backspace")
    assert "not good" not in app.lowest_row


@on_screen()
async def test_each_label_has_its_own_history(app, pilot):
    for label, word in (("/", "one"), ("/", "two"), ("&", "other"), ("/", "one")):
        app.label = label
        await pilot.press("/", *word, "enter")
    await pilot.press("/", "x")
    seen = []
    for key in ("up", "up", "up", "down", "down", "down"):
        await pilot.press(key)
        seen.append(app.line.value)

    assert seen == ["one", "two", "two", "one", "x", "x"]


@on_screen()
async def test_what_was_left_with_escape_is_not_remembered(app, pilot):
    await pilot.press("/", "a", "escape", "/", "up")

    assert app.line.value == ""


@on_screen()
async def test_going_to_another_pane_leaves_it(app, pilot):
    await pilot.press("/", "a")
    app.query_one("#other").focus()
    await pilot.pause()

    assert app.answers == [None]
    assert app.focused.id == "other"


@on_screen()
async def test_a_window_that_loses_the_focus_keeps_it_open(app, pilot):
    await pilot.press("/", "a")
    app.app_focus = False
    await pilot.pause()
    app.app_focus = True
    await pilot.press("b", "enter")

    assert app.answers == ["ab"]


@on_screen()
async def test_a_second_question_ends_the_first(app, pilot):
    await pilot.press("/", "a")
    app.ask()
    await pilot.pause()
    await pilot.press("b", "enter")

    assert app.answers == [None, "b"]


@on_screen()
async def test_a_line_is_no_longer_than_a_line(app, pilot):
    await pilot.press("/")
    app.line.insert_text_at_cursor("x" * 10_000)
    await pilot.press("enter")

    assert len(app.answers[0]) <= MAX_LENGTH


@on_screen((60, 20))
async def test_a_long_label_leaves_room_for_the_line(app, pilot):
    app.label = "a label that is much longer than the half of a small screen is"
    await pilot.press("/", "a")

    assert app.line.size.width >= 20
    assert app.query_one("#prompt-label", Static).size.height == 1
