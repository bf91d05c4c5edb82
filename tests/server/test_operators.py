"""Operators' commands on a real socket, and what the server answers."""

import socket

import msgspec
import pytest

from engine import telemetry
from engine.commands import (
    Answer,
    ClientExited,
    DismissClient,
    Inspect,
    Pause,
    RecycleBroker,
    SaveCheckpoint,
    ServerLine,
    SetRound,
    StopAfterRound,
    Unpause,
    encode,
)
from engine.protocol import messages
from engine.protocol.messages import Dismissed, RoundOpened
from engine.server.checkpoint import read_checkpoint


def finish_round(run, number, clients):
    for client in clients:
        client.send(client.wait_for(RoundOpened, round=number))


def test_inspect_shows_the_round_and_its_rules(ask, run):
    run.clients[0].send(run.opened)
    run.wait_for_event(telemetry.UpdateAccepted, client="1")

    view = ask(Inspect()).data
    assert set(view.pop("members")) == {"1", "2", "3"}
    assert view == {
        "round": 1,
        "cohort": ["1", "2", "3"],
        "accepted": ["1"],
        "parts": {"1": 0, "2": 1, "3": 2},
        "quorum": None,
        "deadline_s": None,
    }


def member(ask, client):
    return msgspec.convert(ask(Inspect()).data["members"][client], telemetry.ClientSample)


def test_inspect_tells_what_each_client_does_and_how_much_it_has_moved(ask, run):
    one, *_ = run.clients
    (manifest,) = one.said(messages.ModelPublished)
    assert member(ask, "1") == telemetry.ClientSample(bytes_up=0, bytes_down=0, silence_s=0.0)
    one.tell(messages.Have(run="run", client="1", round=1, digest=run.opened.base))
    ask.wait_for_turns()
    training = member(ask, "1")
    assert (training.state, training.round, training.bytes_down) == ("training", 1, manifest.size)
    one.tell(messages.Sending(run="run", client="1", round=1))
    ask.wait_for_turns()
    assert member(ask, "1").state == "sending"
    one.verdict(one.send(run.opened))
    run.clock.advance(2.5)
    ask.wait_for_turns()

    (accepted,) = run.events(telemetry.UpdateAccepted)
    assert member(ask, "1") == telemetry.ClientSample(
        state="idle", round=1, bytes_up=accepted.bytes, bytes_down=manifest.size, silence_s=2.5
    )


def test_what_a_client_has_sent_is_remembered_by_the_next_server(ask, run, operators):
    one, *_ = run.clients
    one.verdict(one.send(run.opened))
    before = member(ask, "1").bytes_up
    run.running.kill()
    run.start_server(socket_path=run.socket_path)
    run.wait_for_event(telemetry.RoundOpened, reopened=True)

    assert member(operators(run.socket_path), "1").bytes_up == before > 0


def test_a_state_that_this_version_does_not_know_is_not_passed_on(ask, run):
    run.clients[0].heartbeat("x" * 500)
    ask.wait_for_turns()

    assert member(ask, "1").state is None


def test_new_rules_count_for_the_open_round_and_the_next(ask, run):
    finish = run.clients[:2]
    for client in finish:
        client.send(run.opened)
    run.wait_for_event(telemetry.UpdateAccepted, client="2")

    answer = ask(SetRound(quorum=2))
    assert answer == Answer(ok=True, text="from now on: quorum 2, deadline_s none")
    opened = run.clients[0].wait_for(RoundOpened, round=2)
    assert (opened.quorum, opened.deadline_s) == (2, None)


def test_a_rule_that_is_not_named_stays(ask):
    ask(SetRound(quorum=2))

    assert ask(SetRound(deadline_s=9)).text == "from now on: quorum 2, deadline_s 9.0"


def test_a_quorum_that_the_open_round_cannot_reach_is_refused(ask, run):
    run.clients[2].leave(final=True)
    run.wait_for_event(telemetry.ClientLeft, client="3")
    ask.wait_for_turns()

    refusal = "round 1 could not come to 3 updates: 2 of its clients are left"
    assert ask(SetRound(quorum=3)) == Answer(ok=False, text=refusal)
    assert ask(SetRound(quorum=2)).ok


def test_a_rule_can_be_taken_away_again(ask):
    ask(SetRound(quorum=2, deadline_s=9))

    assert ask(SetRound(clear=("deadline_s",))).text == "from now on: quorum 2, deadline_s none"
    assert ask(SetRound(clear=("quorum",))).text == "from now on: quorum none, deadline_s none"
    assert ask(SetRound(quorum=3, clear=("quorum",))).text == "from now on: quorum 3, deadline_s none"


def test_a_change_during_a_round_is_recorded_with_the_updates_it_takes(ask, run):
    for command in (
        SetRound(deadline_s=9),
        SetRound(deadline_s=9),
        SetRound(quorum=2),
        SetRound(clear=("quorum", "deadline_s")),
    ):
        assert ask(command).ok

    recorded = [(event.round, event.quorum, event.deadline_s) for event in run.events(telemetry.RulesChanged)]
    assert recorded == [(1, 1, 9.0), (1, 2, 9.0), (1, 3, None)]


def test_a_change_between_two_rounds_is_told_by_the_next_one(ask, run):
    ask(Pause())
    finish_round(run, 1, run.clients)
    run.wait_for_event(telemetry.RoundFinished, round=1)
    ask(SetRound(quorum=2))
    ask(Unpause())

    assert run.wait_for_event(telemetry.RoundOpened, round=2).quorum == 2
    assert run.events(telemetry.RulesChanged) == []


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


def test_the_newest_checkpoint_is_saved_and_the_answer_says_where(ask, run):
    finish_round(run, 1, run.clients)
    closed = run.wait_for_event(telemetry.RoundClosed, round=1)
    saved = run.run_dir / "checkpoints" / "saved-round-000001.ckpt"

    assert ask(SaveCheckpoint()) == Answer(ok=True, text=f"saved {saved}", data={"path": str(saved)})
    assert read_checkpoint(saved).weights.digest() == closed.digest


def test_where_nothing_can_be_saved_the_answer_says_why(ask, run):
    for path in (run.run_dir / "checkpoints").iterdir():
        path.unlink()
    assert ask(SaveCheckpoint()) == Answer(ok=False, text="there is no checkpoint yet")

    (run.run_dir / "checkpoints").rmdir()
    answer = ask(SaveCheckpoint())
    assert not answer.ok
    assert "No such file or directory" in answer.text


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


def test_a_dismissed_client_is_waited_for_no_longer_and_is_told(ask, run):
    finish_round(run, 1, run.clients[:2])
    run.wait_for_event(telemetry.UpdateAccepted, client="2")
    ask(DismissClient(client="3", reason="killed by the operator"))

    run.wait_for_event(telemetry.RoundFinished, round=1)
    assert run.clients[2].wait_for(Dismissed).client == "3"
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
