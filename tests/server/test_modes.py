"""`timed`, `buffered` and over-selection: how their rounds open, take updates in and close."""

import dataclasses

import pytest

from engine import telemetry as t
from engine.commands import Pause, SetRound, StopAfterRound, Unpause
from engine.errors import TooFewClients
from engine.protocol.messages import RoundClosed, RoundOpened
from engine.server.selection import draw_cohort
from engine.telemetry import UpdateId

INTERVAL_S = 10.0


@pytest.fixture
def timed(federation):
    """`timed(**keys)`: a run that aggregates every 10 seconds, if 2 updates are there."""
    return lambda **keys: federation(
        **{
            "mode": "timed",
            "aggregation_interval_seconds": INTERVAL_S,
            "min_updates_per_aggregation": 2,
            "client_timeout_s": 1e6,
            **keys,
        }
    )


@pytest.fixture
def buffered(federation):
    """`buffered(**keys)`: a run that aggregates as soon as 2 updates are there."""
    return lambda **keys: federation(
        **{"mode": "buffered", "min_updates_per_aggregation": 2, "client_timeout_s": 1e6, **keys}
    )


@pytest.fixture
def begin(tmp_path, operators):
    """Starts a run's server; returns it with its clients, the first opening, and an operator."""

    def start(run, *clients):
        run.running = run.start_server(socket_path=tmp_path / "s")
        run.ask = operators(tmp_path / "s")
        run.clients = run.peers(*(clients or ("1", "2", "3")))
        run.opened = run.clients[0].wait_for(RoundOpened, round=1)
        return run

    return start


def hold(client, opened, repeat=0):
    """Sends an update; the server holds it."""
    update = dataclasses.replace(client.update(opened.round, opened.base), repeat=repeat)
    transfer = client.send_update(update)
    assert client.verdict(transfer) == "held"
    return transfer


def closed(run, number):
    return run.wait_for_event(t.RoundClosed, round=number)


def assert_open(run, number):
    """The server looks at everything, and does not close the round."""
    run.ask.wait_for_turns()
    assert not run.events(t.RoundClosed, round=number)


# --- timed


def test_it_aggregates_at_the_tick_whatever_else_would_come(timed, begin):
    run = begin(timed())
    one, two, _ = run.clients
    hold(one, run.opened)
    hold(two, run.opened)
    run.clock.advance(INTERVAL_S - 0.1)
    assert_open(run, 1)
    run.clock.advance(0.1)

    assert closed(run, 1).accepted == [UpdateId("1", 1), UpdateId("2", 1)]
    (opened,) = run.events(t.RoundOpened, round=1)
    assert (opened.quorum, opened.interval_s, opened.goal, opened.deadline_s) == (2, INTERVAL_S, None, None)
    assert run.opened.interval_s == INTERVAL_S


def test_a_tick_without_the_minimum_passes_and_the_next_is_on_the_grid(timed, begin):
    run = begin(timed(rounds=3))
    one, two, _ = run.clients
    hold(one, run.opened)
    run.clock.advance(INTERVAL_S + 3)
    assert_open(run, 1)
    hold(two, run.opened)
    assert_open(run, 1)
    run.clock.advance(INTERVAL_S - 3)
    closed(run, 1)

    opened = one.wait_for(RoundOpened, round=2)
    hold(one, opened)
    hold(two, opened)
    run.clock.advance(INTERVAL_S - 0.1)
    assert_open(run, 2)
    run.clock.advance(0.1)
    closed(run, 2)


def test_a_stale_update_counts_in_full(timed, begin):
    run = begin(timed())
    one, two, three = run.clients
    hold(one, run.opened)
    hold(two, run.opened)
    run.clock.advance(INTERVAL_S)
    closed(run, 1)
    one.wait_for(RoundOpened, round=2)
    hold(three, run.opened)

    stale = run.wait_for_event(t.UpdateAccepted, client="3")
    assert (stale.round, stale.staleness, stale.scale) == (2, 1, 1.0)


def test_a_client_contributes_as_often_as_it_trains(timed, begin):
    run = begin(timed(rounds=1))
    one = run.clients[0]
    hold(one, run.opened)
    hold(one, run.opened, repeat=1)
    run.clock.advance(INTERVAL_S)
    run.running.finish()

    assert closed(run, 1).accepted == [UpdateId("1", 1, 0), UpdateId("1", 1, 1)]


