"""What an operator can do over the socket, and that it is recorded."""

import json
import os
import signal
import socket
import subprocess

import pytest

from engine import telemetry
from engine.commands import MAX_LINE, SetRound
from flconsole.supervisor.client import SupervisorGone, connect
from flconsole.supervisor.lock import read_lock
from tests.flconsole.supervisor.harness import as_heard

IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')"


def test_status_tells_the_processes_and_the_progress(run):
    supervisor = run.start()
    run.server_does("round 1")
    run.wait(lambda: run.status()["round"] == 1, "a round")

    status = run.status()
    assert (status["run"], status["pid"], status["accuracy"]) == ("run", supervisor.pid, 0.5)
    assert [one["name"] for one in status["processes"]] == ["nursery", "server", "client-1", "client-2"]
    assert all(one["restarts"] == 0 and one["uptime_s"] >= 0 for one in status["processes"])
    assert run.events(telemetry.Command) == []  # a question is no command


def test_added_clients_get_the_next_free_numbers(run):
    run.start()
    run.request("kill-client", client="2", hard=True)

    assert run.request("add-client", count=2).data == {"clients": ["3", "4"]}
    run.wait(lambda: {"client-3", "client-4"} <= set(run.running()), "they run")


def test_added_clients_get_the_parts_that_were_named_and_keep_them_when_they_are_restarted(run):
    run.start(parts=4)
    assert run.request("add-client", count=2, part=2).data == {"clients": ["3", "4"]}
    run.wait(lambda: {"client-3", "client-4"} <= set(run.running()), "they run")
    run.request("restart-client", client="3")
    run.wait(lambda: len(run.starts("client-3")) == 2, "another process")

    assert [started.part for name in ("client-3", "client-4") for started in run.starts(name)] == [2, 2, 3]


def test_a_resumed_run_has_its_clients_where_they_were_wanted(run):
    supervisor = run.start(parts=3)
    run.request("add-client", part=2)
    run.wait(lambda: run.starts("client-3"), "it runs")
    supervisor.kill()
    supervisor.wait()
    run.start("--resumed", parts=3)

    run.wait(lambda: len(run.starts("client-3")) == 2, "another process")
    assert [started.part for started in run.starts("client-3")] == [2, 2]


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"part": 4}, "part 4 does not exist; the parts are 0 to 3"),
        ({"part": 3, "count": 2}, "part 4 does not exist; the parts are 0 to 3"),
        ({"part": 0, "count": 2}, "part 0 is taken by client gpu-1"),
        ({"gpu": 0}, "no client of this run trains, and none can use a GPU"),
    ],
)
def test_a_place_that_cannot_be_had_is_refused_with_the_reason_and_nobody_is_started(run, wish, refusal):
    run.start(parts=4)
    answer = run.request("add-client", **wish)

    assert (answer.ok, answer.text) == (False, refusal)
    assert len(run.status()["processes"]) == 4


@pytest.mark.parametrize(("hard", "signum"), [(False, "SIGTERM"), (True, "SIGKILL")])
def test_an_operators_kill_is_final(run, hard, signum):
    run.start()

    assert run.request("kill-client", client="1", hard=hard).ok
    run.wait(lambda: run.told("ClientExited"), "the server is told")
    (told,) = run.told("ClientExited")
    assert (told["will_restart"], told["reason"]) == (False, "killed by the operator")
    assert [exited.signal for exited in run.exits("client-1")] == [signum]
    assert run.process("client-1")["state"] == "out"
    assert run.request("kill-client", client="1").text == "client 1 is out already: killed by the operator"


def test_a_kill_that_is_ignored_becomes_a_hard_one(run):
    run.client_does("1", IGNORE_TERM)
    run.start(stop_timeout_s=0.3)
    run.wait(lambda: "deaf" in run.log("client-1"), "the client is deaf")
    run.request("kill-client", client="1")

    run.wait(lambda: run.process("client-1")["state"] == "out", "out")
    assert run.exits("client-1")[0].signal == "SIGKILL"


def test_a_killed_client_can_be_started_again(run):
    run.start()
    run.request("kill-client", client="1")
    run.wait(lambda: run.process("client-1")["state"] == "out", "out")

    assert run.request("restart-client", client="1").ok
    run.wait(lambda: "client-1" in run.running(), "running")


