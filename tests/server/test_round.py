"""When a round of `sync` mode may close."""

import pytest

from engine.core.update import TrainingMetrics
from engine.server.closing import WaitForCohort
from engine.server.round import Contribution, Round
from engine.telemetry import UpdateId

COHORT = ("1", "2", "3")
OPENED_AT = 100.0


def contribution(client):
    return Contribution(f"of {client}", 10, TrainingMetrics(), 99, "none", OPENED_AT)


def open_round(*, quorum=None, deadline_s=None, heard=(), left=()):
    current = Round(
        number=4,
        base_digest="base",
        cohort=COHORT,
        rule=WaitForCohort(quorum, deadline_s),
        opened_at=OPENED_AT,
        announced_at=OPENED_AT,
    )
    for client in heard:
        current.contributions[UpdateId(client, 4)] = contribution(client)
    current.leave(left)
    return current


def closes(current, after_s=0.0):
    return current.may_close(OPENED_AT + after_s)


def test_by_default_it_waits_for_the_whole_cohort_however_long():
    assert not closes(open_round(heard=("1", "2")), after_s=1e9)
    assert closes(open_round(heard=COHORT))


def test_with_a_quorum_and_no_deadline_it_closes_as_soon_as_the_quorum_is_there():
    assert not closes(open_round(quorum=2, heard=("3",)), after_s=1e9)
    assert closes(open_round(quorum=2, heard=("3", "1")))


def test_with_a_deadline_and_no_quorum_it_takes_what_has_come_by_then():
    assert not closes(open_round(deadline_s=5, heard=("1",)), after_s=4.9)
    assert closes(open_round(deadline_s=5, heard=("1",)), after_s=5)


def test_a_deadline_does_not_close_a_round_without_any_update():
    assert not closes(open_round(deadline_s=5), after_s=1e9)


def test_with_both_the_quorum_counts_once_the_deadline_has_passed():
    current = open_round(quorum=2, deadline_s=5, heard=("1", "2"))
    assert not closes(current, after_s=4.9)
    assert closes(current, after_s=5)
    assert not closes(open_round(quorum=2, deadline_s=5, heard=("1",)), after_s=1e9)


def test_a_whole_cohort_does_not_wait_for_the_deadline():
    assert closes(open_round(quorum=2, deadline_s=5, heard=COHORT))


def test_a_deadline_starts_when_the_round_is_announced():
    current = Round(number=4, base_digest="base", cohort=COHORT, rule=WaitForCohort(deadline_s=5))
    current.contributions[UpdateId("1", 4)] = contribution("1")

    assert not current.may_close(1e9)


def test_a_deadline_is_put_off_when_everyone_starts_over_and_not_when_it_is_told_again():
    current = open_round(deadline_s=5, heard=("1",))
    current.announce(OPENED_AT + 4)
    assert closes(current, after_s=5)

    current.forget_announcement()
    assert not closes(current, after_s=1e9)
    current.announce(OPENED_AT + 20)
    assert not closes(current, after_s=24.9)
    assert closes(current, after_s=25)


def test_who_leaves_unheard_is_not_waited_for():
    current = open_round(heard=("1", "2"), left=("3",))

    assert current.waited_for() == ("1", "2")
    assert closes(current)


def test_who_leaves_after_being_heard_has_contributed_all_the_same():
    current = open_round(heard=("1", "2"), left=("2", "3"))

    assert current.waited_for() == ("1", "2")
    assert closes(current)
    assert current.num_examples == 20
    assert current.held() == {"1": ("of 1",), "2": ("of 2",)}


def test_who_is_missing_is_named():
    assert open_round(heard=("2",), left=("1",)).missing() == ("3",)


@pytest.mark.parametrize(
    ("quorum", "deadline_s", "required"), [(None, None, 3), (2, None, 2), (2, 5.0, 2), (None, 5.0, 1)]
)
def test_how_many_updates_a_round_requires(quorum, deadline_s, required):
    assert open_round(quorum=quorum, deadline_s=deadline_s).required == required


@pytest.mark.parametrize(
    ("quorum", "left", "reachable"),
    [
        (None, (), True),
        (None, ("1", "2"), True),
        (None, COHORT, False),
        (2, ("1",), True),
        (2, ("1", "2"), False),
        (4, (), False),
    ],
)
def test_a_round_is_reachable_while_enough_clients_are_left(quorum, left, reachable):
    assert open_round(quorum=quorum, left=left).is_reachable() is reachable


def test_what_was_heard_from_those_who_left_counts_for_the_quorum():
    assert open_round(quorum=2, heard=("1",), left=("1", "2")).is_reachable()
