"""A server among clients that are moved by hand: rounds, deaths, hostile records, and how a run ends."""

import csv
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from engine import telemetry
from engine.errors import DataError, Overtaken, RunDirectoryError, TooFewClients
from engine.event_log import verify_chain
from engine.protocol import messages
from engine.protocol.messages import ModelPublished, Receipt, RoundClosed, RoundOpened, RunEnded
from engine.server.checkpoint import CheckpointStore
from engine.training.base import Evaluation
from engine.training.null import NullEvaluator
from engine.transport.base import CONTROL, MODEL_UPDATES, TELEMETRY, Place
from engine.transport.memory import MemoryTransport


def play(number, *peers):
    """Everyone trains and sends, in this order, each heard before the next."""
    opened = peers[0].wait_for(RoundOpened, round=number)
    for peer in peers:
        assert peer.verdict(peer.send(opened)) == "held"


def play_all(running, *peers):
    for number in (1, 2):
        play(number, *peers)
    return running.finish()


def assert_the_record_is_whole(federation):
    finished = Counter(number for number, _ in federation.digests())
    assert finished == dict.fromkeys(range(1, len(finished) + 1), 1)
    assert verify_chain(federation.run_dir / "events.jsonl") is None


# --- rounds


def test_a_run_is_its_rounds_in_order(federation):
    run = federation()
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")

    assert play_all(running, one, two, three) == "all 2 rounds are done"
    one.wait_for(RunEnded, reason="all 2 rounds are done")
    assert [type(message).__name__ for message in one.heard if not isinstance(message, Receipt)] == [
        "EpochStarted", "ModelPublished", "JoinAnswered", "JoinAnswered", "JoinAnswered",
        "RoundOpened", "RoundClosed", "ModelPublished",
        "RoundOpened", "RoundClosed", "ModelPublished", "RunEnded",
    ]  # fmt: skip
    assert_the_record_is_whole(run)


def test_the_model_moves_by_the_mean_of_the_updates_weighted_by_examples(federation):
    run = federation(rounds=1)
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    opened = peers[0].wait_for(RoundOpened, round=1)
    updates = [peer.update(1, opened.base) for peer in peers]
    play(1, *peers)
    running.finish()
    peers[0].wait_for(RunEnded)

    initial, final = peers[0].models.values()
    total = sum(update.num_examples for update in updates)
    mean = sum(update.num_examples * update.delta.astype(np.float64) for update in updates) / total
    np.testing.assert_allclose(final.vector, initial.vector + mean, rtol=0, atol=1e-7)
    assert final.digest() == run.digests()[0][1] == peers[0].said(RoundClosed)[-1].digest


def test_the_order_of_the_updates_changes_nothing(federation, undisturbed):
    for order in itertools.permutations("123"):
        run = federation()
        running = run.start_server()
        peers = dict(zip("123", run.peers("1", "2", "3"), strict=True))
        play_all(running, *(peers[client] for client in order))

        assert run.digests() == undisturbed


# --- how alike the updates of a round are


def cosine(one, other):
    one, other = one.delta.astype(np.float64), other.delta.astype(np.float64)
    return one @ other / (np.linalg.norm(one) * np.linalg.norm(other))


def similar_updates(peers, opened):
    """One direction, its opposite, and one that has nothing to do with them."""
    one, _, three = (peer.update(1, opened.base) for peer in peers)
    return [one, replace(one, client="2", delta=-one.delta), three]


def test_a_round_tells_how_alike_the_updates_of_its_clients_were(federation):
    run = federation(rounds=1)
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    opened = peers[0].wait_for(RoundOpened, round=1)
    updates = similar_updates(peers, opened)
    for peer, update in reversed(list(zip(peers, updates, strict=True))):
        assert peer.verdict(peer.send_update(update)) == "held"
    running.finish()

    (finished,) = run.events(telemetry.RoundFinished)
    assert finished.similarity_clients == ["1", "2", "3"]
    assert [row[at] for at, row in enumerate(finished.similarity)] == [1.0, 1.0, 1.0]
    assert finished.similarity[0][1] == -1.0
    assert finished.similarity[0][2] == pytest.approx(cosine(updates[0], updates[2]), abs=0.3)


