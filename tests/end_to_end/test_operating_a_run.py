"""What an operator does to a run that goes on, with the commands, and what the run directory says of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from engine import telemetry

pytestmark = pytest.mark.broker

Make = Callable[..., Any]
NULL = ("--trainer=null", "--model=vector:2000000", "--dataset=digits", "--rounds=100000")


def command(federation: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs another command on this federation's run."""
    return subprocess.run(
        [sys.executable, "-m", "flconsole", *words, "--runs-dir", str(federation.runs_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rounds_done(federation: Any) -> int:
    return len(federation.digests())


def wait_for_rounds(federation: Any, more: int) -> None:
    enough = rounds_done(federation) + more
    federation.wait_for(lambda: rounds_done(federation) >= enough)


def last_round(federation: Any) -> telemetry.RoundOpened:
    return federation.events(telemetry.RoundOpened)[-1]


def test_clients_come_and_go_while_the_federation_learns(federation: Make) -> None:
    run = federation(*NULL, "--clients=2", "--parts=3").start()
    wait_for_rounds(run, 2)

    assert command(run, "add-client").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["1", "2", "3"])
    name = run.run_dir.name
    assert command(run, "kill-client", name, "1", "--kill").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["2", "3"])
    wait_for_rounds(run, 2)
    assert command(run, "add-client").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["2", "3", "4"])
    assert command(run, "stop", "--after-round").returncode == 0
    run.finish()

    joined = {(e.client, e.part) for e in run.events(telemetry.ClientJoined)}
    assert joined == {("1", 0), ("2", 1), ("3", 2), ("4", 0)}
    assert [e.client for e in run.events(telemetry.ClientLeft)] == ["1"]
    commands = [(e.command, e.ok) for e in run.processes(telemetry.Command)]
    assert commands == [("add-client", True), ("kill-client", True), ("add-client", True), ("stop", True)]
    assert run.processes(telemetry.RunFinished)


def test_a_client_for_whom_no_data_are_left_is_turned_away_with_the_reason(federation: Make) -> None:
    run = federation(*NULL, "--clients=2").start()
    wait_for_rounds(run, 1)
    command(run, "add-client")
    run.wait_for(lambda: run.events(telemetry.ClientRefused))
    wait_for_rounds(run, 2)

    assert "all 2 are taken" in run.events(telemetry.ClientRefused)[0].reason
    assert last_round(run).cohort == ["1", "2"]


def test_a_client_gets_the_part_that_was_named_for_it_or_is_not_started(federation: Make) -> None:
    run = federation(*NULL, "--clients=1", "--parts=4").start()
    wait_for_rounds(run, 1)
    assert command(run, "add-client", "--part", "3").returncode == 0
    run.wait_for(lambda: last_round(run).cohort == ["1", "2"])
    taken = command(run, "add-client", "--part", "3")
    beyond = command(run, "add-client", "--part", "4")
    on_a_gpu = command(run, "add-client", "--gpu", "0")

    assert {(e.client, e.part) for e in run.events(telemetry.ClientJoined)} == {("1", 0), ("2", 3)}
    assert (taken.returncode, beyond.returncode, on_a_gpu.returncode) == (1, 1, 1)
    assert taken.stderr == "error: part 3 is taken by client 2\n"
    assert beyond.stderr == "error: part 4 does not exist; the parts are 0 to 3\n"
    assert on_a_gpu.stderr == "error: no client of this run trains, and none can use a GPU\n"


def test_a_quorum_set_on_the_way_closes_rounds_without_the_slow(federation: Make) -> None:
    run = federation(*NULL, "--clients=3").start()
    wait_for_rounds(run, 2)
    assert command(run, "set", run.run_dir.name, "quorum=2", "deadline_s=0.2").returncode == 0
    wait_for_rounds(run, 2)
    sleeper = run.pid_of("client-3")
    os.kill(sleeper, signal.SIGSTOP)
    run.wait_for(lambda: run.events(telemetry.ClientLate))
    os.kill(sleeper, signal.SIGCONT)
    late_in = run.events(telemetry.ClientLate)[-1].round
    run.wait_for(
        lambda: any(e.client == "3" and e.round > late_in for e in run.events(telemetry.UpdateAccepted))
    )

    assert command(run, "set", run.run_dir.name, "quorum=none", "deadline_s=none").returncode == 0
    run.wait_for(lambda: (last_round(run).quorum, last_round(run).deadline_s) == (3, None))

    by_round = {e.round: e.updates for e in run.events(telemetry.RoundFinished)}
    assert by_round[late_in] == 2


def test_a_paused_federation_waits_and_then_goes_on_to_the_same_model(
    null_run: Make, undisturbed_null: list[tuple[int, str]]
) -> None:
    run = null_run().start()
    run.wait_for(lambda: run.events(telemetry.RoundOpened))
    sleeper = run.pid_of("client-3")
    os.kill(sleeper, signal.SIGSTOP)  # the run must not be over before the pause comes
    assert command(run, "pause").returncode == 0
    os.kill(sleeper, signal.SIGCONT)
    run.wait_for(lambda: rounds_done(run) == last_round(run).round)
    paused_after = rounds_done(run)

    os.kill(run.pid_of("server"), signal.SIGKILL)
    run.wait_for(lambda: len(run.events(telemetry.ServerStarted)) == 2)
    name = run.run_dir.name
    run.wait_for(lambda: command(run, "pause", name, "--client", "1").returncode == 0)
    assert command(run, "unpause", name, "--client", "1").returncode == 0
    assert last_round(run).round == rounds_done(run) == paused_after < 4
    assert command(run, "unpause").returncode == 0
    run.finish()

    assert run.digests() == undisturbed_null
    assert len(run.events(telemetry.FederationPaused)) == len(run.events(telemetry.FederationResumed)) == 1


def test_a_saved_checkpoint_is_the_start_of_another_run(federation: Make) -> None:
    run = federation(*NULL, "--clients=2").start()
    wait_for_rounds(run, 1)
    saved = command(run, "save")
    assert saved.returncode == 0
    command(run, "stop")
    run.finish(expected_code=143)

    path = saved.stderr.strip().removeprefix("saved ")
    round_number = int(path[-11:-5])
    successor = federation(*NULL[:-1], "--rounds=1", "--clients=2", f"--init-from={path}").run()
    assert successor.events(telemetry.ServerStarted)[0].model_digest == dict(run.digests())[round_number]


def test_too_few_clients_end_the_run_with_5(federation: Make) -> None:
    run = federation(*NULL, "--clients=2", "--quorum=2").start()
    wait_for_rounds(run, 2)
    command(run, "kill-client", run.run_dir.name, "2")
    run.finish(expected_code=5)

    (ended,) = run.processes(telemetry.RunFailed)
    assert "2 updates" in ended.reason or "2 clients" in ended.reason


def test_nobody_at_the_address_is_exit_code_3_in_one_line_and_leaves_nothing(federation: Make) -> None:
    run = federation("--trainer=null", "--dataset=digits", "--bootstrap-servers=127.0.0.1:1").start()
    _, narration = run.process.communicate(timeout=60)

    assert run.process.returncode == 3
    assert "127.0.0.1:1" in narration.strip().splitlines()[-1]
    assert not list(run.runs_dir.glob("*"))
