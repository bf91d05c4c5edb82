"""The audit finds every way in which an update can be lost, or counted twice."""

import math

import pytest

from benchmarks._audit import Training, TrainingsOfProcess, event_problems, loss_problems, read_trainings
from engine import telemetry as t
from engine.telemetry import UpdateId

ONE, TWO, STALE = UpdateId("1", 1), UpdateId("2", 1), UpdateId("3", 1)


def opened(number, base, quorum=2):
    return t.RoundOpened(round=number, cohort=["1", "2", "3"], quorum=quorum, deadline_s=None, base=base)


def accepted(update, number, *, scale=1.0, examples=10):
    return t.UpdateAccepted(
        client=update.client, round=number, examples=examples, loss=None, accuracy=None, test_accuracy=None,
        train_s=None, transfer_s=None, bytes=1, norm=1.0, staleness=number - update.round,
        repeat=update.repeat, scale=scale,
    )  # fmt: skip


def closed(number, *updates, digest=None):
    return t.RoundClosed(
        round=number, updates=len(updates), digest=digest or f"d{number}", accepted=[*updates]
    )


def finished(number, updates, examples):
    return t.RoundFinished(
        round=number, updates=updates, examples=examples, accuracy=None, loss=None, digest=f"d{number}",
        seconds=None, parts={}, bytes_up=0, bytes_down=0,
    )  # fmt: skip


def whole_run():
    """Two rounds; the second holds a stale update and a repeated one."""
    again = UpdateId("1", 2, 1)
    return [
        opened(1, "d0"), accepted(ONE, 1), accepted(TWO, 1), closed(1, ONE, TWO), finished(1, 2, 20),
        opened(2, "d1"), accepted(again, 2), accepted(STALE, 2), closed(2, again, STALE), finished(2, 2, 20),
        opened(3, "d2"), accepted(UpdateId("2", 3), 3),
    ]  # fmt: skip


def changed(position, event):
    events = whole_run()
    events[position : position + 1] = [] if event is None else [event]
    return events


def test_a_whole_run_has_no_problems():
    assert event_problems(whole_run(), mode="timed") == []


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (changed(8, closed(2, UpdateId("1", 2, 1), STALE, ONE)), "counted 2 times: update 0 of client 1"),
        (changed(3, closed(1, ONE)), "round 1 was closed without update 0 of client 2"),
        (changed(2, None), "round 1: no update_accepted of update 0 of client 2"),
        (changed(4, finished(1, 2, 21)), "2 with 20 are in the model"),
        (changed(4, finished(1, 3, 20)), "round 1: 3 updates with 20 examples are told of"),
        (changed(0, opened(1, "d0", quorum=3)), "round 1 closed with 2 of 3 updates"),
        (changed(5, None), "round 2 was closed and never opened"),
        (changed(5, opened(2, "another")), "round 2 starts from another model than round 1 made"),
        (changed(3, closed(1, ONE, TWO, digest="x")), "round 1 was finished with another model"),
        (changed(4, None), "round_finished is not there once for each round: [2]"),
        (changed(7, accepted(STALE, 2, scale=0.5)), "staleness 1 counts by 0.5"),
    ],
)
def test_each_contradiction_is_named(events, words):
    assert any(words in problem for problem in event_problems(events, mode="timed"))


def test_in_buffered_a_stale_update_must_count_for_less():
    assert len(event_problems(whole_run(), mode="buffered")) == 1
    assert event_problems(changed(7, accepted(STALE, 2, scale=1 / math.sqrt(2))), mode="buffered") == []


def test_what_a_server_had_accepted_when_it_died_may_count_later():
    started = t.ServerStarted(epoch=2, round=0, model_digest="d0", parameters=1)
    events = changed(2, started)
    events[3:3] = [opened(1, "d0"), accepted(TWO, 1)]
    events[1:1] = [accepted(STALE, 1)]

    assert event_problems(events, mode="timed") == []


# --- what was trained


def process(client, *updates):
    return TrainingsOfProcess(client, [Training(update, 1.0, 0.0) for update in updates])


FIRST, SECOND, THIRD = (UpdateId("1", 1, repeat) for repeat in range(3))


def test_the_newest_updates_of_a_process_may_have_been_on_their_way():
    assert list(loss_problems([process("1", FIRST, SECOND, THIRD)], [FIRST], [])) == []


def test_an_older_one_that_is_in_no_model_is_lost():
    problems = list(loss_problems([process("1", FIRST, SECOND, THIRD)], [FIRST, THIRD], []))

    assert problems == ["lost: update 1 of client 1 for round 1 is in no model, a later one of its client is"]


def test_one_that_was_refused_for_a_reason_is_not_lost():
    assert list(loss_problems([process("1", FIRST, SECOND)], [SECOND], [("1", 1)])) == []


def test_each_process_of_a_client_is_looked_at_on_its_own():
    killed, successor = process("1", FIRST, SECOND), process("1", FIRST, SECOND, THIRD)

    assert list(loss_problems([killed, successor], [FIRST, SECOND, THIRD], [])) == []


def test_the_trainings_are_read_from_the_logs_of_the_clients(tmp_path):
    (tmp_path / "clients-1-2.log").write_text(
        "2026-11-24 15:42:07,258 INFO    client-1: joined, with part 0 of 4\n"
        "2026-11-24 15:42:07,259 INFO    client-2: joined, with part 1 of 4\n"
        "2026-11-24 15:42:08,500 INFO    client-1: round 3: trained in 1.20 s, loss not measured\n"
        "2026-11-24 15:42:08,600 INFO    client-2: round 3: trained in 0.10 s, loss not measured\n"
        "2026-11-24 15:42:09,500 WARNING client-1: round 3: the server refused the update: too_stale\n"
        "2026-11-24 15:42:10,000 INFO    client-1: round 3: trained in 0.50 s, loss 0.1; every 2 s\n"
        "2026-11-24 15:42:11,258 INFO    client-1: joined, with part 0 of 4\n"
        "2026-11-24 15:42:12,000 INFO    client-1: round 3: trained in 0.50 s, loss 0.1, accuracy 0.9\n"
    )
    killed, other, successor = read_trainings([tmp_path / "clients-1-2.log"])

    assert killed.updates == [UpdateId("1", 3, 0), UpdateId("1", 3, 1)]
    assert other.updates == [UpdateId("2", 3)]
    assert successor.updates == [UpdateId("1", 3, 0)]
    first, second = killed.trainings
    assert (first.seconds, second.ended_at - first.ended_at) == (1.2, 1.5)