def test_who_was_not_heard_is_not_compared(federation):
    run = federation(quorum=2, rounds=1)
    running = run.start_server()
    _, two, three = run.peers("1", "2", "3")
    play(1, three, two)
    running.finish()

    assert run.events(telemetry.RoundFinished)[0].similarity_clients == ["2", "3"]


def test_an_update_of_zeros_is_compared_to_nothing(federation):
    run = federation(clients=1, parts=1, rounds=1)
    running = run.start_server()
    (peer,) = run.peers("1")
    opened = peer.wait_for(RoundOpened, round=1)
    update = peer.update(1, opened.base)
    peer.verdict(peer.send_update(replace(update, delta=np.zeros_like(update.delta))))
    running.finish()

    assert run.events(telemetry.RoundFinished)[0].similarity == [[None]]


def test_a_restarted_server_compares_what_it_reads_again(federation):
    calm, run = federation(rounds=1), federation(rounds=1)
    for one in (calm, run):
        running = one.start_server()
        peers = one.peers("1", "2", "3")
        play(1, *peers[:2])
        if one is run:
            running.kill()
            running = one.start_server()
            peers[0].wait_for(RoundOpened, count=2, round=1)
        play(1, peers[2])
        running.finish()

    (expected,), (finished,) = (one.events(telemetry.RoundFinished) for one in (calm, run))
    assert finished.similarity == expected.similarity
    assert finished.similarity_clients == ["1", "2", "3"]


def test_a_round_that_an_earlier_server_closed_keeps_its_comparison(federation):
    run = federation(rounds=1)
    running = run.start_server(evaluator=FailingEvaluator(run.config))
    play(1, *run.peers("1", "2", "3"))
    with pytest.raises(DataError):
        running.finish()
    run.start_server().finish()

    (finished,) = run.events(telemetry.RoundFinished)
    assert finished.similarity_clients == ["1", "2", "3"]
    assert len(finished.similarity) == 3


def test_more_clients_than_a_screen_can_show_are_not_compared(federation, monkeypatch):
    monkeypatch.setattr("engine.server.federated_server.MOST_COMPARED", 2)
    run = federation(rounds=1)
    running = run.start_server()
    play(1, *run.peers("1", "2", "3"))
    running.finish()

    (finished,) = run.events(telemetry.RoundFinished)
    assert (finished.similarity, finished.similarity_clients) == (None, [])


# --- what comes in pieces, twice or late


def test_an_update_of_several_records_is_one_update(federation):
    run = federation(model="vector:300000", clients=1, parts=1, rounds=1)
    running = run.start_server()
    (peer,) = run.peers("1")
    play(1, peer)
    running.finish()

    (accepted,) = run.events(telemetry.UpdateAccepted)
    assert accepted.bytes > 1_200_000
    assert accepted.norm == pytest.approx(np.linalg.norm(peer.update(1, "").delta), rel=1e-6)


def test_what_is_sent_twice_counts_once(federation, undisturbed):
    run = federation()
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    transfer = one.send(opened)
    assert one.verdict(transfer) == "held"
    assert one.send(opened) == transfer
    assert one.verdict(transfer, count=2) == "duplicate"
    play(1, two, three)
    play(2, one, two, three)
    running.finish()

    assert run.digests() == undisturbed
    assert run.events(telemetry.UpdateRejected) == []


def test_another_update_of_a_client_that_was_heard_is_a_duplicate_too(federation, undisturbed):
    run = federation()
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    one.verdict(one.send(opened))
    assert one.verdict(one.send(opened, num_examples=1)) == "duplicate"
    play(1, two, three)
    play(2, one, two, three)
    running.finish()

    assert run.digests() == undisturbed


def test_a_late_update_is_answered_and_not_counted(federation):
    run = federation(quorum=2)
    run.start_server()
    one, two, three = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    play(1, one, two)
    run.wait_for_event(telemetry.RoundFinished, round=1)

    assert three.verdict(three.send(opened)) == "round_closed"
    assert run.events(telemetry.ClientLate) == [telemetry.ClientLate(client="3", round=1)]
    assert run.events(telemetry.UpdateRejected) == []
    assert run.dead_letters() == []


def test_a_deadline_closes_a_round_with_what_has_come(federation, until):
    run = federation(deadline_s=30.0)
    run.start_server()
    one, two, _ = run.peers("1", "2", "3")
    play(1, one, two)
    run.clock.advance(29.0)
    one.heartbeat()
    assert run.events(telemetry.RoundClosed) == []
    run.clock.advance(1.0)

    assert run.wait_for_event(telemetry.RoundFinished, round=1).updates == 2


