"""When a round of `timed`, of `buffered`, or of `sync` with more clients than wanted may close."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.config import MAX_KEPT_UPDATES
from engine.core.update import TrainingMetrics
from engine.server.closing import OnInterval, WaitForCohort, WhenFull
from engine.server.round import Contribution, Round
from engine.telemetry import UpdateId

OPENED_AT = 100.0
COHORT = ("1", "2", "3", "4")


def open_round(rule, *accepted_at, last_tick=None, cohort=COHORT, left=(), announced=True):
    """A round in which an update was accepted at each of these times, of each client in turn."""
    current = Round(number=4, base_digest="base", cohort=cohort, rule=rule, last_tick=last_tick)
    if announced:
        current.announce(OPENED_AT)
    for number, at in enumerate(accepted_at):
        update = UpdateId(COHORT[number % len(COHORT)], 4, number // len(COHORT))
        current.contributions[update] = Contribution(
            f"{number}", 10, TrainingMetrics(), 99, "none", accepted_at=at
        )
    current.leave(left)
    return current


# --- timed


def test_it_closes_at_the_first_tick_at_which_the_minimum_is_there():
    current = open_round(OnInterval(10, 2), 101, 105)

    assert not current.may_close(109.9)
    assert current.may_close(110)


def test_a_tick_at_which_the_minimum_is_not_there_passes():
    current = open_round(OnInterval(10, 2), 101, 112)

    assert not current.may_close(119.9)
    assert current.may_close(120)
    assert not open_round(OnInterval(10, 2), 101).may_close(1e9)


def test_ticks_are_counted_from_the_tick_at_which_the_round_before_closed():
    current = open_round(OnInterval(10, 1), 101, last_tick=97.0)

    assert not current.may_close(106.9)
    assert current.may_close(107)
    assert current.tick_at(109) == 107


def test_a_round_that_closes_late_keeps_the_grid():
    assert open_round(OnInterval(10, 1), 101, last_tick=97.0).tick_at(139) == 137


def test_a_lower_minimum_that_was_there_at_a_tick_closes_it_now():
    current = open_round(OnInterval(10, 3), 101, 102)
    assert not current.may_close(115)
    current.rule = OnInterval(10, 2)

    assert current.may_close(115)


def test_another_interval_counts_from_the_same_tick():
    current = open_round(OnInterval(10, 1), 101)
    current.rule = OnInterval(30, 1)

    assert not current.may_close(129.9)
    assert current.may_close(130)


def test_it_is_never_full():
    assert not open_round(OnInterval(10, 1), *[101.0] * 16).is_full


@pytest.mark.parametrize("last_tick", [None, 90.0])
def test_a_round_that_nobody_has_been_told_of_does_not_close(last_tick):
    """A server that takes over hears what was sent to the one before it, then says what it holds."""
    for rule in (OnInterval(10, 1), WhenFull(1)):
        assert not open_round(rule, 99.0, last_tick=last_tick, announced=False).may_close(1e9)


@given(
    interval=st.floats(0.1, 100),
    minimum=st.integers(1, 6),
    waits=st.lists(st.floats(0, 500), max_size=10),
    since_tick=st.none() | st.floats(0, 1),
    looked_after=st.floats(0, 1000),
)
@example(interval=0.1, minimum=1, waits=[0.0], since_tick=None, looked_after=0.1)
def test_it_closes_on_the_grid_and_only_with_the_minimum(interval, minimum, waits, since_tick, looked_after):
    last_tick = None if since_tick is None else OPENED_AT - since_tick * interval
    current = open_round(
        OnInterval(interval, minimum), *sorted(OPENED_AT + wait for wait in waits), last_tick=last_tick
    )
    now = OPENED_AT + looked_after
    if not current.may_close(now):
        return
    came_at, tick = current.accepted_at(minimum), current.tick_at(now)
    ticks = (tick - current.ticks_from) / interval

    assert len(waits) >= minimum
    assert ticks == pytest.approx(round(ticks), abs=1e-6)
    assert round(ticks) >= 1
    assert tick >= came_at - 1e-6 or now >= came_at
    assert current.may_close(now + interval)


# --- buffered


def test_it_closes_as_soon_as_so_many_have_come():
    assert not open_round(WhenFull(3), 101, 101).may_close(1e9)
    current = open_round(WhenFull(3), 101, 101, 101)
    assert current.may_close(101)
    assert current.is_full


# --- both


@pytest.mark.parametrize("rule", [OnInterval(10, 5), WhenFull(5)])
def test_a_minimum_above_the_clients_is_reached_by_their_further_updates(rule):
    assert open_round(rule, cohort=("1", "2")).is_reachable()
    assert not open_round(rule, cohort=("1",)).is_reachable()
    assert MAX_KEPT_UPDATES == 4


def test_who_has_an_update_in_the_sum_adds_one_less_than_a_client_keeps():
    current = open_round(WhenFull(6), 101, 101, cohort=("1",), left=("2",))

    assert current.num_possible() == 2 + MAX_KEPT_UPDATES - 1
    assert not current.is_reachable()


@pytest.mark.parametrize("rule", [OnInterval(10, 3), WhenFull(3)])
def test_who_has_left_adds_nothing_to_what_is_in_the_sum(rule):
    assert not open_round(rule, 101, 102, left=COHORT).is_reachable()
    assert open_round(rule, 101, 102, left=COHORT[1:]).is_reachable()


@pytest.mark.parametrize("rule", [OnInterval(10, 2), WhenFull(2)])
def test_when_all_have_left_it_can_be_reached_only_by_what_has_come(rule):
    assert not open_round(rule, left=COHORT).is_reachable()
    assert open_round(rule, 101, 102, left=COHORT).is_reachable()


# --- sync with more clients than wanted


def test_a_goal_closes_it_before_everybody_has_been_heard():
    assert not open_round(WaitForCohort(goal=3), 101, 102).may_close(1e9)
    current = open_round(WaitForCohort(goal=3), 101, 102, 103)
    assert current.may_close(103)
    assert current.is_full
    assert current.missing() == ("4",)


def test_a_goal_that_those_who_are_left_cannot_reach_is_not_waited_for():
    current = open_round(WaitForCohort(goal=3), 101, 102, left=("3", "4"))

    assert current.required == 2
    assert current.may_close(103)
