"""Operators' commands on a real socket, and what the server answers."""

import socket

import msgspec
import pytest

from engine import telemetry
from engine.commands import (
    Answer,
    ClientExited,
    Inspect,
    RecycleBroker,
    ServerLine,
    SetRound,
    StopAfterRound,
    encode,
)
from engine.protocol import messages
from engine.protocol.messages import RoundOpened


def finish_round(run, number, clients):
    for client in clients:
        client.send(client.wait_for(RoundOpened, round=number))


def test_inspect_shows_the_round_and_its_rules(ask, run):
    run.clients[0].send(run.opened)
    run.wait_for_event(telemetry.UpdateAccepted, client="1")

    assert ask(Inspect()).data == {
        "round": 1,
        "cohort": ["1", "2", "3"],
        "accepted": ["1"],
        "members": {"1": "idle", "2": "idle", "3": "idle"},
        "quorum": None,
        "deadline_s": None,
    }


def test_new_rules_count_for_the_open_round_and_the_next(ask, run):
    finish = run.clients[:2]
    for client in finish:
        client.send(run.opened)
    run.wait_for_event(telemetry.UpdateAccepted, client="2")

    answer = ask(SetRound(quorum=2))
    assert answer == Answer(ok=True, text="from now on: quorum 2, deadline_s None")
    opened = run.clients[0].wait_for(RoundOpened, round=2)
    assert (opened.quorum, opened.deadline_s) == (2, None)


def test_a_rule_that_is_not_named_stays(ask):
    ask(SetRound(quorum=2))

    assert ask(SetRound(deadline_s=9)).text == "from now on: quorum 2, deadline_s 9.0"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (SetRound(quorum=0), "quorum must be from 1 to 3"),
        (SetRound(quorum=4), "quorum must be from 1 to 3"),
        (SetRound(deadline_s=0), "deadline_s must be above 0"),
        (SetRound(deadline_s=-1.0), "deadline_s must be above 0"),
        (SetRound(quorum=2, deadline_s=-1.0), "deadline_s must be above 0"),
    ],
)
def test_impossible_rules_are_refused_whole(ask, command, text):
    assert ask(command) == Answer(ok=False, text=text)
    assert (ask(Inspect()).data["quorum"], ask(Inspect()).data["deadline_s"]) == (None, None)


def test_the_run_ends_after_the_open_round_when_asked_to(ask, run):
    assert ask(StopAfterRound()).text == "the run ends after this round"
    finish_round(run, 1, run.clients)

    assert run.running.finish() == "stopped by an operator after round 1"
    assert [number for number, _ in run.digests()] == [1]
    run.clients[0].wait_for(messages.RunEnded, reason="stopped by an operator after round 1")


def test_a_client_that_will_be_restarted_is_waited_for(ask, run):
    ask(ClientExited(client="3", will_restart=True, reason="killed by SIGKILL"))

    assert run.events(telemetry.ClientLost) == [telemetry.ClientLost(client="3", reason="killed by SIGKILL")]
    assert ask(Inspect()).data["cohort"] == ["1", "2", "3"]


def test_a_client_that_will_not_come_back_is_waited_for_no_longer(ask, run):
    finish_round(run, 1, run.clients[:2])
    run.wait_for_event(telemetry.UpdateAccepted, client="2")
    ask(ClientExited(client="3", will_restart=False, reason="removed by an operator"))

    run.wait_for_event(telemetry.RoundFinished, round=1)
    assert run.events(telemetry.ClientLeft) == [
        telemetry.ClientLeft(client="3", reason="removed by an operator")
    ]
    assert run.clients[0].wait_for(RoundOpened, round=2).cohort == ("1", "2")


def test_a_client_that_never_joined_and_never_will_is_not_waited_for_at_the_start(federation, tmp_path):
    federation = federation()
    federation.start_server(socket_path=tmp_path / "s")
    one, two = federation.peers("1", "2")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "s"))
        connection.sendall(encode(ClientExited(client="3", will_restart=False, reason="no memory")))
        opened = one.wait_for(RoundOpened, round=1)

    assert opened.cohort == ("1", "2")
    assert two.wait_for(RoundOpened, round=1) == opened


def test_the_server_asks_for_a_fresh_broker_and_goes_on_with_it(federation, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.server.recycling.MOST_RECORDS", 1)
    federation = federation(clients=1, parts=1)
    running = federation.start_server(socket_path=tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "s"))
        connection.settimeout(20)
        connection.sendall(encode(Inspect()))
        stream = connection.makefile("rb")
        assert stream.readline()
        (client,) = federation.peers("1")
        for number in (1, 2):
            request = msgspec.json.decode(stream.readline(), type=ServerLine)
            assert isinstance(request, RecycleBroker)
            federation.broker.restart()
            client.reconnect()
            client.join()
            client.send(client.wait_for(RoundOpened, round=number))
        assert running.finish() == "all 2 rounds are done"

    assert len(federation.events(telemetry.BrokerRecycled)) == 2
    assert [event.reset for event in federation.events(telemetry.BrokerBack)] == [True, True]
