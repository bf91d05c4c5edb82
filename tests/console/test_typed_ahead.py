"""Keys that come all at once, as over a slow line or from a script, do what they do one by one."""

import asyncio
import time

import pytest
from textual.events import Key

from flconsole.tui.app import ConsoleApp
from flconsole.tui.prompt import Prompt
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


def line_of(app):
    return next((line.value for line in app.screen.query_one(Prompt).query("Input")), "")