def test_the_same_update_is_a_duplicate_while_its_round_is_open_and_counted_afterwards(timed, begin):
    run = begin(timed())
    one, two, _ = run.clients
    transfer = hold(one, run.opened)
    one.send(run.opened)
    assert one.verdict(transfer, count=2) == "duplicate"
    hold(two, run.opened)
    run.clock.advance(INTERVAL_S)
    one.wait_for(RoundOpened, round=2)
    one.send(run.opened)

    assert one.verdict(transfer, count=3) == "counted"
    assert len(run.events(t.UpdateAccepted, client="1")) == 1
    assert not run.events(t.UpdateRejected)


def test_who_joins_takes_part_in_the_open_round(timed, begin):
    run = begin(timed(clients=2, parts=3, rounds=1), "1", "2")
    (three,) = run.peers("3")
    again = three.wait_for(RoundOpened, round=1, cohort=("1", "2", "3"))
    hold(three, again)
    hold(run.clients[0], run.opened)
    run.clock.advance(INTERVAL_S)
    run.running.finish()

    assert {update.client for update in closed(run, 1).accepted} == {"1", "3"}
    assert len(run.events(t.RoundOpened)) == 1


def test_what_somebody_sent_who_left_meanwhile_stays_in_the_sum(timed, begin):
    run = begin(timed(rounds=1))
    one, two, _ = run.clients
    hold(one, run.opened)
    one.leave(final=True)
    run.wait_for_event(t.ClientLeft, client="1")
    hold(two, run.opened)
    run.clock.advance(INTERVAL_S)
    run.running.finish()

    assert {update.client for update in closed(run, 1).accepted} == {"1", "2"}


def test_an_update_of_somebody_who_does_not_belong_is_refused(timed, begin):
    run = begin(timed())
    stranger = run.peer("9")
    update = dataclasses.replace(run.clients[0].update(1, run.opened.base), client="9")

    assert stranger.verdict(stranger.send_update(update)) == "not_a_member"


def test_an_update_too_far_behind_is_refused(timed, begin):
    run = begin(timed(rounds=9, max_staleness=1))
    one, two, three = run.clients
    for number in (1, 2):
        opened = one.wait_for(RoundOpened, round=number)
        hold(one, opened)
        hold(two, opened)
        run.clock.advance(INTERVAL_S)
        closed(run, number)
    one.wait_for(RoundOpened, round=3)

    assert three.verdict(three.send(run.opened)) == "too_stale"
    rejected = run.wait_for_event(t.UpdateRejected)
    assert (rejected.client, rejected.round, rejected.reason) == ("3", 1, "too_stale")


def test_when_the_time_is_over_what_suffices_is_aggregated(timed, begin):
    run = begin(timed(rounds=None, duration_minutes=0.1))
    for client in run.clients[:2]:
        hold(client, run.opened)
    run.clock.advance(6)

    assert run.running.finish() == "0.1 minutes have passed"
    assert closed(run, 1).updates == 2


def test_when_the_time_is_over_too_few_updates_make_no_model(timed, begin):
    run = begin(timed(rounds=None, duration_minutes=0.1))
    hold(run.clients[0], run.opened)
    run.clock.advance(6)

    assert run.running.finish() == "0.1 minutes have passed"
    assert not run.events(t.RoundClosed)


def test_stopping_after_the_round_does_not_wait_for_an_update_that_never_comes(timed, begin):
    run = begin(timed())
    assert run.ask(StopAfterRound()).ok

    assert run.running.finish() == "stopped by an operator after round 0"


def test_interval_and_minimum_are_changed_while_it_runs(timed, begin):
    run = begin(timed())
    assert run.ask(SetRound(aggregation_interval_seconds=2.5, min_updates_per_aggregation=1)).ok
    hold(run.clients[0], run.opened)
    run.clock.advance(2.5)

    assert closed(run, 1).updates == 1
    changed = run.wait_for_event(t.RulesChanged)
    assert (changed.round, changed.quorum, changed.interval_s) == (1, 1, 2.5)
    assert run.clients[0].wait_for(RoundOpened, round=2).interval_s == 2.5


