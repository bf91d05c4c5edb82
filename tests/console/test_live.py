"""A run is followed through its real files, whatever happens to them and to whoever writes them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from engine import telemetry as t
from engine.event_log import EventLog
from flconsole.tui import live
from flconsole.tui.live import LiveSource
from flconsole.tui.view import Liveness
from tests.console.staging import lost, run_started

DEADLINE_S = 20.0
SUPERVISOR = """
import signal, sys
from pathlib import Path
from flconsole.supervisor.lock import SupervisorLock
with SupervisorLock(Path(sys.argv[1])):
    print("supervised", flush=True)
    signal.pause()
"""


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run in the middle of a round."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return write_run(tmp_path / "run", Story(clients=8, rounds=30, played=20, ended=False))


@contextlib.contextmanager
def supervisor(run_dir):
    """A process that holds the run, as a supervisor does; killed at the end."""
    command = [sys.executable, "-c", SUPERVISOR, str(run_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"supervised\n"
        yield process
        process.kill()


@contextlib.contextmanager
def following(run_dir):
    with contextlib.closing(LiveSource(run_dir)) as source:
        until(lambda: source.view().loading is None, source)
        yield source


def until(condition, source):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, source.view()
        time.sleep(0.002)


def append(run_dir, name, event):
    log = EventLog(run_dir / name, run="run", origin="server" if name == "events.jsonl" else "supervisor")
    log.append(event)
    log.close()


def newest(source):
    return source.view().snapshot.timeline.entries[-1].text


def test_what_is_written_while_one_watches_is_shown(run_dir):
    with following(run_dir) as source:
        before = source.view().snapshot
        assert before.state.rounds_done == 20
        append(run_dir, "events.jsonl", lost("3", "silent for 15 s"))
        until(lambda: source.view().snapshot is not before, source)
        assert newest(source) == "client 3 lost: silent for 15 s"


def test_a_supervisor_that_is_killed_is_gone_and_one_that_resumes_is_there(run_dir):
    with supervisor(run_dir) as first, following(run_dir) as source:
        assert source.view().liveness is Liveness.RUNNING
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: source.view().liveness is Liveness.GONE, source)

        with supervisor(run_dir):
            append(run_dir, "processes.jsonl", run_started(resumed=True))
            until(lambda: source.view().liveness is Liveness.RUNNING, source)
            until(lambda: newest(source).startswith("run resumed after round 20"), source)


def test_a_run_that_ended_goes_on_when_it_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    run_dir = write_run(tmp_path / "run", Story(clients=8, rounds=20))
    with following(run_dir) as source:
        assert source.view().liveness is Liveness.ENDED
        with supervisor(run_dir):
            append(run_dir, "processes.jsonl", run_started(resumed=True))
            until(lambda: source.view().liveness is Liveness.RUNNING, source)


def test_while_a_history_is_read_its_share_grows_and_nothing_is_said_to_be_gone(run_dir, monkeypatch):
    monkeypatch.setattr(live, "PIECE_BYTES", 5000)
    views = []
    with contextlib.closing(LiveSource(run_dir)) as source:
        until(lambda: views.append(source.view()) or views[-1].loading is None, source)
    shares = [view.loading for view in views[:-1]]

    assert shares == sorted(shares)
    assert all(0.0 <= share < 1.0 for share in shares)
    assert len(set(shares)) > 3
    assert Liveness.GONE not in {view.liveness for view in views[:-1]}
    rounds = [view.snapshot.state.rounds_done for view in views]
    assert rounds == sorted(rounds)


def test_samples_go_on_over_a_rotation(run_dir):
    sample = t.Sample(processes={"server": t.ProcessSample(cpu_percent=42.0)})
    with following(run_dir) as source:
        (run_dir / "samples.jsonl").rename(run_dir / "samples.1.jsonl")
        log = EventLog(run_dir / "samples.jsonl", run="run", origin="supervisor")
        log._incarnation = 99  # the numbering goes on over a rotation
        log.append(sample)
        log.close()
        until(lambda: source.view().snapshot.state.sample == sample, source)


def test_a_directory_that_is_deleted_is_told(run_dir):
    with following(run_dir) as source:
        before = source.view().snapshot
        shutil.rmtree(run_dir)
        until(lambda: source.view().error, source)
        assert source.view().error == f"{run_dir}: the run directory is not there any more"
        assert source.view().snapshot is before


def test_a_file_that_cannot_be_read_is_told_until_it_can(run_dir):
    events = run_dir / "events.jsonl"
    with following(run_dir) as source:
        events.rename(run_dir / "kept")
        events.mkdir()
        until(lambda: source.view().error, source)
        assert source.view().error == f"{events}: Is a directory"
        events.rmdir()
        (run_dir / "kept").rename(events)
        append(run_dir, "events.jsonl", lost("3"))
        until(lambda: not source.view().error, source)
        until(lambda: newest(source).startswith("client 3 lost"), source)


def test_a_bug_is_told_and_not_a_frozen_screen(run_dir, monkeypatch):
    def broken(_snapshot, _records):
        raise ZeroDivisionError("by \x1b[2J")

    with following(run_dir) as source:
        monkeypatch.setattr(live, "advance_all", broken)
        until(lambda: source.view().error, source)
        assert r"ZeroDivisionError: by \x1b[2J (test_live.py:" in source.view().error


def test_leaving_while_a_history_is_read_ends_the_reading(run_dir, monkeypatch):
    monkeypatch.setattr(live, "PIECE_BYTES", 100)
    source = LiveSource(run_dir)

    source.close()

    assert not source._thread.is_alive()
