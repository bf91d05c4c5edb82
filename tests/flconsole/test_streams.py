"""Whatever standard streams a command is started with, it does its work or says in one line why not."""

import subprocess
import sys
from pathlib import Path

import pytest

from flconsole.runs import read_state
from tests.flconsole.recording import RUN

FLCONSOLE = f"{sys.executable} -m flconsole"


def shell(command):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.broker
@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-", "2>&-"])
def test_a_run_needs_no_standard_streams(runs_dir, closed):
    options = "--headless --trainer null --model vector:10 --clients 1 --rounds 1"

    assert shell(f"{FLCONSOLE} run {options} {closed}").returncode == 0

    (run_dir,) = runs_dir.iterdir()
    assert read_state(run_dir).rounds_done == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("command", ["runs", f"status {RUN}", f"events {RUN}", f"logs {RUN}"])
def test_output_without_room_is_said_in_one_line(run_dir, command):
    ended = shell(f"{FLCONSOLE} {command} > /dev/full")

    assert (ended.returncode, ended.stderr) == (1, "error: standard output: No space left on device\n")


@pytest.mark.parametrize("command", ["runs", f"status {RUN}", f"events {RUN}", f"logs {RUN}"])
def test_output_that_nobody_reads_is_no_traceback(run_dir, command):
    assert shell(f"{FLCONSOLE} {command} | true").stderr == ""
