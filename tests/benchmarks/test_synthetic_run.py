"""A made-up run can be told from a real one by nothing but its numbers."""

import filecmp

import pytest

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from engine import telemetry
from engine.config import RunConfig
from engine.event_log import read_events, verify_chain
from flconsole.feed import RunFeed
from flconsole.runs import read_state
from flconsole.snapshot import Snapshot, advance_all
from flconsole.state import ClientState

STORY = Story(clients=8, rounds=20)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / STORY.run, STORY)


@pytest.mark.parametrize("name", ["events.jsonl", "processes.jsonl"])
def test_the_chain_holds_and_time_never_goes_back(run_dir, name):
    assert verify_chain(run_dir / name) is None
    times = [envelope.ts for envelope, _ in read_events(run_dir / name)]
    assert times == sorted(times)


def test_it_is_the_run_that_its_configuration_says(run_dir):
    config, state = RunConfig.load(run_dir / "config.toml"), read_state(run_dir)
    assert state.run == config.run_id == run_dir.name
    assert list(state.history) == list(range(1, config.rounds + 1))
    assert isinstance(state.outcome, telemetry.RunFinished)
    assert state.client_ids == [str(number) for number in range(1, 9)]
    assert state.killed == {"4"}


def test_every_incident_is_in_the_timeline(run_dir):
    with RunFeed(run_dir) as feed:
        told = "\n".join(entry.text for entry in advance_all(Snapshot(), feed.read()).timeline.entries)
    for words in (
        "client 8 joined", "client 2 lost", "client 2 is back", "update of client 3 rejected",
        "operator: set", "MemoryError", "broker restarted as planned", "operator: pause",
        "operator: kill-client", "client-4 was killed by the operator",
    ):  # fmt: skip
        assert words in told


def test_the_crash_left_its_traceback_in_the_log(run_dir):
    log = (run_dir / "logs" / "client-5.log").read_text()
    assert "Traceback (most recent call last):" in log
    assert "MemoryError" in log


def test_the_same_story_makes_the_same_bytes(run_dir, tmp_path):
    again = write_run(tmp_path / STORY.run, STORY)
    files = [path.relative_to(run_dir) for path in run_dir.rglob("*") if path.is_file()]
    assert filecmp.cmpfiles(run_dir, again, files, shallow=False) == (files, [], [])


def test_an_open_run_is_in_the_middle_of_a_round(tmp_path):
    state = read_state(write_run(tmp_path / "run", Story(clients=8, rounds=100, played=30, ended=False)))
    assert state.outcome is None
    assert state.round.number == 31
    assert 0 < len(state.round.accepted) < len(state.round.cohort)
    assert ClientState.TRAINING in map(state.client_state, state.client_ids)