def test_a_newcomer_takes_part_from_the_next_round_on(federation):
    run = federation(clients=1, parts=2)
    run.start_server()
    (one,) = run.peers("1")
    opened = one.wait_for(RoundOpened, round=1)
    (two,) = run.peers("2")
    assert two.verdict(two.send(opened)) == "not_in_cohort"
    play(1, one)

    assert one.wait_for(RoundOpened, round=2).cohort == ("1", "2")


def test_a_joiner_finds_the_current_model_without_reading_what_came_before(federation):
    run = federation()
    run.start_server()
    play(1, *run.peers("1", "2", "3"))
    run.wait_for_event(telemetry.RoundOpened, round=2)
    joiner = run.peer("1")
    joiner.wait_for(RoundOpened, round=2)

    manifest = joiner.said(ModelPublished)[-1]
    last = joiner.records[-1]
    assert joiner.heard[int(last.headers["manifest"])] == manifest
    joiner.transport.assign({Place("global_model"): manifest.first_offset})
    joiner.models.clear()
    joiner._assembler.clear()
    joiner.listen()
    closed = run.events(telemetry.RoundClosed)[0]
    assert joiner.models[manifest.transfer].digest() == manifest.digest == closed.digest


def test_who_finds_no_free_part_is_told_so(federation):
    run = federation()
    run.start_server()
    run.peers("1", "2", "3")
    refused = run.peer("4").join()

    assert (refused.part, refused.reason) == (None, "no data part is free: all 3 are taken")


def test_a_silent_client_is_lost_and_its_round_waits_for_it(federation):
    run = federation(rounds=1)
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    play(1, one, two)
    run.clock.advance(16.0)
    run.wait_for_event(telemetry.ClientLost, client="3")
    one.heartbeat()
    three.heartbeat()
    run.wait_for_event(telemetry.ClientBack, client="3")
    play(1, three)

    assert running.finish() == "all 1 rounds are done"


def test_a_client_that_leaves_is_waited_for_no_longer(federation):
    run = federation(rounds=1)
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    play(1, one, two)
    three.leave(final=True)

    running.finish()
    assert run.events(telemetry.RoundFinished)[0].updates == 2


# --- hostile records


def nan(update):
    update.delta[3] = np.nan
    return {}


HOSTILE = {
    "not_finite": nan,
    "wrong_base": lambda _: {"base": "cd" * 32},
    "wrong_run": lambda _: {"run": "another"},
    "wrong_round": lambda _: {"round": 9},
    "wrong_layout": lambda _: {"layout_digest": "cd" * 32},
    "bad_num_examples": lambda _: {"num_examples": 10**9},
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_hostile_update_is_rejected_with_its_reason_and_the_round_goes_on(reason, federation, undisturbed):
    run = federation()
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    update = two.update(1, opened.base)
    changes = HOSTILE[reason](update)

    assert two.verdict(two.send_update(update, **changes)) == reason
    event = run.wait_for_event(telemetry.UpdateRejected)
    (letter,) = run.dead_letters()
    assert letter.headers["reason"] == reason.encode()
    assert (event.client, event.reason) == ("2", reason)
    assert (event.topic, event.partition, event.offset) == ("model_updates", 2, 0)
    assert play_all(running, one, two, three)
    assert run.digests() == undisturbed


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        (MODEL_UPDATES, b"", "transfer_header_invalid"),
        (MODEL_UPDATES, b"x" * 900_000, "transfer_header_invalid"),
        (TELEMETRY, b"garbage", "message_invalid"),
        (TELEMETRY, b'{"type":"join","run":"run"}', "message_invalid"),
        (TELEMETRY, b'{"type":"' + b"x" * 100_000 + b'"}', "message_invalid"),
    ],
)
def test_garbage_is_buried_and_the_round_goes_on(topic, value, reason, federation, undisturbed):
    run = federation()
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    opened = peers[0].wait_for(RoundOpened, round=1)
    peers[0].transport.publish(Place(topic), value, headers=[("v", b"1")])
    assert peers[0].verdict(peers[0].send(opened)) == "held"
    play(1, *peers[1:])
    play(2, *peers)
    running.finish()

    (letter,) = run.dead_letters()
    assert letter.headers["reason"] == reason.encode()
    assert len(letter.value) <= 4096
    assert all(len(event.detail) <= 300 for event in run.events(telemetry.UpdateRejected))
    assert run.digests() == undisturbed


