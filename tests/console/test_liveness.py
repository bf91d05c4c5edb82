"""Whether a run goes on is told by its supervisor's lock, and that it has ended by its last line."""

import time

import pytest

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from flconsole.supervisor.lock import SupervisorLock
from flconsole.tui.live import LiveSource
from flconsole.tui.view import Liveness

DEADLINE_S = 20.0


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def liveness_of(run_dir):
    """Once everything is read."""
    source, deadline = LiveSource(run_dir), time.monotonic() + DEADLINE_S
    try:
        while source.view().loading is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return source.view().liveness
    finally:
        source.close()


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize(
    ("ended", "supervised", "liveness"),
    [
        (False, True, Liveness.RUNNING),
        (False, False, Liveness.GONE),
        (True, False, Liveness.ENDED),
        (True, True, Liveness.ENDED),  # its supervisor is about to go
    ],
)
def test_liveness(tmp_path, ended, supervised, liveness):
    run_dir = write_run(tmp_path / "run", Story(clients=8, rounds=20, ended=ended))
    if not supervised:
        assert liveness_of(run_dir) is liveness
        return
    with SupervisorLock(run_dir):
        assert liveness_of(run_dir) is liveness
