"""A client before a server that is moved by hand."""

import threading

import numpy as np
import pytest

from engine.errors import BrokerLost, ConfigError, DataError, LayoutMismatch, TrainingError
from engine.protocol import messages
from engine.protocol.messages import Have, Heartbeat, Join, Leave, RepublishRequested, Sending
from engine.protocol.serialization import parse_frame
from engine.training.layouts import get_random_weights
from engine.training.null import NullTrainer
from engine.transport.base import CONTROL, GLOBAL_MODEL, Place

# --- joining


def test_it_joins_again_until_it_is_answered(scene):
    scene.turn_until(lambda: scene.server.told(Join))
    scene.clock.advance(1.9)
    scene.idle()
    assert len(scene.server.told(Join)) == 1
    scene.clock.advance(0.1)
    scene.idle()
    assert len(scene.server.told(Join)) == 2

    scene.joined()
    scene.clock.advance(60)
    scene.idle()
    assert len(scene.server.told(Join)) == 2


def test_an_answer_to_another_session_is_not_its_own(scene):
    (join,) = scene.turn_until(lambda: scene.server.told(Join))
    scene.server.say(messages.JoinAnswered, client="1", session="another", part=1, parts=2)
    scene.server.say(messages.JoinAnswered, client="2", session=join.session, part=1, parts=2)
    scene.idle()

    assert not scene.client._participant._is_joined


def test_a_new_epoch_makes_it_join_again_at_once_on_its_part(scene):
    first = scene.joined(part=1)
    assert first.part is None
    scene.server.epoch = 2
    scene.server.say(messages.EpochStarted)

    again = scene.turn_until(lambda: scene.server.told(Join)[1:])[0]
    assert (again.part, again.session) == (1, first.session)


def test_it_asks_for_the_part_it_was_started_with(scene):
    scene.client = scene.connect(part=1)

    (join,) = scene.turn_until(lambda: scene.server.told(Join))
    assert (join.part, join.insists) == (1, False)


def test_it_says_so_where_no_other_part_will_do(scene):
    scene.client = scene.connect(part=1, insists=True)

    (join,) = scene.turn_until(lambda: scene.server.told(Join))
    assert (join.part, join.insists) == (1, True)


def test_without_a_free_part_it_ends_with_the_servers_reason(scene):
    (join,) = scene.turn_until(lambda: scene.server.told(Join))
    scene.server.admit(join, None, "no data part is free: all 2 are taken")

    with pytest.raises(ConfigError, match="does not admit client 1: no data part is free"):
        scene.turn_until(lambda: False)


def test_it_does_not_change_its_part_while_it_runs(scene):
    scene.joined(part=0)
    scene.server.epoch = 2
    scene.server.say(messages.EpochStarted)
    join = scene.turn_until(lambda: scene.server.told(Join)[1:])[0]
    scene.server.admit(join, 1)

    with pytest.raises(ConfigError, match="hands out part 1; this client works on 0"):
        scene.turn_until(lambda: False)


def test_it_waits_for_topics_that_the_server_has_not_created_yet(scene, hand_server):
    scene.broker.restart()
    scene.client = scene.connect()
    scene.turn()
    scene.server = hand_server(scene.config, scene.broker)
    scene.server.start()

    assert scene.turn_until(lambda: scene.server.told(Join))


def test_it_shows_every_five_seconds_what_it_does(scene):
    scene.turn_until(lambda: scene.server.told(Heartbeat))
    assert scene.server.told(Heartbeat)[-1].state == "joining"
    scene.joined()
    scene.clock.advance(5)
    scene.idle()
    assert scene.server.told(Heartbeat)[-1].state == "idle"
    scene.may_train.clear()
    scene.server.open()
    scene.turn_until(lambda: scene.server.told(Have))
    scene.clock.advance(5)
    scene.idle()

    beat = scene.server.told(Heartbeat)[-1]
    assert (beat.state, beat.round) == ("training", 1)
    assert len(scene.server.told(Heartbeat)) == 3


def test_it_shows_itself_three_times_before_the_server_would_give_it_up(scene_of):
    scene = scene_of(client_timeout_s=3.0)
    scene.turn_until(lambda: scene.server.told(Heartbeat))
    for _ in range(3):
        scene.clock.advance(1)
        scene.idle()

    assert len(scene.server.told(Heartbeat)) == 4


