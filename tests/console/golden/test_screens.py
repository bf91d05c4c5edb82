"""What is on the screen at one moment of a made-up run, character by character.

After a change that is meant, `REMAKE_SCREENS=1 pytest tests/console/golden` writes the files anew; look at
the difference before it is kept.
"""

import difflib
import os
import time
from pathlib import Path

import pytest

from benchmarks._scribe import Story
from benchmarks._still import Still, take, text_of
from benchmarks.synthetic_run import write_run
from flconsole.tui.replay_source import ReplaySource
from flconsole.tui.view import Liveness

HERE = Path(__file__).parent
GOING_ON = Story(clients=12, rounds=100, played=87, ended=False)
OVER = Story(clients=12, rounds=100)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Nobody's choices, and one time zone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.getbasetemp()))
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="module")
def run_dirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {
        story: write_run(folder / name / story.run, story) for name, story in (("a", GOING_ON), ("b", OVER))
    }


def going_on(run_dirs):
    return Still(run_dirs[GOING_ON], Liveness.RUNNING)


def over(run_dirs):
    return Still(run_dirs[OVER], Liveness.ENDED)


def played(run_dirs):
    return ReplaySource(run_dirs[OVER], clock=lambda: 0.0)


SMALL, MIDDLING, LARGE, HUGE = (60, 20), (80, 24), (120, 40), (200, 50)
TO_ROUND_40 = ("p", "g", "4", "0", "enter")
SCREENS = {
    "going-on-60x20": (going_on, SMALL, ()),
    "going-on-80x24": (going_on, MIDDLING, ()),
    "going-on-120x40": (going_on, LARGE, ()),
    "going-on-200x50": (going_on, HUGE, ()),
    "clients-80x24": (going_on, MIDDLING, ("1", "z")),
    "charts-80x24": (going_on, MIDDLING, ("2", "z")),
    "charts-120x40": (going_on, LARGE, ("2", "z")),
    "chart-80x24": (going_on, MIDDLING, ("2", "enter")),
    "logs-80x24": (going_on, MIDDLING, ("3", "z")),
    "timeline-80x24": (going_on, MIDDLING, ("4", "z", "v", "v")),
    "timeline-60x20": (going_on, SMALL, ("4",)),
    "help-80x24": (going_on, MIDDLING, ("question_mark",)),
    "kill-80x24": (going_on, MIDDLING, ("down", "K")),
    "kill-60x20": (going_on, SMALL, ("space", "down", "space", "K")),
    "add-80x24": (going_on, MIDDLING, ("a",)),
    "rules-80x24": (going_on, MIDDLING, ("e",)),
    "over-80x24": (over, MIDDLING, ()),
    "over-120x40": (over, LARGE, ()),
    "replay-80x24": (played, MIDDLING, TO_ROUND_40),
    "replay-120x40": (played, LARGE, TO_ROUND_40),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen(name, run_dirs):
    source, size, keys = SCREENS[name]
    shown, file = take(source(run_dirs), size, keys, text_of), HERE / f"{name}.txt"
    if os.environ.get("REMAKE_SCREENS"):
        file.write_text(shown, encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    difference = difflib.unified_diff(kept.splitlines(), shown.splitlines(), "kept", "shown", lineterm="")
    assert shown == kept, "\n".join(difference)


def test_every_file_is_a_screen():
    assert {file.stem for file in HERE.glob("*.txt")} == set(SCREENS)
