"""What an operator pauses is left out of new rounds, and what is open goes on."""

import pytest

from engine import telemetry as t
from engine.commands import Answer, Inspect, Pause, SetPaused, SetRound, StopAfterRound, Unpause
from engine.errors import TooFewClients
from engine.protocol.messages import RoundOpened

OF_PAUSES = (t.FederationPaused, t.FederationResumed, t.ClientPaused, t.ClientResumed)


def play(run, number, *clients):
    opened = run.clients[0].wait_for(RoundOpened, round=number)
    for client in clients or run.clients:
        assert client.verdict(client.send(opened)) == "held"
    run.wait_for_event(t.RoundFinished, round=number)


def assert_no_other_round(run, ask, number):
    """The server turns, and opens nothing after round `number`."""
    ask.wait_for_turns()
    assert [event.round for event in run.events(t.RoundOpened)] == list(range(1, number + 1))


def of_pauses(run):
    return [event for event in run.events() if isinstance(event, OF_PAUSES)]


# --- the federation


def test_while_the_federation_is_paused_the_open_round_goes_on_and_no_other_is_opened(ask, run, undisturbed):
    answer = ask(Pause())
    assert answer == Answer(ok=True, text="no other round is opened until the federation is unpaused")
    play(run, 1)
    assert_no_other_round(run, ask, 1)

    assert ask(Unpause()) == Answer(ok=True, text="rounds are opened again")
    play(run, 2)
    run.running.finish()
    assert run.digests() == undisturbed
    assert of_pauses(run) == [t.FederationPaused(), t.FederationResumed()]


def test_who_joins_during_a_pause_is_a_member_of_the_next_round(federation, tmp_path, operators):
    run = federation(clients=1, parts=2)
    run.start_server(socket_path=tmp_path / "s")
    run.clients = run.peers("1")
    ask = operators(tmp_path / "s")
    ask(Pause())
    play(run, 1)
    run.peers("2")
    assert_no_other_round(run, ask, 1)
    ask(Unpause())

    assert run.clients[0].wait_for(RoundOpened, round=2).cohort == ("1", "2")


def test_silence_is_noticed_during_a_pause(ask, run):
    ask(Pause())
    play(run, 1)
    run.clock.advance(16.0)

    run.wait_for_event(t.ClientLost, client="1")


def test_stopping_after_the_round_ends_a_paused_run_at_once(ask, run):
    ask(Pause())
    play(run, 1)
    ask(StopAfterRound())

    assert run.running.finish() == "stopped by an operator after round 1"


def test_the_time_of_a_run_passes_during_a_pause(federation, tmp_path, operators):
    run = federation(clients=1, parts=1, rounds=None, duration_minutes=1.0)
    running = run.start_server(socket_path=tmp_path / "s")
    run.clients = run.peers("1")
    operators(tmp_path / "s")(Pause())
    play(run, 1)
    run.clock.advance(61.0)

    assert running.finish() == "1 minutes have passed"


def test_a_federation_paused_before_its_first_round_opens_none(federation, tmp_path, operators):
    run = federation()
    run.start_server(socket_path=tmp_path / "s")
    ask = operators(tmp_path / "s")
    ask(Pause())
    run.peers("1", "2", "3")

    assert_no_other_round(run, ask, 0)


# --- clients


def test_a_paused_client_finishes_the_open_round_and_is_left_out_of_the_next(ask, run):
    assert ask(Pause(clients=("2",))).text == "client 2: left out after the open round"
    play(run, 1)

    assert run.clients[0].wait_for(RoundOpened, round=2).cohort == ("1", "3")
    assert set(ask(Inspect()).data["members"]) == {"1", "2", "3"}


