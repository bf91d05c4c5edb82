"""Failpoints: a process kills itself where, and only where, it was asked to."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from engine.failpoints import reach
reach("here", 1, first=lambda: print("first", flush=True))
reach("here", 2, first=lambda: print("first", flush=True))
print("survived", flush=True)
"""


def run(**environment):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_wish_nobody_dies():
    assert run(FLCONSOLE_FAILPOINT="").stdout == "survived\n"


@pytest.mark.parametrize("wanted", ["elsewhere", "here:3", "her", "here:"])
def test_another_place_or_round_is_passed(wanted):
    assert run(FLCONSOLE_FAILPOINT=wanted).stdout == "survived\n"


@pytest.mark.parametrize("wanted", ["here", "here:1", "here:2"])
def test_the_place_kills_with_sigkill_after_its_last_words(wanted):
    ended = run(FLCONSOLE_FAILPOINT=wanted)

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "first\n"


def test_once_means_once_however_often_the_process_is_started(tmp_path):
    wish = {"FLCONSOLE_FAILPOINT": "here", "FLCONSOLE_FAILPOINT_ONCE": str(tmp_path / "died")}

    assert run(**wish).returncode == -signal.SIGKILL
    assert run(**wish).stdout == "survived\n"
