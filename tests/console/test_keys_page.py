"""`docs/console.md` has the keys of the registry."""

import subprocess
import sys
from pathlib import Path

import pytest

from flconsole.tui.actions import ACTIONS
from flconsole.tui.keys_page import renewed

PAGE = Path(__file__).parents[2] / "docs/console.md"


def test_the_page_has_the_tables_of_the_registry():
    page = PAGE.read_text(encoding="utf-8")

    assert page == renewed(page), "run: python -m flconsole.tui.keys_page docs/console.md"


def test_every_action_is_on_the_page_once():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert [row.split(" | ")[1].strip("`") for row in rows] == [action.name for action in ACTIONS]


def test_the_command_renews_the_tables_and_nothing_else(tmp_path):
    page = tmp_path / "console.md"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("Show every key.", "Nothing."), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "flconsole.tui.keys_page", page], check=True, timeout=60)

    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_page_without_a_place_for_them_is_left_alone():
    with pytest.raises(ValueError, match="end of what is made"):
        renewed("# A page\n")
