"""What a restarted server reads back from the events of those before it."""

import pytest

from engine import telemetry
from engine.event_log import EventLog
from engine.server.history import History


def opened(number, cohort=("1", "2", "3")):
    return telemetry.RoundOpened(round=number, cohort=list(cohort), quorum=3, deadline_s=None, base="b")


def accepted(number, client):
    return telemetry.UpdateAccepted(
        client=client, round=number, examples=1, loss=None, accuracy=None, test_accuracy=None, train_s=None,
        transfer_s=None, bytes=1, norm=0.0,
    )  # fmt: skip


def finished(number, accuracy=None):
    return telemetry.RoundFinished(
        round=number, updates=3, examples=3, accuracy=accuracy, loss=None, digest="d", seconds=None, parts={},
        bytes_up=0, bytes_down=0,
    )  # fmt: skip


def joined(client, part):
    return telemetry.ClientJoined(client=client, host="here", pid=1, part=part)


def left(client):
    return telemetry.ClientLeft(client=client, reason="killed by an operator")


@pytest.fixture
def history(tmp_path):
    """`history(*events)`: written by one server, read by the next."""

    def write_and_read(*events):
        log = EventLog(tmp_path / "events.jsonl", run="run", origin="server")
        for event in events:
            log.append(event)
        log.close()
        return History.read(tmp_path / "events.jsonl")

    return write_and_read


def test_a_new_run_has_none(tmp_path):
    assert History.read(tmp_path / "events.jsonl") == History()


def test_how_far_the_run_had_come(history):
    read = history(opened(1), telemetry.RoundClosed(round=1, updates=3, digest="d"), finished(1), opened(2))

    assert (read.closed, read.finished, read.opened.round) == (1, 1, 2)


def test_whose_updates_the_open_round_has_recorded(history):
    closed = telemetry.RoundClosed(round=1, updates=1, digest="d")
    read = history(
        opened(1), accepted(1, "1"), closed, accepted(2, "2"), opened(2), opened(2), accepted(2, "3")
    )

    assert read.accepted == {telemetry.UpdateId("2", 2), telemetry.UpdateId("3", 2)}


def test_who_has_which_part(history):
    read = history(joined("1", 0), joined("2", 1), left("1"), joined("4", 0))

    assert read.parts == {"2": 1, "4": 0}
    assert read.left == {"1"}


def test_who_left_and_joined_again_has_not_left(history):
    read = history(joined("1", 0), left("1"), joined("1", 2))

    assert (read.parts, read.left) == ({"1": 2}, set())


def test_the_best_round_is_the_first_with_the_highest_accuracy(history):
    read = history(finished(1, 0.5), finished(2, 0.7), finished(3, 0.7), finished(4), finished(5, 0.6))

    assert (read.best_round, read.best_accuracy, read.last_accuracy) == (2, 0.7, 0.6)


def test_without_any_accuracy_there_is_no_best_round(history):
    assert history(finished(1)).best_round is None


def test_an_interrupted_round_keeps_its_cohort_without_those_who_left(history):
    read = history(opened(2), left("3"), joined("4", 2))

    assert read.cohort_of(2) == ("1", "2")


def test_who_left_after_being_accepted_is_still_in_the_sum(history):
    read = history(opened(2), accepted(2, "3"), left("3"))

    assert read.cohort_of(2) == ("1", "2", "3")


def test_a_round_that_was_not_opened_has_no_cohort(history):
    assert history(opened(2)).cohort_of(3) is None
    assert History().cohort_of(1) is None


def test_events_of_a_later_version_are_passed_over(history, tmp_path):
    class Eclipse(telemetry.Event, frozen=True, tag="eclipse"):
        pass

    assert history(opened(1), Eclipse(), finished(1)).finished == 1
