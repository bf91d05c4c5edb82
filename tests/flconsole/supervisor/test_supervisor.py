"""The supervisor keeps a run going, ends it cleanly, and leaves nothing behind."""

import os
import signal

import pytest

from engine import telemetry
from engine.commands import HOPELESS_EXIT_CODE
from engine.config import RunConfig
from engine.errors import EngineError
from flconsole.supervisor.operations import KILLED
from tests.flconsole.supervisor.harness import all_gone
from tests.nursery.harness import wait_until

CRASH = "raise RuntimeError('out of memory')"
CRASH_ONCE = """
from pathlib import Path
if not Path(script.with_suffix('.crashed')).exists():
    Path(script.with_suffix('.crashed')).touch()
    raise RuntimeError('out of memory')
"""
IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')"
STUBBORN_GRANDCHILD = """
import os
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('grandchild')
"""


def gone(client: str, reason: str, *, will_restart: bool) -> dict[str, object]:
    return {"type": "ClientExited", "client": client, "will_restart": will_restart, "reason": reason}


# --- the end of a run


def test_a_server_that_ends_with_0_finishes_the_run(run):
    run.start()
    pids = run.pids()
    run.server_does("round 1", "round 2", "exit 0")

    assert run.exit_code() == 0
    assert all_gone(pids)
    end = run.events()[-1]
    assert isinstance(end, telemetry.RunFinished)
    assert (end.rounds, end.accuracy, end.loss, end.digest) == (2, 0.5, 1.0, "digest-2")
    assert (end.exit_code, end.run_dir) == (0, str(run.run_dir))
    assert isinstance(run.events()[0], telemetry.RunStarted)


@pytest.mark.parametrize(
    ("code", "of_the_run"), [(2, 2), (3, 3), (4, 4), (5, 5), (HOPELESS_EXIT_CODE, EngineError.exit_code)]
)
def test_a_final_exit_code_of_the_server_ends_the_run(run, code, of_the_run):
    run.start()
    run.server_does(f"exit {code}")

    assert run.exit_code() == of_the_run
    assert isinstance(run.events()[-1], telemetry.RunFailed)
    assert f"server: exit code {code}" in run.events()[-1].reason
    assert len(run.exits("server")) == 1


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_the_run_in_order(run, signum, code):
    supervisor = run.start()
    pids = run.pids()
    supervisor.send_signal(signum)

    assert run.exit_code() == code
    assert all_gone(pids)
    end = run.events()[-1]
    assert isinstance(end, telemetry.RunStopped)
    assert (end.exit_code, end.reason) == (code, f"stopped by {signum.name}")
    names = [event.name for event in run.events(telemetry.ProcessExited)]
    assert names[0] == "server"  # before the clients: it must not see them leave
    assert names[-1] == "nursery"
    assert run.told("ClientExited") == []


def test_a_child_that_ignores_term_is_killed_after_the_timeout(run):
    run.client_does("2", IGNORE_TERM)
    run.start(stop_timeout_s=0.5)
    run.wait(lambda: "deaf" in run.log("client-2"), "the client is deaf")
    pids = run.pids()
    run.supervisors[-1].terminate()

    assert run.exit_code() == 143
    assert all_gone(pids)
    assert [exited.signal for exited in run.exits("client-1") + run.exits("client-2")] == [
        "SIGTERM",
        "SIGKILL",
    ]


def test_a_run_can_be_stopped_while_the_nursery_still_imports(run):
    (run.run_dir / "endless_import.py").write_text("import signal\nwhile True: signal.pause()\n")
    supervisor = run.supervise("--preload", "endless_import")
    run.wait(lambda: "nursery" in run.running(), "the nursery is importing")
    pids = run.pids()
    supervisor.terminate()

    assert run.exit_code() == 143
    assert all_gone(pids)
    assert [event.name for event in run.events(telemetry.ProcessExited)] == ["nursery"]


def test_a_second_signal_kills_at_once(run):
    run.client_does("1", IGNORE_TERM)
    supervisor = run.start(stop_timeout_s=1000.0)
    run.wait(lambda: "deaf" in run.log("client-1"), "the client is deaf")
    pids = run.pids()
    supervisor.send_signal(signal.SIGINT)
    run.wait(lambda: run.status()["stopping"], "stopping")
    supervisor.send_signal(signal.SIGINT)

    assert run.exit_code() == 130
    assert all_gone(pids)