@pytest.mark.parametrize("client", ["²", "9" * 500])
def test_no_name_of_a_client_ends_the_run(client, federation, undisturbed):
    run = federation(parts=4)
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    stranger = run.peer(client)
    stranger.join()
    stranger.leave(final=True)
    run.wait_for_event(telemetry.ClientLeft)
    play_all(running, *peers)

    assert run.digests() == undisturbed


@pytest.mark.parametrize("client", ["9" * 501, "\x1b[31mred"])
def test_a_name_that_nobody_should_have_to_read_is_refused(client, federation, undisturbed):
    run = federation(parts=4)
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    run.peer(client).ask_to_join()
    run.wait_for_event(telemetry.UpdateRejected, reason="message_invalid")
    play_all(running, *peers)

    assert run.digests() == undisturbed
    assert [e.client for e in run.events(telemetry.ClientJoined)] == ["1", "2", "3"]


@pytest.mark.parametrize("epoch", [b"", b"garbage", b"-5", b"1", b"9" * 5000])
def test_a_record_of_control_with_no_higher_epoch_overtakes_nobody(epoch, federation, undisturbed):
    run = federation()
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    stray = messages.encode(messages.EpochStarted(run="run", epoch=1))
    run.peer("9").transport.publish(Place(CONTROL), stray, headers=[("epoch", epoch)])
    play_all(running, *peers)

    assert run.digests() == undisturbed


# --- deaths


def test_a_restarted_server_holds_what_its_predecessor_held(federation, undisturbed):
    run = federation()
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    held = {peer.client: peer.send(opened) for peer in (one, three)}
    for peer in (one, three):
        peer.verdict(held[peer.client])
    running.kill()

    successor = run.start_server()
    reopened = one.wait_for(RoundOpened, count=2, round=1)
    assert (reopened.epoch, reopened.base, reopened.cohort) == (2, opened.base, opened.cohort)
    assert reopened.held == {client: (transfer,) for client, transfer in held.items()}
    play(1, two)
    play(2, one, two, three)
    successor.finish()
    assert run.digests() == undisturbed
    assert len(run.events(telemetry.UpdateAccepted, round=1)) == 3
    assert [event.reopened for event in run.events(telemetry.RoundOpened, round=1)] == [False, True]
    assert_the_record_is_whole(run)


def test_a_half_sent_update_is_whole_for_the_successor(federation):
    run = federation(model="vector:300000", clients=1, parts=1, rounds=1)
    running = run.start_server()
    (one,) = run.peers("1")
    opened = one.wait_for(RoundOpened, round=1)
    one.send(opened)
    log = run.broker.logs[Place(MODEL_UPDATES, 1)]
    run.wait_for_event(telemetry.RoundFinished, round=1)
    running.finish()
    (_, digest), *_ = run.digests()

    other = federation(model="vector:300000", clients=1, parts=1, rounds=1)
    running = other.start_server()
    other.peers("1")
    other.peer("1").wait_for(RoundOpened, round=1)
    sender = MemoryTransport(other.broker)
    sender.publish(Place(MODEL_UPDATES, 1), log[0].value, headers=list(log[0].headers.items()))
    running.kill()
    successor = other.start_server()
    sender.publish(Place(MODEL_UPDATES, 1), log[1].value, headers=list(log[1].headers.items()))
    successor.finish()

    assert other.digests() == [(1, digest)]


class FailingEvaluator(NullEvaluator):
    """Its held-out examples have gone."""

    def evaluate(self, vector):
        raise DataError("the held-out examples are gone")


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_death_between_checkpoint_and_round_finished_finishes_the_round_once(
    rounds, federation, undisturbed
):
    run = federation(rounds=rounds)
    running = run.start_server(evaluator=FailingEvaluator(run.config))
    peers = run.peers("1", "2", "3")
    play(1, *peers)
    with pytest.raises(DataError):
        running.finish()
    assert len(run.events(telemetry.RoundClosed, round=1)) == 1
    assert run.digests() == []

    successor = run.start_server()
    if rounds == 2:
        play(2, *peers)
    successor.finish()
    assert run.digests() == undisturbed[:rounds]
    assert len(run.events(telemetry.RoundClosed, round=1)) == 1
    assert_the_record_is_whole(run)


