"""The newest global model, in whatever order its manifest and its records come."""

import tracemalloc

import numpy as np
import pytest

from engine.client.model_receiver import ModelReceiver
from engine.core.weights import Weights
from engine.errors import ConfigError
from engine.protocol.chunks import TransferHeader, split
from engine.protocol.messages import ModelPublished
from engine.protocol.serialization import FrameMetadata, encode_frame
from engine.training.layouts import get_random_weights
from engine.transport.base import GLOBAL_MODEL, Place, Record

STUCK_S = 5.0


class Published:
    """A model of two records, and its manifest."""

    def __init__(self, round_number, *, run="run", at=0, flip=None, key=None, codec="none", weights=None):
        self.weights = weights or get_random_weights("vector:300000", seed=round_number)
        about = FrameMetadata.of_model(self.weights.layout, run=run, round_number=round_number, codec=codec)
        frame = encode_frame(about, self.weights.vector, key=key)
        header = TransferHeader.of_frame(frame, epoch=1)
        if flip is not None:
            frame[flip] ^= 1
        self.records = [
            Record(Place(GLOBAL_MODEL), at + seq, chunk.value, dict(chunk.headers))
            for seq, chunk in enumerate(split(frame, header))
        ]
        self.manifest = ModelPublished(
            run=run, epoch=1, round=round_number, digest=self.weights.digest(), transfer=header.transfer,
            first_offset=at, size=frame.size,
        )  # fmt: skip


@pytest.fixture
def receiver(clock):
    return ModelReceiver("1", "run", clock)


def take(receiver, published):
    for record in published.records:
        receiver.take(record)


def has(receiver, published):
    return receiver.digest == published.manifest.digest and np.array_equal(
        receiver.weights.vector, published.weights.vector
    )


def test_before_anything_has_come_there_is_no_model(receiver):
    assert receiver.weights is None
    assert not receiver.is_waiting
    assert receiver.wanted == ""


def test_the_manifest_may_come_first(receiver):
    model = Published(1)
    receiver.note_manifest(model.manifest)
    assert receiver.is_waiting
    take(receiver, model)

    assert has(receiver, model)
    assert not receiver.is_waiting


def test_the_records_of_a_later_model_may_come_first(receiver):
    first, second = Published(1), Published(2, at=2)
    receiver.note_manifest(first.manifest)
    take(receiver, first)
    take(receiver, second)
    assert has(receiver, first)
    receiver.note_manifest(second.manifest)

    assert has(receiver, second)


def test_nothing_is_allocated_that_no_manifest_made_likely(receiver):
    receiver.note_manifest(Published(1).manifest)
    model = Published(2, at=2)
    about = dict(model.records[0].headers) | {"size": b"8000000000", "count": b"8889"}
    tracemalloc.start()
    receiver.take(model.records[0]._replace(headers=about))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 10_000_000


def test_before_the_first_manifest_no_model_is_taken(receiver):
    take(receiver, Published(1))
    assert receiver.weights is None


def test_the_next_model_replaces_the_one_before_once_it_is_whole(receiver):
    first, second = Published(1), Published(2, at=2)
    receiver.note_manifest(first.manifest)
    take(receiver, first)
    receiver.take(second.records[0])
    receiver.note_manifest(second.manifest)
    assert has(receiver, first)
    assert receiver.wanted == second.manifest.digest
    receiver.take(second.records[1])

    assert has(receiver, second)


def test_a_model_that_no_manifest_names_is_not_taken(receiver):
    receiver.note_manifest(Published(2).manifest)
    take(receiver, Published(1))

    assert receiver.weights is None


@pytest.mark.parametrize("flip", [0, 5000, -1, -17])
def test_an_altered_model_is_refused_and_an_intact_copy_taken(receiver, flip):
    receiver.note_manifest(Published(1).manifest)
    take(receiver, Published(1, flip=flip))
    assert receiver.weights is None

    model = Published(1, at=2)
    take(receiver, model)
    assert has(receiver, model)


