"""Runs that are ended with the test, and whose chain of events must be whole."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.event_log import verify_chain
from tests.flconsole.supervisor.harness import RunUnderTest


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a login gives a user: a private directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="fl-") as path:
        monkeypatch.setenv("XDG_RUNTIME_DIR", path)
        yield Path(path)


@pytest.fixture
def socket_path(runtime_dir: Path) -> Path:
    return runtime_dir / "server"


@pytest.fixture
def run(tmp_path: Path, runtime_dir: Path) -> Iterator[RunUnderTest]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    under_test = RunUnderTest(run_dir)
    yield under_test
    under_test.end()
    if (run_dir / "processes.jsonl").exists():
        assert verify_chain(run_dir / "processes.jsonl") is None