def test_a_finished_run_does_nothing_again(federation, undisturbed):
    run = federation()
    play_all(run.start_server(), *run.peers("1", "2", "3"))

    assert run.start_server().finish() == "all 2 rounds are done"
    assert run.digests() == undisturbed
    assert_the_record_is_whole(run)


def test_a_finished_run_goes_on_when_it_is_given_more_rounds(federation):
    longer = federation(rounds=3)
    peers = longer.peers
    running = longer.start_server()
    clients = peers("1", "2", "3")
    for number in (1, 2, 3):
        play(number, *clients)
    running.finish()

    run = federation()
    clients = None
    running = run.start_server()
    clients = run.peers("1", "2", "3")
    play_all(running, *clients)
    run.config = longer.config
    successor = run.start_server()
    play(3, *clients)
    successor.finish()
    assert run.digests() == longer.digests()


def test_a_torn_newest_checkpoint_costs_a_round_and_changes_nothing(federation, undisturbed):
    run = federation()
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    play(1, *peers)
    run.wait_for_event(telemetry.RoundFinished, round=1)
    one, *_ = peers
    one.wait_for(RoundOpened, round=2)
    running.kill()
    newest = run.run_dir / "checkpoints" / "round-000001.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1])

    successor = run.start_server()
    one.wait_for(RoundOpened, epoch=2)
    run.wait_for_event(telemetry.RoundOpened, round=2, reopened=True)
    play(2, *peers)
    successor.finish()
    assert run.digests()[-1] == undisturbed[-1]


def test_who_was_heard_and_then_left_counts_for_the_successor_too(federation):
    run = federation(rounds=1)
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    play(1, three)
    three.leave(final=True)
    run.wait_for_event(telemetry.ClientLeft, client="3")
    running.kill()

    successor = run.start_server()
    play(1, one, two)
    successor.finish()
    assert run.events(telemetry.RoundFinished)[0].updates == 3


class GappyTransport(MemoryTransport):
    """Its last records of updates are gone, as after their retention."""

    def end_offsets(self, topic):
        lost = 3 if topic == MODEL_UPDATES else 0
        return {place: end + lost for place, end in super().end_offsets(topic).items()}


def test_records_that_the_broker_no_longer_has_are_not_waited_for_long(federation, undisturbed):
    run = federation()
    first = run.start_server()
    run.wait_for_event(telemetry.ServerStarted)
    first.kill()
    running = run.start_server(transport=GappyTransport(run.broker))
    run.wait_for_event(telemetry.ServerStarted, epoch=2)
    peers = run.peers("1", "2", "3")
    peers[0].heartbeat()
    assert peers[0].said(RoundOpened) == []
    run.clock.advance(10.1)
    play_all(running, *peers)

    assert run.digests() == undisturbed


def test_an_empty_broker_in_the_middle_of_a_round_changes_nothing(federation, undisturbed):
    run = federation()
    running = run.start_server()
    one, two, three = peers = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    transfer = one.send(opened)
    one.verdict(transfer)
    run.broker.restart()
    for peer in peers:
        peer.reconnect()
    reopened = one.wait_for(RoundOpened, round=1)
    assert reopened.held == {"1": (transfer,)}
    assert reopened.base == opened.base
    assert one.send(opened) == transfer
    assert one.verdict(transfer) == "duplicate"
    play(1, two, three)
    play(2, one, two, three)
    running.finish()

    assert run.digests() == undisturbed
    assert len(run.events(telemetry.RoundOpened, round=1)) == 1
    (back,) = run.events(telemetry.BrokerBack)
    assert back.reset
    assert_the_record_is_whole(run)


def test_a_server_and_its_broker_lost_together_change_nothing(federation, undisturbed):
    run = federation()
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    play(1, *peers[:2])
    running.kill()
    run.broker.restart()
    successor = run.start_server()
    for peer in peers:
        peer.reconnect()
    assert peers[0].wait_for(RoundOpened, round=1).held == {}
    play(1, *peers)
    play(2, *peers)
    successor.finish()

    assert run.digests() == undisturbed
    assert len(run.events(telemetry.UpdateAccepted, round=1)) == 3