def test_a_model_may_be_much_larger_than_the_one_before_that_compressed_well(receiver):
    layout = get_random_weights("vector:300000").layout
    small = Published(1, codec="shuffle+zstd", weights=Weights(layout, np.zeros(layout.size, np.float32)))
    large = Published(2, at=1, codec="shuffle+zstd")
    assert large.manifest.size > 100 * small.manifest.size
    receiver.note_manifest(small.manifest)
    take(receiver, small)
    take(receiver, large)
    receiver.note_manifest(large.manifest)

    assert has(receiver, large)


KEY, ANOTHER_KEY = b"k" * 32, b"l" * 32


def test_with_the_servers_key_a_model_is_read(clock):
    receiver, model = ModelReceiver("1", "run", clock, key=KEY), Published(1, key=KEY)
    receiver.note_manifest(model.manifest)
    take(receiver, model)

    assert has(receiver, model)


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [(KEY, ANOTHER_KEY, "another key"), (KEY, None, "another key"), (None, KEY, "no key")],
)
def test_two_copies_alike_that_cannot_be_verified_were_made_with_another_key(clock, ours, theirs, words):
    receiver, model = ModelReceiver("1", "run", clock, key=ours), Published(1, key=theirs)
    receiver.note_manifest(model.manifest)
    take(receiver, model)
    assert receiver.is_waiting

    with pytest.raises(ConfigError, match=f"this client has {words}; frame_key_file must be a copy"):
        take(receiver, model)


def test_two_copies_that_were_damaged_differently_say_nothing_about_the_key(receiver):
    receiver.note_manifest(Published(1).manifest)
    for flip in (5000, 5001):
        take(receiver, Published(1, flip=flip))

    take(receiver, Published(1))
    assert has(receiver, Published(1))


def test_another_runs_model_is_no_progress_and_displaces_nothing(receiver, clock):
    first, second = Published(1), Published(2, at=2)
    receiver.note_manifest(first.manifest)
    take(receiver, second)
    take(receiver, Published(7, run="another", at=4))
    receiver.note_manifest(second.manifest)

    assert has(receiver, second)


def test_garbage_is_passed_over(receiver):
    model = Published(1)
    receiver.note_manifest(model.manifest)
    receiver.take(Record(Place(GLOBAL_MODEL), 9, b"garbage", {"run": b"run"}))
    receiver.take(Record(Place(GLOBAL_MODEL), 9, b"garbage", {}))
    take(receiver, model)

    assert has(receiver, model)


def test_without_progress_it_is_stuck_once_in_a_while(receiver, clock):
    model = Published(1)
    receiver.note_manifest(model.manifest)
    clock.advance(STUCK_S - 1)
    assert not receiver.is_stuck()
    receiver.take(model.records[0])
    clock.advance(STUCK_S - 1)
    assert not receiver.is_stuck()
    clock.advance(1)
    assert receiver.is_stuck()
    assert not receiver.is_stuck()
    clock.advance(STUCK_S)
    assert receiver.is_stuck()


def test_with_the_model_there_it_is_not_stuck(receiver, clock):
    model = Published(1)
    receiver.note_manifest(model.manifest)
    take(receiver, model)
    clock.advance(1000)

    assert not receiver.is_stuck()


def test_starting_over_keeps_the_model_and_forgets_what_was_under_way(receiver):
    first, second = Published(1), Published(2)
    receiver.note_manifest(first.manifest)
    take(receiver, first)
    receiver.note_manifest(second.manifest)
    receiver.take(second.records[0])
    receiver.start_over()

    assert has(receiver, first)
    assert not receiver.is_waiting
    receiver.note_manifest(second.manifest)
    receiver.take(second.records[1])
    assert has(receiver, first)
    receiver.take(second.records[0])
    assert has(receiver, second)