@pytest.mark.parametrize(
    "change",
    [
        {"quorum": 2},
        {"deadline_s": 3.0},
        {"min_updates_per_aggregation": 13},
        {"aggregation_interval_seconds": 5e-324},
        {"aggregation_interval_seconds": 1e308},
    ],
)
def test_a_rule_of_another_mode_or_out_of_reach_is_refused(timed, begin, change):
    run = begin(timed())
    answer = run.ask(SetRound(**change))

    assert not answer.ok
    assert next(iter(change)) in answer.text
    assert not run.events(t.RulesChanged)


def test_a_run_whose_clients_are_all_gone_does_not_wait_for_them(timed, begin):
    run = begin(timed(clients=2, min_updates_per_aggregation=3), "1", "2")
    for client in run.clients:
        hold(client, run.opened)
        client.leave(final=True)

    with pytest.raises(TooFewClients, match="round 1 can no longer reach 3 updates"):
        run.running.finish()


def test_a_minimum_that_those_who_are_left_cannot_reach_is_refused(timed, begin):
    run = begin(timed(clients=3, parts=5))
    answer = run.ask(SetRound(min_updates_per_aggregation=13))

    assert not answer.ok
    assert answer.text == "round 1 could not come to 13 updates: 3 of its clients are left"
    assert run.ask(SetRound(min_updates_per_aggregation=12)).ok


# --- buffered


def test_it_aggregates_as_soon_as_the_buffer_is_full_without_any_clock(buffered, begin):
    run = begin(buffered(rounds=1))
    one, two, _ = run.clients
    hold(one, run.opened)
    assert_open(run, 1)
    hold(two, run.opened)
    run.running.finish()

    assert closed(run, 1).accepted == [UpdateId("1", 1), UpdateId("2", 1)]


def test_a_stale_update_counts_by_one_over_the_root_of_one_plus_its_staleness(buffered, begin):
    run = begin(buffered(rounds=5))
    one, two, three = run.clients
    for number in (1, 2, 3):
        opened = one.wait_for(RoundOpened, round=number)
        hold(one, opened)
        hold(two, opened)
        closed(run, number)
    one.wait_for(RoundOpened, round=4)
    hold(three, run.opened)

    stale = run.wait_for_event(t.UpdateAccepted, client="3")
    assert (stale.round, stale.staleness, stale.scale) == (4, 3, 0.5)


def test_what_comes_between_two_rounds_waits_for_the_next(buffered, begin):
    run = begin(buffered(rounds=3))
    one, two, three = run.clients
    run.ask(Pause())
    hold(one, run.opened)
    hold(two, run.opened)
    closed(run, 1)
    transfer = three.send(run.opened)
    run.ask.wait_for_turns()
    assert not run.events(t.UpdateAccepted, client="3")
    run.ask(Unpause())

    assert three.verdict(transfer) == "held"
    assert run.wait_for_event(t.UpdateAccepted, client="3").round == 2


# --- a server that takes over


@pytest.mark.parametrize("mode", ["timed", "buffered"])
def test_a_successor_takes_in_what_was_sent_before_it_and_counts_it_once(mode, timed, buffered, begin):
    run = begin({"timed": timed, "buffered": buffered}[mode](min_updates_per_aggregation=3, rounds=1))
    for client in run.clients[:2]:
        hold(client, run.opened)
    run.running.kill()
    successor = run.start_server()
    again = run.clients[0].wait_for(RoundOpened, round=1, epoch=2)
    assert set(again.held) == {"1", "2"}
    hold(run.clients[2], again)
    run.clock.advance(INTERVAL_S)
    successor.finish()

    assert sorted(update.client for update in closed(run, 1).accepted) == ["1", "2", "3"]
    assert len(run.events(t.UpdateAccepted)) == 3


def test_what_was_held_of_somebody_who_left_stays_though_the_server_dies(buffered, begin):
    run = begin(buffered(rounds=1))
    one, two, _ = run.clients
    hold(one, run.opened)
    one.leave(final=True)
    run.wait_for_event(t.ClientLeft, client="1")
    run.running.kill()
    successor = run.start_server()
    again = two.wait_for(RoundOpened, round=1, epoch=2)
    assert set(again.held) == {"1"}
    hold(two, again)
    successor.finish()

    assert closed(run, 1).accepted == [UpdateId("1", 1), UpdateId("2", 1)]
    assert not run.events(t.UpdateRejected)