# --- a round


def test_a_round_is_trained_from_the_model_and_sent(scene):
    scene.joined(part=1)
    scene.server.open()
    sent = scene.sent()

    update = parse_frame(sent.frame).update(scene.server.weights.layout)
    expected = np.empty(500, np.float32)
    NullTrainer(scene.config, part=1).train(
        scene.server.weights.vector, client="1", round_number=1, delta=expected
    )
    assert update.delta.tobytes() == expected.tobytes()
    assert (update.client, update.round, update.base_digest) == ("1", 1, scene.server.base)
    assert update.num_examples == 1001
    assert [type(said) for said in scene.server.heard if isinstance(said, Have | Sending)] == [Have, Sending]


def test_rounds_follow_each_other(scene):
    scene.joined()
    for number in (1, 2, 3):
        scene.server.open(number)
        scene.sent(number)
        scene.server.answer()
        scene.server.close(number)

    assert scene.trainings == [1, 2, 3]
    assert len(scene.client.metrics.training_times) == 3


@pytest.mark.parametrize("order", ["model first", "round first"])
def test_training_starts_when_model_and_round_are_both_there(scene, order, hand_server):
    scene.joined()
    server = scene.server
    server.weights = get_random_weights(scene.config.model, seed=99)
    server.base = server.weights.digest()
    steps = [lambda: server.publish(1), lambda: server.open(2)]
    if order == "round first":
        steps.reverse()
    steps[0]()
    scene.idle()
    assert scene.trainings == []
    steps[1]()

    assert parse_frame(scene.sent().frame).metadata.base == server.base


def test_who_is_not_in_the_cohort_does_not_train(scene):
    scene.joined()
    scene.server.open(cohort=("2",))
    scene.idle()

    assert scene.trainings == []


def test_a_round_that_is_opened_before_it_has_joined_waits_for_the_join(scene):
    scene.server.open()
    scene.turn_until(lambda: scene.server.told(Join))
    scene.idle()
    assert scene.trainings == []
    scene.joined()

    assert scene.sent()


def test_a_round_that_is_opened_before_the_server_tells_its_terms_is_trained_under_them(scene_of):
    scene = scene_of(clients=2, parts=5)
    scene.server.open()
    scene.turn_until(lambda: scene.client._participant._schedule.opened)
    scene.joined()

    assert scene.sent().header.round == 1
    assert scene.client.config.num_parts == 2


def test_training_again_from_the_same_model_is_no_further_download(scene_of):
    scene = scene_of(mode="buffered")
    scene.joined()
    scene.server.open()
    for count in (1, 2, 3):
        scene.sent(count)
        scene.server.answer()
    scene.server.listen()

    assert scene.trainings[:3] == [1, 1, 1]
    assert len(scene.server.told(Have)) == 1


def test_opening_a_round_again_does_not_start_its_training_again(scene):
    scene.joined()
    scene.may_train.clear()
    scene.server.open()
    scene.turn_until(lambda: scene.trainings)
    scene.server.open()
    scene.idle()
    scene.may_train.set()
    scene.sent()
    scene.server.open()
    scene.sent(1)
    scene.idle()

    assert scene.trainings == [1]
    assert len(scene.server.told(Have)) == 1


def test_what_the_server_does_not_hold_is_sent_again_at_once(scene):
    scene.joined()
    scene.server.open()
    scene.sent()
    scene.server.answer()
    scene.idle()
    assert scene.server.update_records == 1
    scene.server.epoch = 2
    scene.server.open(held={"2": ("ab" * 16,)})
    scene.turn_until(lambda: scene.server.listen() or scene.server.update_records == 2)

    assert scene.trainings == [1]


def test_what_the_server_holds_is_not_sent_again(scene):
    scene.joined()
    scene.server.open()
    transfer = scene.sent().header.transfer
    scene.server.answer()
    scene.server.open(held={"1": (transfer,)})
    scene.idle()
    scene.clock.advance(1000)
    scene.idle()

    assert scene.server.update_records == 1


def test_without_a_receipt_it_is_sent_again(scene):
    scene.joined()
    scene.server.open()
    scene.sent()
    scene.idle()
    scene.clock.advance(10)

    scene.turn_until(lambda: scene.server.listen() or scene.server.update_records == 2)


