"""A run directory as a run leaves it."""

from pathlib import Path

import pytest

from engine import telemetry as t
from engine.config import RunConfig
from tests.flconsole.recording import RUN, SERVER_EVENTS, SUPERVISOR_EVENTS, record


@pytest.fixture
def runs_dir(tmp_path, monkeypatch):
    """An empty folder for runs, in a home without any configuration of the user's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # for processes started from here
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture
def run_dir(runs_dir):
    """The recorded run, as its processes would have left it."""
    path = runs_dir / RUN
    (path / "logs").mkdir(parents=True)
    (path / "config.toml").write_text(RunConfig(run_id=RUN, rounds=3, dataset="digits").to_toml())
    record(path / "events.jsonl", "server", SERVER_EVENTS)
    record(path / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS)
    record(
        path / "samples.jsonl",
        "supervisor",
        [t.Sample(processes={"broker": t.ProcessSample(cpu_percent=7.0)})],
    )
    (path / "logs" / "server.log").write_text("server is up\n\x1b]52;c;ZXZpbA==\x07 not a clipboard\n")
    (path / "logs" / "client-1.log").write_text("training\n")
    return path