# --- one server at a time


def test_a_second_server_in_the_run_directory_is_refused(federation):
    run = federation()
    run.start_server()

    with pytest.raises(RunDirectoryError, match="another server is running this run"):
        run.start_server()


def test_a_server_that_has_closed_lets_go_of_the_run(federation):
    run = federation()
    run.start_server().kill()

    run.start_server()
    assert run.peer("1").wait_for(messages.EpochStarted, epoch=2)


def test_a_higher_epoch_on_control_ends_the_server(federation):
    run = federation()
    running = run.start_server()
    rival = messages.EpochStarted(run="run", epoch=5)
    run.peer("1").transport.publish(Place(CONTROL), messages.encode(rival), headers=[("epoch", b"5")])

    with pytest.raises(Overtaken, match="epoch 5"):
        running.finish()


def test_the_epoch_is_above_what_control_and_the_directory_have_seen(federation):
    run = federation()
    transport = MemoryTransport(run.broker)
    transport.create_topics()
    transport.publish(Place(CONTROL), b"", headers=[("epoch", b"41"), ("manifest", b"-1")])
    run.start_server().kill()
    assert (run.run_dir / "epoch").read_text() == "42\n"
    run.broker.restart()
    run.start_server()

    assert run.peer("1").wait_for(messages.EpochStarted).epoch == 43


# --- the model on request


def test_the_model_is_published_again_on_request_at_most_once_in_five_seconds(federation, until):
    run = federation()
    run.start_server()
    (one,) = run.peers("1")
    request = messages.RepublishRequested(run="run", client="1", digest="")

    def published_after_asking():
        one.tell(request)
        one.heartbeat("idle")
        one.join()
        return len(one.said(ModelPublished))

    assert published_after_asking() == 1
    run.clock.advance(5.1)
    one.tell(request)
    one.wait_for(ModelPublished, count=2)
    assert published_after_asking() == 2
    run.clock.advance(5.1)
    one.tell(request)
    one.wait_for(ModelPublished, count=3)
    assert len({message.transfer for message in one.said(ModelPublished)}) == 1


def test_after_the_model_the_open_round_is_said_again(federation):
    run = federation()
    run.start_server()
    one, *_ = run.peers("1", "2", "3")
    opened = one.wait_for(RoundOpened, round=1)
    transfer = one.send(opened)
    one.verdict(transfer)
    run.clock.advance(6.0)
    one.tell(messages.RepublishRequested(run="run", client="1", digest=""))

    assert one.wait_for(RoundOpened, count=2, round=1).held == {"1": (transfer,)}
    assert isinstance(one.heard[-2], ModelPublished)
    assert len(run.events(telemetry.RoundOpened)) == 1


# --- how a run starts and ends


class RisingEvaluator(NullEvaluator):
    """Accuracy 0.4, 0.5, 0.6 and so on."""

    accuracy = 0.3

    def evaluate(self, vector):
        self.accuracy = round(self.accuracy + 0.1, 1)
        return Evaluation(1 - self.accuracy, self.accuracy, 10)


def test_a_run_ends_when_the_target_accuracy_is_reached(federation):
    run = federation(rounds=9, target_accuracy=0.5)
    running = run.start_server(evaluator=RisingEvaluator(run.config))
    peers = run.peers("1", "2", "3")

    assert play_all(running, *peers) == "accuracy 0.5000 has reached the target of 0.5"
    assert [event.accuracy for event in run.events(telemetry.RoundFinished)] == [0.4, 0.5]


def test_a_restarted_run_whose_target_was_reached_is_over(federation):
    run = federation(rounds=9, target_accuracy=0.5)
    play_all(run.start_server(evaluator=RisingEvaluator(run.config)), *run.peers("1", "2", "3"))

    assert "has reached the target" in run.start_server().finish()


def test_a_run_ends_after_the_round_in_which_its_time_has_passed(federation):
    run = federation(rounds=None, duration_minutes=2.0)
    running = run.start_server()
    peers = run.peers("1", "2", "3")
    peers[0].wait_for(RoundOpened, round=1)
    run.clock.advance(10.0)
    for _ in range(11):
        run.clock.advance(10.0)
        for peer in peers:
            peer.heartbeat()
    play(1, *peers)

    assert running.finish() == "2 minutes have passed"
    assert [number for number, _ in run.digests()] == [1]


