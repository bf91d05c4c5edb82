"""A whole run from the command line: embedded broker, server, two clients that train nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.event_log import verify_chain
from flconsole.runs import read_state

pytestmark = pytest.mark.broker

RUN = [
    sys.executable,
    "-m",
    "flconsole",
    "run",
    "--headless",
    "--json",
    "--trainer",
    "null",
    "--clients",
    "2",
]


def flconsole(*arguments):
    command = [sys.executable, "-m", "flconsole", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_run_writes_its_events_says_how_it_ended_and_can_be_asked_for_more(runs_dir):
    finished = subprocess.run(
        [*RUN, "--rounds", "2"], capture_output=True, text=True, check=False, timeout=60
    )
    (run_dir,) = runs_dir.iterdir()

    assert finished.returncode == 0, finished.stderr
    recorded = (run_dir / "events.jsonl").read_text() + (run_dir / "processes.jsonl").read_text()
    assert sorted(finished.stdout.splitlines()) == sorted(recorded.splitlines())
    assert "round 2/2: " in finished.stderr
    assert f"results in {run_dir}" in finished.stderr
    assert verify_chain(run_dir / "events.jsonl") is None
    assert verify_chain(run_dir / "processes.jsonl") is None

    more = flconsole("resume", "--rounds", "3", "--json")

    assert more.returncode == 0, more.stderr
    assert "resumed after round 2" in more.stderr
    assert [
        line["round"]
        for line in map(json.loads, more.stdout.splitlines())
        if line["type"] == "round_finished"
    ] == [3]
    assert read_state(run_dir).rounds_done == 3


def test_a_run_that_is_interrupted_says_how_it_goes_on(runs_dir):
    with subprocess.Popen(
        [*RUN, "--rounds", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        for line in process.stdout:
            if b'"round_finished"' in line:
                break
        (run_dir,) = runs_dir.iterdir()
        assert flconsole("status", "--json").stdout.count('"status": "running"') == 1
        assert flconsole("resume").returncode == 1
        os.kill(process.pid, signal.SIGINT)
        _, narration = process.communicate(timeout=60)

    assert process.returncode == 130
    assert narration.decode().splitlines()[-1] == f"continue with: flconsole resume {run_dir.name}"
    assert json.loads(flconsole("runs", "--json").stdout)[0]["status"] == "stopped"
    assert not [path for path in Path(runs_dir).iterdir() if path.name.startswith(".")]


ENDLESS_DATA = """
import os, pathlib, threading
def data(part, parts, seed):
    pathlib.Path("pid").write_text(f"{os.getpid()}\\n")
    threading.Event().wait()
"""


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_what_prepares_the_data_never_outlives_the_command(runs_dir, tmp_path, sig):
    (tmp_path / "mine.py").write_text(ENDLESS_DATA)
    command = [sys.executable, "-m", "flconsole", "run", "--headless", "--dataset", "mine:data"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
        preparing = int((tmp_path / "pid").read_text())
        process.send_signal(sig)

    wait_until(lambda: not psutil.pid_exists(preparing))
    if sig != signal.SIGKILL:
        assert process.returncode == 128 + sig
        assert list(runs_dir.iterdir()) == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_terminal_that_interrupts_the_whole_group_while_data_are_prepared_sees_no_traceback(
    runs_dir, tmp_path, sig
):
    (tmp_path / "mine.py").write_text(ENDLESS_DATA)
    command = [sys.executable, "-m", "flconsole", "run", "--headless", "--dataset", "mine:data"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
        os.killpg(process.pid, sig)
        _, narration = process.communicate(timeout=30)

    assert (process.returncode, narration) == (128 + sig, b"")


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