def test_an_unpaused_client_takes_part_from_the_next_round_on(federation, tmp_path, operators):
    run = federation(rounds=3)
    run.start_server(socket_path=tmp_path / "s")
    run.clients = run.peers("1", "2", "3")
    ask = operators(tmp_path / "s")
    ask(Pause(clients=("2",)))
    play(run, 1)
    opened = run.clients[0].wait_for(RoundOpened, round=2)
    assert ask(Unpause(clients=("2",))).text == "client 2: takes part from the next round on"
    assert run.clients[1].verdict(run.clients[1].send(opened)) == "not_in_cohort"
    play(run, 2, run.clients[0], run.clients[2])

    assert run.clients[0].wait_for(RoundOpened, round=3).cohort == ("1", "2", "3")
    assert of_pauses(run) == [t.ClientPaused(client="2"), t.ClientResumed(client="2")]


def test_when_all_are_paused_the_server_waits_for_one(ask, run):
    ask(Pause(clients=("1", "2", "3")))
    play(run, 1)
    assert_no_other_round(run, ask, 1)
    ask(Unpause(clients=("3",)))

    assert run.clients[0].wait_for(RoundOpened, round=2).cohort == ("3",)


def test_a_quorum_that_only_a_pause_keeps_out_of_reach_is_waited_for(ask, run):
    ask(SetRound(quorum=3))
    ask(Pause(clients=("1",)))
    play(run, 1)
    assert_no_other_round(run, ask, 1)
    ask(SetRound(quorum=2))

    assert run.clients[0].wait_for(RoundOpened, round=2).cohort == ("2", "3")


def test_a_quorum_that_no_unpausing_could_reach_ends_the_run(ask, run):
    ask(Pause(clients=("1", "2", "3")))
    play(run, 1)
    ask(SetRound(quorum=2))
    assert_no_other_round(run, ask, 1)
    for client in run.clients[1:]:
        client.leave(final=True)

    with pytest.raises(TooFewClients, match="round 2 needs 2 clients and 1 are there"):
        run.running.finish()


def test_a_client_that_is_not_there_is_refused_and_those_that_are_named(ask, run):
    answer = ask(Pause(clients=("1", "9")))

    assert answer == Answer(ok=False, text="there is no client '9'; there are 1, 2, 3")
    assert of_pauses(run) == []


def test_a_client_that_left_while_it_was_paused_can_be_unpaused(ask, run):
    ask(Pause(clients=("3",)))
    run.clients[2].leave(final=True)
    run.wait_for_event(t.ClientLeft, client="3")

    assert ask(Unpause(clients=("3",))).ok


# --- what is recorded, and who remembers it


def test_only_what_changes_is_recorded(ask, run):
    for command in (Pause(), Pause(), SetPaused(federation=True, clients=()), Pause(clients=("1",))):
        assert ask(command).ok
    ask(SetPaused(federation=True, clients=("1",)))
    assert of_pauses(run) == [t.FederationPaused(), t.ClientPaused(client="1")]

    ask(SetPaused(federation=False, clients=("2",)))
    assert of_pauses(run)[2:] == [
        t.ClientPaused(client="2"),
        t.ClientResumed(client="1"),
        t.FederationResumed(),
    ]


def test_a_restarted_server_is_paused_until_its_supervisor_says_otherwise(ask, run, operators, undisturbed):
    ask(Pause())
    play(run, 1)
    run.running.kill()
    successor = run.start_server(socket_path=run.socket_path)
    ask_again = operators(run.socket_path)
    assert_no_other_round(run, ask_again, 1)
    ask_again(SetPaused(federation=False, clients=()))
    for client in run.clients:
        client.join(session="again")
    play(run, 2)
    successor.finish()

    assert run.digests() == undisturbed
    assert of_pauses(run) == [t.FederationPaused(), t.FederationResumed()]


def test_a_restarted_server_goes_on_with_the_open_round_of_a_paused_federation(ask, run, operators):
    ask(Pause())
    ask(Pause(clients=("2",)))
    run.running.kill()
    run.start_server(socket_path=run.socket_path)

    opened = run.wait_for_event(t.RoundOpened, round=1, reopened=True)
    assert opened.cohort == ["1", "2", "3"]


def test_a_server_that_takes_no_commands_ends_the_pause_it_finds(ask, run):
    ask(Pause())
    play(run, 1)
    run.running.kill()
    run.start_server()

    assert run.clients[0].wait_for(RoundOpened, round=2)
    assert of_pauses(run)[-1] == t.FederationResumed()
