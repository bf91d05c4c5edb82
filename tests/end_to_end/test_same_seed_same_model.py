"""Kill anything at any moment and compare one list of digests."""

import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import telemetry
from engine.event_log import verify_chain

pytestmark = pytest.mark.broker

Digests = list[tuple[int, str]]
Make = Callable[..., Any]

SERVER_DEATHS = [
    "server.receipt_sent",
    "server.before_checkpoint",
    "server.checkpoint_written",
    "server.after_checkpoint",
    "server.round_closed",
    "server.chunks_published",
    "server.model_published",
    "server.before_round_finished",
]
CLIENT_DEATHS = ["client.training_started", "client.upload_half_sent", "client.update_sent"]


def assert_the_record_is_whole(federation: Any) -> None:
    """Every round finished exactly once, and both event files are unbroken chains."""
    finished = Counter(number for number, _ in federation.digests())
    assert finished == dict.fromkeys(range(1, len(finished) + 1), 1)
    assert verify_chain(federation.run_dir / "events.jsonl") is None
    assert verify_chain(federation.run_dir / "processes.jsonl") is None


def signals(federation: Any) -> list[str]:
    """Signals that ended processes of the run before its end."""
    return [e.signal for e in federation.processes(telemetry.ProcessExited) if e.will_restart]


def test_an_undisturbed_run_repeats_itself(null_run: Make, undisturbed_null: Digests) -> None:
    federation = null_run().run()

    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


@pytest.mark.parametrize("place", SERVER_DEATHS + CLIENT_DEATHS)
def test_a_death_at_any_step_of_a_round_changes_nothing(
    place: str, null_run: Make, undisturbed_null: Digests, tmp_path: Path
) -> None:
    once = tmp_path / "died"
    federation = null_run(FLCONSOLE_FAILPOINT=f"{place}:2", FLCONSOLE_FAILPOINT_ONCE=str(once)).run()

    assert once.exists(), "nobody died"
    assert signals(federation) == ["SIGKILL"]
    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


@pytest.mark.parametrize("name", ["server", "broker", "client-2", "nursery"])
def test_a_process_killed_in_the_middle_of_a_round_changes_nothing(
    name: str, null_run: Make, undisturbed_null: Digests
) -> None:
    federation = null_run().start()
    federation.wait_for(lambda: len(federation.events(telemetry.UpdateAccepted)) >= 4)
    os.kill(federation.pid_of(name), signal.SIGKILL)
    federation.finish()

    assert "SIGKILL" in signals(federation)
    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


def test_a_broker_and_a_server_killed_together_change_nothing(
    null_run: Make, undisturbed_null: Digests
) -> None:
    federation = null_run().start()
    federation.wait_for(lambda: len(federation.events(telemetry.UpdateAccepted)) >= 5)
    for name in ("broker", "server"):
        os.kill(federation.pid_of(name), signal.SIGKILL)
    federation.finish()

    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_whose_supervisor_ended_is_resumed_to_the_same_model(
    number: signal.Signals, null_run: Make, undisturbed_null: Digests
) -> None:
    federation = null_run().start()
    federation.wait_for(lambda: len(federation.events(telemetry.UpdateAccepted)) >= 4)
    family = federation.family()
    os.kill(federation.process.pid, number)
    federation.finish(expected_code=-number if number == signal.SIGKILL else 128 + number)
    psutil.wait_procs(family, timeout=10)

    assert [process for process in family if process.is_running()] == []

    federation.start("resume").finish()
    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


@pytest.mark.skipif(sys.platform != "linux", reason="takes a running process's room away")
def test_a_run_without_room_for_its_checkpoint_ends_once_and_is_resumed_to_the_same_model(
    null_run: Make, undisturbed_null: Digests
) -> None:
    federation = null_run().start()
    federation.wait_for(lambda: federation.events(telemetry.UpdateAccepted))
    resource.prlimit(federation.pid_of("server"), resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    federation.finish(expected_code=1)

    (exited,) = [end for end in federation.processes(telemetry.ProcessExited) if end.name == "server"]
    assert "cannot write the checkpoint: File too large" in exited.reason
    assert not list(federation.run_dir.glob("checkpoints/*.tmp"))

    federation.start("resume").finish()
    assert federation.digests() == undisturbed_null
    assert_the_record_is_whole(federation)


@pytest.mark.tensorflow
@pytest.mark.parametrize("place", ["client.training_started:2", "server.after_checkpoint:2"])
def test_a_trained_model_is_the_same_as_that_of_clients_in_turns_whoever_dies(
    place: str, keras_run: Make, keras_in_turns: Digests, tmp_path: Path
) -> None:
    once = tmp_path / "died"
    federation = keras_run(FLCONSOLE_FAILPOINT=place, FLCONSOLE_FAILPOINT_ONCE=str(once)).run()

    assert once.exists(), "nobody died"
    assert len(federation.digests()) == 3
    assert federation.digests() == keras_in_turns
    assert_the_record_is_whole(federation)