def test_a_successor_counts_on_those_who_joined_after_the_round_was_opened(buffered, begin):
    run = begin(buffered(clients=2, parts=3, min_updates_per_aggregation=5), "1", "2")
    one, two = run.clients
    (three,) = run.peers("3")
    three.wait_for(RoundOpened, round=1, cohort=("1", "2", "3"))
    two.leave(final=True)
    run.wait_for_event(t.ClientLeft, client="2")
    run.running.kill()
    run.start_server()

    assert one.wait_for(RoundOpened, round=1, epoch=2).cohort == ("1", "3")


@pytest.mark.parametrize("mode", ["timed", "buffered"])
def test_a_successor_that_finds_enough_opens_the_round_before_it_closes_it(mode, timed, buffered, begin):
    run = begin({"timed": timed, "buffered": buffered}[mode](rounds=1))
    one, two, _ = run.clients
    hold(one, run.opened)
    run.running.kill()
    two.send(run.opened)
    successor = run.start_server()
    one.wait_for(RoundOpened, round=1, epoch=2)
    run.clock.advance(INTERVAL_S)
    successor.finish()

    kinds = [type(event) for event in run.events() if isinstance(event, t.RoundOpened | t.RoundClosed)]
    assert kinds == [t.RoundOpened, t.RoundOpened, t.RoundClosed]
    assert closed(run, 1).accepted == [UpdateId("1", 1), UpdateId("2", 1)]


def test_a_successor_knows_what_the_model_holds(buffered, begin):
    run = begin(buffered(rounds=3))
    one, two, _ = run.clients
    transfer = hold(one, run.opened)
    hold(two, run.opened)
    run.wait_for_event(t.RoundFinished, round=1)
    run.running.kill()
    run.start_server()
    one.wait_for(RoundOpened, round=2, epoch=2)
    one.send(run.opened)

    assert one.wait_for(type(one.said(RoundClosed)[0]), round=1).accepted
    assert one.verdict(transfer, count=2) == "counted"


# --- over-selection in sync


@pytest.fixture
def selective(federation):
    """Four clients; a round wants two of them, and three train."""
    return lambda **keys: federation(clients=4, clients_per_round=2, over_selection=1.5, **keys)


def test_it_closes_at_the_goal_and_records_who_was_late(selective, begin):
    run = begin(selective(rounds=1), "1", "2", "3", "4")
    drawn = [client for client in run.clients if client.client in run.opened.cohort]
    assert len(drawn) == 3
    for client in drawn[:2]:
        hold(client, run.opened)
    run.running.finish()

    late = drawn[2]
    assert [event.client for event in run.events(t.ClientLate)] == [late.client]
    (opened,) = run.events(t.RoundOpened)
    assert (opened.goal, opened.quorum) == (2, 2)


def test_who_comes_after_the_goal_is_told_that_the_round_is_over(selective, begin):
    run = begin(selective(rounds=2), "1", "2", "3", "4")
    drawn = [client for client in run.clients if client.client in run.opened.cohort]
    for client in drawn[:2]:
        hold(client, run.opened)
    closed(run, 1)

    assert drawn[2].verdict(drawn[2].send(run.opened)) == "round_closed"


def test_no_quorum_is_above_the_goal(selective, begin):
    """The round is full at the goal, and could not close."""
    run = begin(selective(rounds=1), "1", "2", "3", "4")

    assert run.ask(SetRound(quorum=3)).text == "quorum must be from 1 to 2"


def test_the_same_seed_draws_the_same_cohorts_and_another_seed_others(selective):
    def cohorts(config, members=("1", "2", "3", "4")):
        return [draw_cohort(config, members, number) for number in range(1, 30)]

    config = selective().config
    assert cohorts(config) == cohorts(selective().config)
    assert cohorts(config) != cohorts(selective(seed=8).config)
    assert {client for cohort in cohorts(config) for client in cohort} == {"1", "2", "3", "4"}
    assert all(len(set(cohort)) == 3 for cohort in cohorts(config))
    assert all(len(cohort) == 2 for cohort in cohorts(config, ("1", "2")))