def test_a_round_that_is_closed_is_not_trained_again_by_who_came_too_late(scene):
    scene.joined()
    scene.server.open()
    scene.sent()
    scene.server.close(1, accepted=("2",))
    scene.server.answer("round_closed")
    scene.idle()

    assert scene.trainings == [1]
    scene.server.open(2)
    assert scene.sent(2).header.round == 2


def test_training_for_a_round_that_is_over_is_not_sent(scene):
    scene.joined()
    scene.may_train.clear()
    scene.server.open()
    scene.turn_until(lambda: scene.trainings)
    scene.server.close(1, accepted=("2",))
    scene.server.open(2)
    scene.idle()
    scene.may_train.set()

    assert scene.sent().header.round == 2
    assert len(scene.server.updates) == 1


@pytest.mark.parametrize("verdict", ["wrong_round", "wrong_base", "not_in_cohort", "round_closed"])
def test_an_update_out_of_step_is_not_trained_again_until_a_round_is_opened(scene, verdict):
    scene.joined()
    scene.server.open()
    scene.sent()
    scene.server.answer(verdict)
    scene.idle()
    assert scene.trainings == [1]
    scene.server.open()

    assert scene.sent(1)
    scene.turn_until(lambda: scene.trainings == [1, 1])


@pytest.mark.parametrize("verdict", ["not_finite", "out_of_range", "bad_num_examples", "wrong_layout"])
def test_an_update_that_would_be_refused_again_ends_the_client(scene, verdict):
    scene.joined()
    scene.server.open()
    scene.sent()
    scene.server.answer(verdict)

    with pytest.raises(TrainingError, match=f"refused the update of round 1: {verdict}"):
        scene.turn_until(lambda: False)
    assert scene.trainings == [1]


def test_the_receipt_of_another_client_is_not_its_own(scene):
    scene.joined()
    scene.server.open()
    transfer = scene.sent().header.transfer
    scene.server.say(messages.Receipt, round=1, client="2", transfer=transfer, verdict="not_finite")
    scene.idle()

    assert scene.client._participant._outbox.has(1, scene.server.base)


# --- whom it believes


def test_a_lower_epoch_is_not_heeded(scene):
    scene.server.epoch = 3
    scene.server.say(messages.EpochStarted)
    scene.joined()
    scene.server.epoch = 2
    scene.server.open()
    scene.server.say(messages.RunEnded, reason="overtaken")
    scene.idle()

    assert scene.trainings == []
    assert not scene.client._group.end_reason


def test_another_run_is_not_heeded(scene):
    scene.joined()
    scene.server.say(messages.RunEnded, run="another", reason="over", epoch=99)
    scene.server.open()

    assert scene.sent()


@pytest.mark.parametrize("value", [b"", b"garbage", b'{"type":"coup","run":"run","epoch":1}', b"\xff" * 100])
def test_garbage_on_control_is_passed_over(scene, value):
    scene.joined()
    scene.server.transport.publish(Place(CONTROL), value)
    scene.server.open()

    assert scene.sent()


@pytest.mark.parametrize("manifest", [b"garbage", b"-7", b"9" * 5000, b""])
def test_a_last_record_that_names_no_manifest_makes_it_read_everything(scene, manifest):
    scene.server.transport.publish(Place(CONTROL), b"x", headers=[("manifest", manifest)])
    scene.joined()
    scene.server.open()

    assert scene.sent()


def test_a_joiner_starts_from_the_current_manifest(scene):
    scene.server.open(1)
    scene.server.close(1)
    old = scene.server.base
    scene.server.weights = get_random_weights(scene.config.model, seed=99)
    scene.server.base = scene.server.weights.digest()
    scene.server.publish(1)
    scene.server.open(2)
    scene.client = scene.connect()
    scene.joined()

    assert parse_frame(scene.sent().frame).metadata.base == scene.server.base != old
    assert scene.trainings == [2]


# --- the model


