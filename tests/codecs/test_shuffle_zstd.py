"""Bytes sorted by significance and compressed: bit for bit, never more than agreed, never larger."""

import contextlib
import tracemalloc

import numpy as np
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from engine.codecs.compression import compress_data
from engine.codecs.shuffle_zstd import BLOCK_VALUES, LEAST_SAVING, MIN_VECTOR_BYTES, ShuffleZstdCodec
from engine.errors import FrameError, PayloadInvalid, PayloadSizeMismatch, PayloadTooLarge

CODEC = ShuffleZstdCodec()
SMALLEST = MIN_VECTOR_BYTES // 4
AWKWARD_BITS = (0x80000000, 0x7FC00001, 0xFFABCDEF, 0x7F800000, 0xFF800000, 0x00000001, 0x7F7FFFFF)


def encoded(vector):
    out = np.empty(CODEC.max_bytes(vector.size), np.uint8)
    used = CODEC.encode(vector, out)
    return None if used is None else out[:used].copy()


def like_weights(size, seed=1):
    return np.random.default_rng(seed).normal(0, 0.05, size).astype(np.float32)


def random_bits(size, seed=1):
    return np.random.default_rng(seed).integers(0, 2**32, size, np.uint32).view(np.float32)


def payload_of(*planes):
    """A payload of one block, around planes that the codec did not write."""
    lengths = np.array([len(plane) for plane in planes], "<u4").tobytes()
    return np.frombuffer(lengths + b"".join(planes), np.uint8)


# --- round trips


@given(
    st.integers(0, 2**32 - 1),
    st.integers(SMALLEST, 5000),
    st.lists(st.sampled_from(AWKWARD_BITS) | st.integers(0, 2**32 - 1), max_size=50),
)
def test_every_bit_pattern_survives(seed, size, patterns):
    bits = like_weights(size, seed).view(np.uint32)
    bits[: len(patterns)] = patterns

    payload = encoded(bits.view(np.float32))

    assert CODEC.decode(payload, size).tobytes() == bits.tobytes()


@pytest.mark.parametrize("size", [BLOCK_VALUES - 1, BLOCK_VALUES, BLOCK_VALUES + 1, 2 * BLOCK_VALUES + 3])
def test_the_last_block_may_be_of_any_size(size):
    vector = like_weights(size)

    assert CODEC.decode(encoded(vector), size).tobytes() == vector.tobytes()


def test_a_vector_that_lies_scattered_is_written_like_any_other():
    scattered = like_weights(2000)[::2]

    assert encoded(scattered).tobytes() == encoded(scattered.copy()).tobytes()


def test_decoding_gives_an_aligned_read_only_vector():
    vector = CODEC.decode(encoded(like_weights(1000)), 1000)

    assert vector.dtype == np.float32
    assert vector.flags.aligned
    assert not vector.flags.writeable


# --- where it pays


def test_normal_noise_shrinks_by_its_exponents():
    vector = like_weights(300_000)

    assert vector.nbytes / encoded(vector).size >= 1.15


def test_only_planes_that_shrink_are_compressed():
    payload = encoded(like_weights(BLOCK_VALUES))
    lengths = payload[:16].view("<u4").tolist()

    assert lengths[:3] == [BLOCK_VALUES] * 3
    assert lengths[3] < BLOCK_VALUES / 2


def test_a_small_vector_is_left_as_it_is():
    assert encoded(np.zeros(SMALLEST - 1, np.float32)) is None
    assert encoded(np.zeros(SMALLEST, np.float32)).size < MIN_VECTOR_BYTES / 4
    assert encoded(np.zeros(0, np.float32)) is None


@pytest.mark.parametrize("size", [SMALLEST, 20_000, BLOCK_VALUES + 1])
def test_what_has_no_pattern_is_left_as_it_is(size):
    assert encoded(random_bits(size)) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 4000), st.floats(0, 1))
def test_what_is_compressed_has_become_smaller(seed, size, share_of_zeros):
    vector = random_bits(size, seed)
    vector[: int(share_of_zeros * size)] = 0

    payload = encoded(vector)

    assert payload is None or payload.size <= (1 - LEAST_SAVING) * vector.nbytes


# --- refusals


def test_every_flipped_bit_of_a_payload_gets_an_answer():
    vector = like_weights(SMALLEST)
    payload = encoded(vector)
    for place in range(payload.size):
        for bit in (1, 128):
            altered = payload.copy()
            altered[place] ^= bit
            with contextlib.suppress(FrameError):
                assert CODEC.decode(altered, vector.size).size == vector.size


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_get_an_answer(data, size):
    with contextlib.suppress(FrameError):
        assert CODEC.decode(np.frombuffer(data, np.uint8), size).size == size


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 17, 500, -1])
def test_every_truncation_is_refused(cut):
    payload = encoded(like_weights(SMALLEST))

    with pytest.raises(PayloadSizeMismatch):
        CODEC.decode(payload[:cut], SMALLEST)


@pytest.mark.parametrize("size", [0, SMALLEST - 1, SMALLEST + 1, BLOCK_VALUES + 1, 2**33])
def test_a_payload_of_another_size_is_refused_before_anything_is_allocated(size):
    payload = encoded(like_weights(SMALLEST))
    tracemalloc.start()
    with pytest.raises((PayloadSizeMismatch, PayloadInvalid, PayloadTooLarge)):
        CODEC.decode(payload, size)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 100_000


@pytest.mark.parametrize(
    ("plane", "error"),
    [
        (b"", PayloadInvalid),
        (bytes(101), PayloadInvalid),
        (b"not Zstandard", PayloadInvalid),
        (compress_data(bytes(100))[:-1], PayloadInvalid),
        (compress_data(bytes(100)) + b"\0", PayloadInvalid),
        (compress_data(bytes(99)), PayloadSizeMismatch),
        (compress_data(bytes(101)), PayloadTooLarge),
    ],
)
def test_each_way_a_plane_can_be_wrong_has_its_error(plane, error):
    good = bytes(100)
    assert CODEC.decode(payload_of(good, good, good, compress_data(good)), 100).size == 100

    with pytest.raises(error):
        CODEC.decode(payload_of(good, good, good, plane), 100)


def zeros_packed(size, *, is_size_stated):
    """Zstandard's frame of so many zeros, made a piece at a time."""
    compressor, piece = zstd.ZstdCompressor(1), bytes(1 << 22)
    if is_size_stated:
        compressor.set_pledged_input_size(size)
    packed = b"".join(compressor.compress(piece) for _ in range(size // len(piece)))
    return packed + compressor.flush()


@pytest.mark.parametrize("is_size_stated", [True, False])
def test_a_bomb_of_a_gibibyte_is_refused_in_little_memory(is_size_stated):
    bomb = zeros_packed(1 << 30, is_size_stated=is_size_stated)
    payload = payload_of(bomb, bomb, bomb, bomb)
    assert len(bomb) < BLOCK_VALUES
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge):
        CODEC.decode(payload, BLOCK_VALUES)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 2_000_000
