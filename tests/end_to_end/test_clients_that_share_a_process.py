"""Several clients in one process make the same model as each in its own, and end one by one or together."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from engine import telemetry
from tests.end_to_end.test_operating_a_run import command, last_round, wait_for_rounds

pytestmark = pytest.mark.broker

Make = Callable[..., Any]
TEN = (
    "--trainer=null",
    "--model=vector:300000",
    "--dataset=digits",
    "--clients=10",
    "--rounds=4",
    "--seed=7",
)
SHARED = "--clients-per-process=4"


def names(federation: Any) -> set[str]:
    """The processes of clients that were ever started."""
    return {e.name for e in federation.processes(telemetry.ProcessStarted) if e.role == "client"}


def test_the_same_seed_gives_the_same_models_in_three_processes_as_in_ten_whoever_is_killed(
    federation: Make,
) -> None:
    undisturbed = federation(*TEN).run()
    shared = federation(*TEN, SHARED).start()
    shared.wait_for(lambda: len(shared.events(telemetry.UpdateAccepted)) >= 14)
    os.kill(shared.pid_of("clients-5-8"), signal.SIGKILL)
    shared.finish()

    assert names(undisturbed) == {f"client-{number}" for number in range(1, 11)}
    assert names(shared) == {"clients-1-4", "clients-5-8", "clients-9-10"}
    ends = [(e.name, e.signal) for e in shared.processes(telemetry.ProcessExited) if e.will_restart]
    assert ends == [("clients-5-8", "SIGKILL")]
    lost = {e.client for e in shared.events(telemetry.ClientLost) if e.reason == "killed by SIGKILL"}
    assert lost == {"5", "6", "7", "8"}
    assert len(shared.digests()) == 4
    assert shared.digests() == undisturbed.digests()


def test_one_of_several_is_ended_and_started_again_without_the_others_being_lost(federation: Make) -> None:
    run = federation(*TEN[:3], "--clients=4", "--parts=6", "--rounds=100000", SHARED).start()
    wait_for_rounds(run, 1)
    pid = run.pid_of("clients-1-4")
    name = run.run_dir.name

    assert command(run, "kill-client", name, "2", "--kill").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["1", "3", "4"])
    wait_for_rounds(run, 2)
    assert run.pid_of("clients-1-4") == pid
    assert "client-2: dismissed: killed by the operator" in (run.run_dir / "logs/clients-1-4.log").read_text()
    assert run.events(telemetry.ClientLost) == []

    assert command(run, "restart-client", name, "2").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["1", "2", "3", "4"])
    assert run.pid_of("clients-1-4") != pid
    assert command(run, "stop", "--after-round").returncode == 0
    run.finish()
    left = [(e.client, e.reason, e.failed) for e in run.events(telemetry.ClientLeft)]
    assert left == [("2", "killed by the operator", False)]