def test_grandchildren_go_with_the_run(run):
    run.client_does("1", STUBBORN_GRANDCHILD)
    run.start()
    run.wait(lambda: "grandchild" in run.log("client-1"), "the grandchild is there")
    pids = run.pids()
    assert len(pids) == 5  # nursery, server, two clients, grandchild
    run.supervisors[-1].terminate()

    assert run.exit_code() == 143
    assert all_gone(pids)


@pytest.mark.broker
def test_a_killed_supervisor_leaves_nothing_and_the_run_goes_on_under_another(run):
    run.client_does("1", IGNORE_TERM)
    supervisor = run.start(embedded_broker=True)
    run.request("kill-client", client="2")
    run.request("add-client")
    run.wait(
        lambda: run.process("client-2")["state"] == "out" and "client-3" in run.running(), "killed and added"
    )
    pids = run.pids()
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: all_gone(pids), "nothing is left")

    run.supervise("--resumed", embedded_broker=True)
    run.wait(lambda: {"server", "client-1", "client-3"} <= set(run.running()), "the others run")
    run.wait(lambda: gone("2", KILLED, will_restart=False) in run.told_server(2), "the server knows")
    assert run.process("client-2")["state"] == "out"
    assert [event.resumed for event in run.events(telemetry.RunStarted)] == [False, True]


# --- crashes


def test_a_crashed_client_is_restarted_at_once_and_the_server_hears_of_it(run):
    run.client_does("2", CRASH_ONCE)
    run.start()
    run.wait(lambda: run.log("client-2").count("client 2 is here") == 2, "restarted")

    assert run.process("client-2")["restarts"] == 1
    (exited,) = run.exits("client-2")
    assert (exited.code, exited.will_restart) == (1, True)
    assert exited.reason == "exit code 1: RuntimeError: out of memory"
    assert run.delays() == [0.0]


def test_the_server_is_told_when_a_client_dies(run):
    run.start()
    os.kill(run.process("client-1")["pid"], signal.SIGKILL)

    run.wait(lambda: gone("1", "killed by SIGKILL", will_restart=True) in run.heard(), "told")
    run.wait(lambda: "client-1" in run.running(), "restarted")


def test_a_client_that_crashes_for_ever_is_given_up_on(run):
    run.client_does("1", CRASH)
    run.supervise(max_restarts=3)
    run.wait(lambda: run.running() and run.process("client-1")["state"] == "out", "given up")

    reason = "exit code 1: RuntimeError: out of memory; given up after 3 restarts"
    run.wait(lambda: gone("1", reason, will_restart=False) in run.heard(), "told")
    assert run.delays() == [0.0, 0.5, 1.0]
    assert [exited.will_restart for exited in run.exits("client-1")] == [True, True, True, False]
    assert "client-2" in run.running()


def test_a_finished_round_forgives_earlier_crashes(run):
    run.start(max_restarts=1)

    for number in (1, 2, 3):
        os.kill(run.process("client-1")["pid"], signal.SIGKILL)
        run.wait(lambda number=number: run.process("client-1")["restarts"] == number, "restarted")
        run.wait(lambda: "client-1" in run.running(), "running")
        run.server_does(f"round {number}")
        run.wait(lambda number=number: run.status()["round"] == number, "round finished")

    assert run.delays() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("code", [0, 2, 4])
def test_a_final_exit_code_of_a_client_is_not_tried_again(run, code):
    run.client_does("1", f"raise SystemExit({code})")
    run.supervise()
    run.wait(lambda: run.running() and run.process("client-1")["state"] == "out", "out")

    assert run.delays() == []
    run.wait(lambda: "client-1 is here" not in run.output() and run.told("ClientExited"), "told")
    (told,) = run.told("ClientExited")
    assert (told["client"], told["will_restart"]) == ("1", False)


def test_a_crashed_server_comes_back_and_is_told_again_what_holds(run):
    run.start()
    run.request("kill-client", client="1")
    run.wait(lambda: run.told("ClientExited"), "the first server is told")
    run.request("set", quorum=2, deadline_s=9.0)
    run.request("set", deadline_s=3.0, clear=["quorum"])
    run.request("pause")
    run.request("pause", clients=["2"])
    run.server_does("crash")
    wishes = [
        gone("1", KILLED, will_restart=False),
        {"type": "SetPaused", "federation": True, "clients": ["2"]},
    ]
    run.wait(lambda: run.told_server(2) == wishes, "the second server is told")
    config = RunConfig.load(run.run_dir / "config.toml")  # the rules it reads for itself
    assert (config.quorum, config.deadline_s) == (None, 3.0)

    assert run.exits("server")[0].reason == "exit code 1: RuntimeError: the server has crashed as it was told"