def test_a_model_that_cannot_be_read_is_asked_for(scene):
    scene.broker.logs[Place(GLOBAL_MODEL)].clear()
    scene.joined()
    scene.server.open()
    scene.idle()
    assert scene.server.told(RepublishRequested) == []
    scene.clock.advance(5)
    scene.idle()

    (request,) = scene.server.told(RepublishRequested)
    assert request.digest == scene.server.base
    scene.server.publish(0)
    scene.server.open()
    assert scene.sent()


def test_a_client_with_another_key_than_the_servers_ends_and_says_so(scene_of, tmp_path):
    path = tmp_path / "frame.key"
    path.touch(0o600)
    path.write_text("ab" * 32)
    scene = scene_of(frame_key_file=str(path))  # and the server has none
    scene.joined()
    scene.idle()
    scene.clock.advance(5)
    scene.turn_until(lambda: scene.server.told(RepublishRequested))
    scene.server.publish(0)

    with pytest.raises(ConfigError, match="cannot be verified: this client has another key") as refused:
        scene.turn_until(lambda: False)
    assert "abab" not in str(refused.value)


# --- the broker


def test_after_an_empty_broker_it_joins_again_and_sends_what_it_has(scene, hand_server):
    scene.joined()
    scene.server.open()
    transfer = scene.sent().header.transfer
    scene.server.answer()
    scene.idle()
    scene.broker.restart()
    scene.server = hand_server(scene.config, scene.broker)
    scene.server.start()
    scene.joined()
    scene.server.open()

    assert scene.sent().header.transfer == transfer
    assert scene.trainings == [1]


def test_an_empty_broker_in_the_middle_of_training_does_not_start_it_again(scene, hand_server):
    scene.joined()
    scene.may_train.clear()
    scene.server.open()
    scene.turn_until(lambda: scene.trainings)
    scene.broker.restart()
    scene.server = hand_server(scene.config, scene.broker)
    scene.server.start()
    scene.joined()
    scene.server.open()
    scene.idle()
    scene.may_train.set()
    scene.sent()

    assert scene.trainings == [1]


def test_a_broker_that_stays_away_too_long_ends_it(scene, monkeypatch):
    scene.joined()
    scene.broker.stop()
    scene.idle()
    scene.broker.stopped_at -= scene.config.broker_timeout_s

    with pytest.raises(BrokerLost, match="silent for 600 s"):
        scene.turn()


# --- the end


def test_the_end_of_the_run_is_the_end_of_the_client(scene):
    scene.joined()
    scene.server.say(messages.RunEnded, reason="all 5 rounds are done")

    assert scene.client.start() == "all 5 rounds are done"


def test_an_end_that_was_said_before_it_came_is_of_a_run_that_has_been_resumed(scene, hand_server):
    scene.server.say(messages.RunEnded, reason="all 5 rounds are done")
    scene.client = scene.connect()
    scene.turn(3)
    scene.server = hand_server(scene.config, scene.broker, epoch=2)
    scene.server.start()
    scene.joined()
    scene.server.open(6)

    assert scene.sent().header.round == 6


def test_an_end_that_is_said_before_it_is_admitted_is_its_end_too(scene):
    scene.turn_until(lambda: scene.server.told(Join))
    scene.server.say(messages.RunEnded, reason="stopped")

    assert scene.client.start() == "stopped"


def test_when_its_time_is_over_it_leaves_for_good(scene):
    scene.joined()
    thread = threading.Thread(target=scene.client.start, kwargs={"duration_minutes": 1}, daemon=True)
    thread.start()
    scene.server.told(Leave)
    while thread.is_alive():
        scene.clock.advance(61)
        thread.join(0.05)

    (leave,) = scene.server.told(Leave)
    assert (leave.final, leave.reason) == (True, "its time is over")


def test_an_error_of_the_trainer_ends_it(scene):
    def open_trainer(client, part):
        raise DataError(f"part {part} is missing")

    scene.client = scene.connect(open_trainer=open_trainer)
    with pytest.raises(DataError, match="part 0 is missing"):
        scene.turn_until(lambda: scene.joined() and False)


def test_a_global_model_of_another_layout_ends_it(scene):
    scene.server.weights = get_random_weights("vector:600")
    scene.server.base = scene.server.weights.digest()
    scene.server.publish(0)
    scene.joined()
    scene.server.open()

    with pytest.raises(LayoutMismatch, match=r"vector: \[600\]"):
        scene.turn_until(lambda: False)