@pytest.mark.parametrize("eval_every", [1, 2, 3])
def test_the_last_round_is_evaluated_and_the_others_as_often_as_asked(eval_every, federation):
    run = federation(rounds=4, eval_every=eval_every)
    running = run.start_server(evaluator=RisingEvaluator(run.config))
    peers = run.peers("1", "2", "3")
    for number in range(1, 5):
        play(number, *peers)
    running.finish()

    measured = [event.round for event in run.events(telemetry.RoundFinished) if event.accuracy is not None]
    assert measured == sorted({*range(eval_every, 5, eval_every), 4})


def test_the_best_and_the_last_three_checkpoints_stay(federation):
    class FallingEvaluator(RisingEvaluator):
        def evaluate(self, vector):
            rising = super().evaluate(vector)
            return Evaluation(rising.accuracy, 1 - rising.accuracy, 10)

    run = federation(rounds=5)
    running = run.start_server(evaluator=FallingEvaluator(run.config))
    peers = run.peers("1", "2", "3")
    for number in range(1, 6):
        play(number, *peers)
    running.finish()

    assert sorted(CheckpointStore(run.run_dir / "checkpoints").rounds()) == [1, 3, 4, 5]
    with (run.run_dir / "metrics.csv").open(newline="") as file:
        assert [row["round"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5"]


def test_round_1_waits_for_all_clients(federation):
    run = federation()
    run.start_server()
    one, two = run.peers("1", "2")
    run.clock.advance(119.0)
    one.join()
    assert two.said(RoundOpened) == []
    run.peers("3")

    assert one.wait_for(RoundOpened).cohort == ("1", "2", "3")


def test_after_the_start_timeout_it_starts_with_those_that_joined(federation):
    run = federation()
    run.start_server()
    one, _ = run.peers("1", "2")
    run.clock.advance(121.0)

    assert one.wait_for(RoundOpened).cohort == ("1", "2")


def test_a_quorum_that_is_not_there_ends_the_run_with_a_remedy(federation):
    run = federation(quorum=3)
    running = run.start_server()
    run.peers("1", "2")
    run.clock.advance(121.0)

    with pytest.raises(TooFewClients, match="round 1 needs 3 clients and 2 are there; resume, then add"):
        running.finish()


def test_a_run_that_nobody_joins_ends(federation):
    run = federation()
    running = run.start_server()
    run.peer("1").wait_for(ModelPublished)
    run.clock.advance(60.0)
    run.clock.advance(61.0)

    with pytest.raises(TooFewClients, match="needs 1 clients and 0 are there"):
        running.finish()


def test_when_too_many_leave_in_the_middle_of_a_round_the_run_ends(federation):
    run = federation(quorum=2)
    running = run.start_server()
    one, two, three = run.peers("1", "2", "3")
    play(1, one)
    two.leave(final=True)
    three.leave(final=True)

    with pytest.raises(TooFewClients, match="can no longer reach 2 updates: of its 3 clients 1 are left"):
        running.finish()


def run_that_everybody_left(federation):
    """A run that failed in its second round, when its only client left it."""
    run = federation(clients=1)
    running = run.start_server()
    (one,) = run.peers("1")
    play(1, one)
    one.wait_for(RoundOpened, round=2)
    one.leave(final=True)
    with pytest.raises(TooFewClients, match="can no longer reach 1 updates: of its 1 clients 0 are left"):
        running.finish()
    return run


def test_a_run_that_everybody_left_can_be_resumed_and_clients_be_added_to_it(federation):
    run = run_that_everybody_left(federation)

    resumed = run.start_server()
    run.wait_for_event(telemetry.ServerStarted, epoch=2)
    run.clock.advance(119.0)
    (two,) = run.peers("2")
    assert two.wait_for(RoundOpened, round=2, epoch=2).cohort == ("2",)
    two.leave(final=True)
    with pytest.raises(TooFewClients):
        resumed.finish()


def test_a_resumed_run_that_nobody_joins_ends(federation):
    run = run_that_everybody_left(federation)

    resumed = run.start_server()
    run.clock.advance(121.0)
    with pytest.raises(TooFewClients, match="round 2 needs 1 clients and 0 are there"):
        resumed.finish()