def test_a_resumed_run_is_not_paused_any_more(run):
    supervisor = run.start()
    run.request("pause")
    supervisor.kill()
    supervisor.wait()
    run.start("--resumed")

    nothing = {"type": "SetPaused", "federation": False, "clients": []}
    run.wait(lambda: run.told_server(2) == [nothing], "the new server is told that nothing is paused")


def test_a_server_that_crashes_for_ever_fails_the_run(run):
    run.server_starts_with(CRASH)
    run.supervise(max_restarts=2)

    assert run.exit_code() == 1
    end = run.events()[-1]
    assert isinstance(end, telemetry.RunFailed)
    assert end.reason == "server: exit code 1: RuntimeError: out of memory; given up after 2 restarts"
    assert run.delays() == [0.0, 0.5]


def test_an_error_of_the_supervisor_itself_ends_the_run_and_every_process(run):
    run.start()
    pids = run.pids()
    client = run.process("client-1")["pid"]
    (run.run_dir / "events.jsonl").unlink()
    (run.run_dir / "events.jsonl").mkdir()
    os.kill(client, signal.SIGKILL)  # to decide on a restart it looks at the rounds

    assert run.exit_code() == 1
    assert all_gone(pids)
    assert "events.jsonl: Is a directory" in run.output()


def test_a_killed_nursery_takes_its_children_along_and_all_come_back(run):
    run.client_does("1", STUBBORN_GRANDCHILD)
    run.start()
    run.wait(lambda: "grandchild" in run.log("client-1"), "the grandchild is there")
    pids = run.pids()
    os.kill(run.process("nursery")["pid"], signal.SIGKILL)
    run.wait(lambda: len(run.exits("nursery")) == 1 and len(run.running()) == 4, "all run again")

    assert all_gone(pids)
    assert {exited.reason for exited in run.exits("client-2")} == {"the nursery died"}
    run.wait(lambda: run.heard().count("started") == 2, "the second server is there")


def test_a_module_that_cannot_be_forked_fails_the_run_with_the_reason(run):
    (run.run_dir / "logs").mkdir()
    (run.run_dir / "logs" / "server.log").mkdir()  # no file can be opened under this name
    run.supervise(max_restarts=0)

    assert run.exit_code() == 1
    assert "server: could not be started" in run.events()[-1].reason


# --- the broker


@pytest.mark.broker
def test_a_killed_broker_is_restarted_on_the_same_port_with_nothing_else_touched(run):
    run.start(embedded_broker=True)
    before = {one["name"]: one["pid"] for one in run.status()["processes"]}
    os.kill(before["broker"], signal.SIGKILL)
    run.wait(lambda: run.process("broker")["restarts"] == 1 and "broker" in run.running(), "restarted")

    after = {one["name"]: one["pid"] for one in run.status()["processes"]}
    assert {name for name in before if before[name] != after[name]} == {"broker"}
    assert run.exits("broker")[0].reason == "killed by SIGKILL"


@pytest.mark.broker
def test_a_broker_recycled_at_the_servers_wish_does_not_count_as_crashed(run):
    run.start(embedded_broker=True, max_restarts=0)
    pid = run.process("broker")["pid"]
    run.server_does("recycle 3000 batches")
    run.wait(lambda: run.process("broker")["pid"] not in (None, pid), "another broker")

    (exited,) = run.exits("broker")
    assert (exited.reason, exited.will_restart) == ("recycled: 3000 batches", True)


# --- files


def test_samples_tell_what_each_process_uses(run):
    run.start()
    samples = run.run_dir / "samples.jsonl"
    run.wait(lambda: samples.exists() and b'"client-2"' in samples.read_bytes(), "a sample")

    _, sample = telemetry.decode_line(samples.read_bytes().splitlines()[-1])
    assert set(sample.processes) == {"supervisor", "nursery", "server", "client-1", "client-2"}
    assert sample.processes["supervisor"].rss_bytes > 1_000_000
    assert sample.disk_free_bytes > 0


def test_every_started_process_can_be_found_again(run):
    run.start()

    started = {event.name: event for event in run.events(telemetry.ProcessStarted)}
    assert {name: event.pid for name, event in started.items()} == {
        one["name"]: one["pid"] for one in run.status()["processes"]
    }
    assert (started["client-2"].role, started["client-2"].client) == ("client", "2")
    assert all((run.run_dir / event.log).exists() for event in started.values())