def test_a_running_client_can_be_restarted(run):
    run.start(max_restarts=0)
    pid = run.process("client-1")["pid"]
    run.request("restart-client", client="1")

    run.wait(lambda: run.process("client-1")["pid"] not in (None, pid), "another process")
    assert run.exits("client-1")[0].reason == "restarted by the operator"
    first, second = run.starts("client-1")
    assert (first.log_bytes, second.log_bytes) == (0, len("client 1 is here\n"))


# --- clients that share a process


def shared(run, **config):
    """Five clients, three of them in one process."""
    run.start(clients=5, clients_per_process=3, parts=9, **config)


def test_clients_are_dealt_to_processes_and_so_are_those_that_are_added(run):
    shared(run)
    run.request("add-client", count=4)
    run.wait(lambda: {"clients-6-8", "client-9"} <= set(run.running()), "they run")

    assert [one["name"] for one in run.status()["processes"][2:]] == [
        "clients-1-3",
        "clients-4-5",
        "clients-6-8",
        "client-9",
    ]
    assert run.process("clients-4-5")["clients"] == ["4", "5"]
    assert run.starts("clients-6-8")[0].clients == ["6", "7", "8"]
    assert "client 4 is here\nclient 5 is here" in run.log("clients-4-5")


def test_the_server_is_told_of_each_client_of_a_process_that_ended(run):
    shared(run)
    os.kill(run.process("clients-1-3")["pid"], signal.SIGKILL)
    run.wait(lambda: len(run.told("ClientExited")) == 3, "the server is told")

    assert [(told["client"], told["will_restart"]) for told in run.told("ClientExited")] == [
        ("1", True),
        ("2", True),
        ("3", True),
    ]


def test_a_kill_of_one_of_several_is_the_servers_to_say_and_the_process_goes_on(run):
    shared(run)
    pid = run.process("clients-1-3")["pid"]
    answer = run.request("kill-client", client="2", hard=True)
    run.wait(lambda: run.told("DismissClient"), "the server is told")

    assert answer.text == "client 2 is out; the process it shared goes on with 2 clients (1, 3)"
    assert run.told("DismissClient")[0]["client"] == "2"
    assert run.process("clients-1-3")["pid"] == pid
    assert run.request("kill-client", client="2").text == "client 2 is out already: killed by the operator"


def test_who_was_killed_does_not_come_back_with_its_process_and_each_server_is_told(run):
    shared(run)
    run.request("kill-client", client="2")
    os.kill(run.process("clients-1-3")["pid"], signal.SIGKILL)
    run.wait(lambda: len(run.starts("clients-1-3")) == 2, "another process")
    run.wait(lambda: len(run.told("ClientExited")) == 3, "the server is told")
    run.server_does("crash")
    run.wait(lambda: any(told["type"] == "DismissClient" for told in run.told_server(2)), "told again")

    assert [told["will_restart"] for told in run.told("ClientExited")] == [True, False, True]
    assert run.starts("clients-1-3")[1].clients == ["1", "3"]


def test_the_last_one_of_a_process_ends_with_it(run):
    shared(run)
    for client in ("4", "5"):
        assert run.request("kill-client", client=client).ok
    run.wait(lambda: run.process("clients-4-5")["state"] == "out", "out")

    assert run.exits("clients-4-5")[0].reason == "killed by the operator"
    run.request("restart-client", client="5")
    run.wait(lambda: "clients-4-5" in run.running(), "running")
    assert run.starts("clients-4-5")[1].client == "5"


def test_a_restart_is_that_of_the_whole_process_and_says_so(run):
    shared(run)
    run.request("kill-client", client="2")
    pid = run.process("clients-1-3")["pid"]
    answer = run.request("restart-client", client="2")
    run.wait(lambda: run.process("clients-1-3")["pid"] not in (None, pid), "another process")

    assert answer.text == "client 2 is being restarted, and so are 2 clients (1, 3) in the same process"
    assert run.starts("clients-1-3")[1].clients == ["1", "2", "3"]


def test_a_resumed_run_has_its_clients_in_the_same_processes(run):
    supervisor = run.supervise(clients=4, clients_per_process=3, parts=9)
    run.wait(lambda: {"clients-1-3", "client-4"} <= set(run.running()), "they run")
    run.request("add-client", count=2, part=5)
    run.request("kill-client", client="3")
    run.request("kill-client", client="4")
    run.wait(lambda: run.starts("clients-5-6"), "it runs")
    supervisor.kill()
    supervisor.wait()
    run.supervise("--resumed", clients=4, clients_per_process=3, parts=9)
    run.wait(lambda: len(run.starts("clients-5-6")) == 2, "they run again")

    assert run.starts("clients-1-3")[1].clients == ["1", "2"]
    assert run.starts("clients-5-6")[1].part == 5
    assert run.process("client-4")["state"] == "out"


