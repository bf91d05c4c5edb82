"""`timed` and `buffered` while clients, server and broker come, go and die; over-selection in `sync`.

That no update is lost or counted twice is proven from the files of the run.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks._audit import Audit, audit
from engine import telemetry

pytestmark = pytest.mark.broker

Make = Callable[..., Any]

NULL = ("--trainer=null", "--dataset=digits", "--model=vector:20000", "--seed=7", "--clients=3")
TIMED = ("--mode=timed", "--aggregation-interval-seconds=0.4", "--min-updates-per-aggregation=2")
BUFFERED = ("--mode=buffered", "--min-updates-per-aggregation=3", "--training-interval-seconds=0.2")
MODES = pytest.mark.parametrize("mode", [TIMED, BUFFERED], ids=["timed", "buffered"])


def console(federation: Any, command: str, *words: str) -> None:
    """Another command of the console on this run, to its end."""
    subprocess.run(
        [
            sys.executable, "-m", "flconsole", command, str(federation.run_dir), *words,
            "--runs-dir", str(federation.runs_dir),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip


def rounds(federation: Any) -> int:
    return len(federation.digests())


def some_rounds_later(federation: Any, more: int = 3) -> None:
    goal = rounds(federation) + more
    federation.wait_for(lambda: rounds(federation) >= goal)


def ended(federation: Any) -> Audit:
    """Ends the run with the open round; what became of its updates."""
    console(federation, "stop", "--after-round")
    federation.finish()
    return audited(federation)


def audited(federation: Any) -> Audit:
    found = audit(federation.run_dir)
    assert found.problems == []
    assert found.counted > 0
    return found


def counted_clients(federation: Any) -> set[str]:
    return {update.client for event in federation.events(telemetry.RoundClosed) for update in event.accepted}


@MODES
def test_clients_join_leave_and_are_killed_and_no_update_is_lost(
    mode: tuple[str, ...], federation: Make
) -> None:
    run = federation(*NULL, *mode, "--parts=4", "--duration-minutes=5").start()
    run.wait_for(lambda: rounds(run) >= 2)
    console(run, "add-client")
    run.wait_for(lambda: "4" in counted_clients(run))
    os.kill(run.pid_of("client-1"), signal.SIGKILL)
    console(run, "kill-client", "2")
    run.wait_for(lambda: [e for e in run.events(telemetry.ClientLeft) if e.client == "2"])
    some_rounds_later(run)
    ended(run)

    assert counted_clients(run) == {"1", "2", "3", "4"}
    assert len(run.events(telemetry.RoundOpened)) >= rounds(run)


@pytest.mark.parametrize(
    ("mode", "place"),
    [
        (TIMED, "server.receipt_sent"),
        (TIMED, "server.after_checkpoint"),
        (BUFFERED, "server.before_checkpoint"),
        (BUFFERED, "server.round_closed"),
        (BUFFERED, "client.update_sent"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].removeprefix("--mode="),
)
def test_a_death_at_any_step_of_a_round_loses_and_repeats_nothing(
    mode: tuple[str, ...], place: str, federation: Make, tmp_path: Path
) -> None:
    once = tmp_path / "died"
    disturbed = {"FLCONSOLE_FAILPOINT": f"{place}:3", "FLCONSOLE_FAILPOINT_ONCE": str(once)}
    run = federation(*NULL, *mode, "--rounds=6", **disturbed).run()

    assert once.exists(), "nobody died"
    assert rounds(run) == 6
    audited(run)


@MODES
def test_a_broker_that_is_killed_loses_no_update(mode: tuple[str, ...], federation: Make) -> None:
    run = federation(*NULL, *mode, "--duration-minutes=5").start()
    run.wait_for(lambda: rounds(run) >= 2)
    os.kill(run.pid_of("broker"), signal.SIGKILL)
    run.wait_for(lambda: run.events(telemetry.BrokerBack))
    some_rounds_later(run)
    ended(run)


def test_interval_and_minimum_are_changed_while_it_runs(federation: Make) -> None:
    run = federation(*NULL, *TIMED, "--duration-minutes=5").start()
    run.wait_for(lambda: rounds(run) >= 2)
    console(run, "set", "aggregation_interval_seconds=0.9", "min_updates_per_aggregation=3")
    (changed,) = run.events(telemetry.RulesChanged)
    assert (changed.quorum, changed.interval_s) == (3, 0.9)
    some_rounds_later(run)
    found = ended(run)

    after = [event for event in run.events(telemetry.RoundOpened) if event.round > changed.round]
    assert {(event.quorum, event.interval_s) for event in after} == {(3, 0.9)}
    # not the one that an operator ended
    assert min(found.updates_per_round[changed.round - 1 : -1]) >= 3
    commands = run.processes(telemetry.Command)
    assert [event.command for event in commands] == ["set", "stop"]


def test_over_selection_closes_at_the_goal_and_draws_by_the_seed(federation: Make) -> None:
    options = ("--clients=4", "--clients-per-round=2", "--over-selection=1.5", "--rounds=5")
    first, second = (federation(*NULL, *options).run() for _ in range(2))

    opened = first.events(telemetry.RoundOpened)
    assert [len(event.cohort) for event in opened] == [3] * 5
    assert [event.goal for event in opened] == [2] * 5
    assert [event.updates for event in first.events(telemetry.RoundClosed)] == [2] * 5
    assert [event.cohort for event in second.events(telemetry.RoundOpened)] == [e.cohort for e in opened]
    late = {(event.round, event.client) for event in first.events(telemetry.ClientLate)}
    for event in first.events(telemetry.RoundClosed):
        heard = {update.client for update in event.accepted}
        cohort = next(e.cohort for e in opened if e.round == event.round)
        assert {client for number, client in late if number == event.round} == set(cohort) - heard
