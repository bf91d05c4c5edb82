"""Frames with a codec: the metadata say what was done, and nothing is larger for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import errors
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Tensor
from engine.protocol.serialization import (
    FrameMetadata,
    encode_frame,
    max_frame_bytes,
    parse_frame,
    read_metadata,
)

ALIGNMENT_BYTES = 64
SHUFFLED = "shuffle+zstd"


def flat(size):
    return Layout((Tensor("flat", (size,)),))


def model_metadata(size, codec=SHUFFLED):
    return FrameMetadata.of_model(flat(size), run="run", round_number=1, codec=codec)


def update_metadata(size, codec=SHUFFLED, run="run"):
    nothing = np.empty(0, np.float32)
    update = ClientUpdate("1", 1, "ab" * 32, 10, nothing, TrainingMetrics())
    return FrameMetadata.of_update(update, flat(size), run=run, codec=codec)


vectors = st.builds(
    lambda seed, size, zeros: (
        np.where(np.arange(size) < zeros * size, 0, np.random.default_rng(seed).integers(0, 2**32, size))
        .astype(np.uint32)
        .view(np.float32)
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 3000),
    st.floats(0, 1),
)


@given(vectors, st.sampled_from([model_metadata, update_metadata]))
def test_a_vector_comes_back_bit_for_bit_and_never_takes_more_than_without_a_codec(vector, metadata):
    frame = encode_frame(metadata(vector.size), vector)
    plain = encode_frame(metadata(vector.size, "none"), vector)

    assert parse_frame(frame).vector(flat(vector.size)).tobytes() == vector.tobytes()
    assert frame.size <= plain.size + ALIGNMENT_BYTES


@given(st.integers(0, 100))
def test_what_a_name_adds_to_the_metadata_counts(length):
    vector = np.random.default_rng(1).integers(0, 2**32, 256, np.uint32).view(np.float32)
    for zeros in range(0, 40, 4):  # around the place where compressing begins to pay
        vector[:zeros] = 0
        sizes = [
            encode_frame(update_metadata(256, codec, "r" * length), vector).size
            for codec in (SHUFFLED, "none")
        ]
        assert sizes[0] <= sizes[1] + ALIGNMENT_BYTES


def test_where_it_pays_the_frame_says_its_codec():
    frame = encode_frame(update_metadata(1000), np.zeros(1000, np.float32))

    assert parse_frame(frame).metadata == read_metadata(frame) == update_metadata(1000)
    assert frame.size < 1000


@pytest.mark.parametrize("size", [0, 10, 1000])
def test_where_it_does_not_pay_the_frame_is_the_one_without_a_codec(size):
    noise = np.random.default_rng(1).integers(0, 2**32, size, np.uint32).view(np.float32)

    frame = encode_frame(update_metadata(size), noise)

    assert frame.tobytes() == encode_frame(update_metadata(size, "none"), noise).tobytes()
    assert read_metadata(frame).codec == "none"
    assert np.shares_memory(parse_frame(frame).vector(flat(size)), frame) or size == 0


def test_the_same_training_gives_the_same_bytes():
    vector = np.random.default_rng(1).normal(0, 0.05, 200_000).astype(np.float32)

    first, second = (encode_frame(update_metadata(vector.size), vector.copy()) for _ in range(2))

    assert first.tobytes() == second.tobytes()


def test_a_buffer_that_is_large_enough_is_used_again_whatever_pays():
    buffer = np.empty(max_frame_bytes(flat(1000), SHUFFLED), np.uint8)
    noise = np.random.default_rng(1).integers(0, 2**32, 1000, np.uint32).view(np.float32)

    for vector in (np.zeros(1000, np.float32), noise):
        frame = encode_frame(update_metadata(1000), vector, buffer=buffer)
        assert np.shares_memory(frame, buffer)
        assert parse_frame(frame).vector(flat(1000)).tobytes() == vector.tobytes()


def test_the_golden_file_stays_readable(golden):
    data = (golden.FOLDER / "shuffle_zstd_update.bin").read_bytes()

    frame = parse_frame(data)

    assert frame.metadata == golden.LONG_METADATA
    assert frame.vector(golden.LONG_LAYOUT).tobytes() == golden.LONG_VECTOR.tobytes()


def test_every_flipped_bit_is_refused_with_a_reason(golden):
    data = np.frombuffer((golden.FOLDER / "shuffle_zstd_update.bin").read_bytes(), np.uint8)
    for place in range(data.size):
        for bit in (1, 128):
            altered = data.copy()
            altered[place] ^= bit
            with pytest.raises(errors.FrameError) as refused:
                parse_frame(altered)
            assert refused.value.reason != errors.FrameError.reason


def test_a_frame_of_another_layout_is_not_decoded():
    frame = parse_frame(encode_frame(update_metadata(1000), np.zeros(1000, np.float32)))

    for size in (999, 1001):
        with pytest.raises(errors.LayoutMismatch):
            frame.vector(flat(size))


@pytest.mark.parametrize("parameters", [{"level": 19}, {"block": 1}])
def test_the_codec_takes_no_parameters(parameters):
    metadata = FrameMetadata(
        kind="model", run="run", round=1, layout=flat(9), codec=SHUFFLED, codec_parameters=parameters
    )
    with pytest.raises(errors.UnknownCodec):
        encode_frame(metadata, np.zeros(9, np.float32))
