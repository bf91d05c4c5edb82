"""From records of `model_updates` to whole, verified frames, and back to where reading may start."""

import numpy as np
import pytest

from engine.config import RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.protocol.chunks import EXPIRY_S, TRAIN_SECONDS_HEADER, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame
from engine.server.intake import UPDATE_PLACES, Arrival, Intake, Refusal, Repetition
from engine.training.layouts import static_layout
from engine.transport.base import Record

MODEL = "vector:500000"  # three records
CONFIG = RunConfig(trainer="null", model=MODEL, run_id="run")


@pytest.fixture
def intake(tmp_path, clock):
    return Intake(static_layout(MODEL), tmp_path, clock)


@pytest.fixture
def records(travels):
    """`records(client, at=offset)`: the records of one update of three chunks, at consecutive offsets."""

    def make(client="1", *, at=0, place=UPDATE_PLACES[0], size=500_000, headers=(), **changes):
        delta = np.full(size, 0.5, np.float32)
        update = ClientUpdate(client, 1, "ab" * 32, 10, delta, TrainingMetrics())
        frame, header = travels(CONFIG, update, **changes)
        return [
            Record(place, at + n, chunk.value, dict([*chunk.headers, *headers]))
            for n, chunk in enumerate(split(frame, header))
        ]

    return make


def take_all(intake, records):
    return [intake.take(record) for record in records]


def test_an_update_arrives_with_its_last_record(intake, records):
    first, second, third = records()

    assert intake.take(first) is None
    assert intake.take(second) is None
    arrival = intake.take(third)
    assert isinstance(arrival, Arrival)
    assert arrival.frame.metadata.client == "1"
    assert arrival.record is third
    assert arrival.num_bytes == sum(len(record.value) for record in (first, second, third))


@pytest.mark.parametrize("key", [None, b"l" * 32])
def test_a_frame_without_the_federations_key_or_with_another_is_refused(tmp_path, clock, key):
    intake = Intake(static_layout(MODEL), tmp_path, clock, key=b"k" * 32)
    delta = np.full(500_000, 0.5, np.float32)
    update = ClientUpdate("1", 1, "ab" * 32, 10, delta, TrainingMetrics())
    about = FrameMetadata.of_update(update, static_layout(MODEL), run="run")

    def answer(key):
        frame = encode_frame(about, delta, key=key)
        chunks = split(frame, TransferHeader.of_frame(frame, epoch=1))
        taken = [Record(UPDATE_PLACES[0], n, c.value, dict(c.headers)) for n, c in enumerate(chunks)]
        return take_all(intake, taken)[-1]

    assert isinstance(answer(key), Refusal)
    assert answer(key).error.reason == "digest_mismatch"
    assert answer(key).header.client == "1"
    assert isinstance(answer(b"k" * 32), Arrival)


def test_records_may_come_in_any_order_and_twice(intake, records):
    first, second, third = records()

    assert take_all(intake, [third, third, first]) == [None, None, None]
    assert isinstance(intake.take(second), Arrival)


def test_a_held_update_that_is_sent_again_is_a_repetition_once(intake, records):
    take_all(intake, records())

    again = take_all(intake, records(at=3))
    assert again[:2] == [None, None]
    assert isinstance(again[2], Repetition)
    assert again[2].header.client == "1"


def test_a_forgotten_update_is_looked_at_again(intake, records):
    arrival = take_all(intake, records())[-1]
    intake.forget(arrival)

    assert isinstance(take_all(intake, records(at=3))[-1], Arrival)


def test_a_record_that_belongs_to_no_transfer_is_refused_without_an_addressee(intake):
    refusal = intake.take(Record(UPDATE_PLACES[0], 0, b"garbage", {}))

    assert isinstance(refusal, Refusal)
    assert refusal.header is None
    assert refusal.error.reason == "transfer_header_invalid"


def test_an_altered_chunk_is_refused_and_an_intact_copy_is_taken_afterwards(intake, records):
    first, second, third = records()
    bad = third._replace(value=third.value[:-40] + bytes(40))

    refusal = take_all(intake, [first, second, bad])[-1]
    assert (refusal.header, refusal.error.reason) == (None, "transfer_digest_mismatch")
    assert isinstance(take_all(intake, records(at=3))[-1], Arrival)


def test_a_payload_larger_than_the_model_is_refused_to_its_sender(intake, records):
    refusal = take_all(intake, records(size=500_001))[-1]

    assert (refusal.header.client, refusal.error.reason) == ("1", "payload_too_large")
    assert isinstance(take_all(intake, records(at=9, size=500_001))[-1], Refusal)


@pytest.mark.parametrize(("said", "seconds"), [(b"1.5", 1.5), (b"-1", None), (b"nan", None), (b"soon", None)])
def test_seconds_of_training_are_those_the_client_says_if_they_make_sense(intake, records, said, seconds):
    arrival = take_all(intake, records(headers=[(TRAIN_SECONDS_HEADER, said)]))[-1]

    assert arrival.train_s == seconds


def test_a_client_that_does_not_say_how_long_it_trained_is_heard_all_the_same(intake, records):
    assert take_all(intake, records())[-1].train_s is None


def test_safe_offsets_are_the_first_records_of_what_is_unfinished(intake, records):
    take_all(intake, records("1", at=10)[:1])
    take_all(intake, records("2", at=11))
    take_all(intake, records("3", at=20, place=UPDATE_PLACES[2]))

    assert intake.safe_offsets() == {"0": 10, "1": 0, "2": 23}


def test_what_is_read_again_from_the_safe_offsets_is_whole(intake, records, tmp_path, clock):
    log = [*records("1")[:1], *records("2", at=1), *records("1", at=4)[1:]]
    take_all(intake, log[:4])
    safe = intake.safe_offsets()["0"]

    successor = Intake(static_layout(MODEL), tmp_path, clock)
    successor.start_at({UPDATE_PLACES[0]: safe})
    arrivals = [taken for taken in take_all(successor, log[safe:]) if isinstance(taken, Arrival)]
    assert {arrival.frame.metadata.client for arrival in arrivals} == {"1", "2"}


def test_a_transfer_that_stands_still_is_given_up_and_may_start_again(intake, records, clock):
    intake.take(records()[0])
    clock.advance(EXPIRY_S)
    intake.expire()

    assert intake.safe_offsets()["0"] == 1
    assert isinstance(take_all(intake, records(at=1))[-1], Arrival)


def test_starting_on_an_empty_broker_forgets_everything(intake, records):
    take_all(intake, records())
    intake.start_at({})

    assert set(intake.positions.values()) == {0}
    assert intake.bytes_taken == 0
    assert isinstance(take_all(intake, records())[-1], Arrival)