# --- what the server carries out


def test_rules_are_passed_on_and_the_servers_answer_comes_back(run):
    run.start()
    run.wait(lambda: run.request("set", quorum=1).text == "heard", "the link is there")

    assert run.heard()[-1] == as_heard(SetRound(quorum=1))


def test_a_pause_is_the_servers_to_carry_out_and_its_answer_comes_back(run):
    run.start()

    assert run.request("pause").text == "heard"
    assert run.request("pause", clients=["1", "2"]).text == "heard"
    assert run.request("unpause", clients=["2"]).text == "heard"
    assert run.heard()[-3:] == [
        {"type": "Pause", "clients": None},
        {"type": "Pause", "clients": ["1", "2"]},
        {"type": "Unpause", "clients": ["2"]},
    ]


def test_saving_is_the_servers_to_do_and_its_answer_comes_back(run):
    run.start()

    assert run.request("save").text == "heard"
    assert run.told("SaveCheckpoint")


def test_what_the_server_says_of_its_clients_is_in_the_samples_and_in_no_chain(run):
    run.start()
    run.wait(lambda: any(sample.clients for sample in run.samples()), "a sample with clients")

    (sampled,) = {sample.clients["1"] for sample in run.samples() if sample.clients}
    assert sampled == telemetry.ClientSample(
        state="sending", round=3, bytes_up=8, bytes_down=9, silence_s=0.5
    )
    assert run.events(telemetry.Command) == []


def test_stop_ends_the_run_at_once(run):
    run.start()

    assert run.request("stop").ok
    assert run.exit_code() == 143
    assert run.events()[-1].reason == "stopped by the operator"


def test_stop_after_the_round_is_the_servers_to_do(run):
    run.start()
    run.request("stop", after_round=True)
    run.wait(lambda: run.told("StopAfterRound"), "the server is told")
    run.server_does("round 1", "end stopped by an operator after round 1", "exit 0")

    assert run.exit_code() == 0
    assert isinstance(run.events()[-1], telemetry.RunFinished)
    assert run.events()[-1].reason == "stopped by an operator after round 1"


def test_every_command_is_recorded_with_its_answer(run):
    run.start()
    run.request("add-client")
    run.request("kill-client", client="9")

    commands = run.events(telemetry.Command)
    assert [(command.command, command.arguments, command.ok) for command in commands] == [
        ("add-client", {"count": 1, "part": None, "gpu": None}, True),
        ("kill-client", {"client": "9", "hard": False}, False),
    ]
    assert commands[1].answer == "there is no client '9'; there are 1, 2, 3"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b'{"command": "explode"}\n',
        b'{"command": "add-client", "count": 0}\n',
        b'{"command": "kill-client", "client": "1", "colour": "red"}\n',
        b'{"command": "stop", "after_round": "yes"}\n',
        b'{"command": "kill-client", "client": "\xff"}\n',
        b'{"colour": ' + b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(run, line):
    run.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(read_lock(run.run_dir).socket)
        connection.sendall(line)
        answer = json.loads(connection.makefile().readline())

    assert answer["ok"] is False
    assert answer["text"].startswith("not a request: ")
    assert run.status()["stopping"] is False


def test_a_line_without_end_is_cut_off(run):
    run.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(read_lock(run.run_dir).socket)
        connection.sendall(b"x" * (MAX_LINE + 1))
        connection.shutdown(socket.SHUT_WR)
        answer = json.loads(connection.makefile().readline())

    assert answer == {
        "type": "Answer",
        "ok": False,
        "text": f"a request of more than {MAX_LINE} bytes",
        "data": {},
    }
    assert len(run.running()) == 4


def test_an_operator_who_hangs_up_disturbs_nobody(run):
    run.start()
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(read_lock(run.run_dir).socket)
            connection.sendall(b'{"command": "status"}\n')

    assert len(run.running()) == 4


def test_without_a_supervisor_there_is_nobody_to_connect_to(run):
    with pytest.raises(SupervisorGone, match="no supervisor is running"):
        connect(run.run_dir)


def test_an_operator_notices_when_the_supervisor_dies(run):
    supervisor: subprocess.Popen[bytes] = run.start()
    with connect(run.run_dir) as client:
        supervisor.kill()
        supervisor.wait()
        with pytest.raises(SupervisorGone, match="went away during 'status'"):
            client.request("status")
