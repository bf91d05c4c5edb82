"""Keys that come all at once, as over a slow line or from a script, do what they do one by one."""

import asyncio
import time

import pytest
from textual.events import Key

from engine.config import RunConfig
from flconsole.tui.app import ConsoleApp
from flconsole.tui.prompt import Prompt
from tests.console.operating import at_console
from tests.console.staging import Stage, run_started

DEADLINE_S = 20.0
WORDS = "joined, from part 3 [2] <trainer.1>"


@pytest.mark.parametrize("pane", ["timeline", "logs", "clients"])
def test_a_prompt_gets_every_letter_that_came_with_the_key_that_opens_it(pane, tmp_path):
    """Also those that mean something elsewhere, in another run, or in a replay."""

    async def run():
        app = ConsoleApp(Stage(run_started(), run_dir=tmp_path))
        async with app.run_test(size=(80, 24)) as pilot:
            app.screen.activate(pane)
            await pilot.pause()
            for character in f"/{WORDS}":
                app.post_message(Key(character if character.isalnum() else names[character], character))
            deadline = time.monotonic() + DEADLINE_S
            while (written := line_of(app)) != WORDS:
                assert time.monotonic() < deadline, written
                await pilot.pause(0.02)

    names = {
        "/": "slash", ",": "comma", " ": "space", "[": "left_square_bracket", "]": "right_square_bracket",
        "<": "less_than_sign", ">": "greater_than_sign", ".": "full_stop",
    }  # fmt: skip
    asyncio.run(run())


def test_a_form_takes_keys_in_the_order_in_which_they_came(tmp_path):
    """Enter accepts what was written before it, and Backspace takes that back."""

    async def scenario(operator):
        await operator.press("e")
        await operator.asked("Interval")
        for key in ("backspace", "x", "y", "backspace", "z", "enter"):
            operator.app.post_message(Key(key, key if len(key) == 1 else None))
        await operator.asked("'xz' will not do")

    stage = Stage(run_started(), run_dir=tmp_path, config=RunConfig(mode="timed"))
    at_console(scenario, stage)


def line_of(app):
    return next((line.value for line in app.screen.query_one(Prompt).query("Input")), "")
