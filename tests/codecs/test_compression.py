"""Compressed bytes come back whole, and never as more than was agreed."""

import contextlib
import tracemalloc

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from engine.codecs.compression import compress_data, decompress_data
from engine.errors import PayloadInvalid, PayloadTooLarge


@given(st.binary(max_size=2000))
def test_round_trip_within_the_exact_size(data):
    assert decompress_data(compress_data(data), len(data)) == data


@given(st.binary(min_size=1, max_size=2000))
def test_one_byte_less_than_needed_is_refused(data):
    with pytest.raises(PayloadTooLarge):
        decompress_data(compress_data(data), len(data) - 1)


def without_stated_size(data):
    compressor = zstd.ZstdCompressor()
    return compressor.compress(data[:1]) + compressor.compress(data[1:]) + compressor.flush()


@pytest.mark.parametrize("pack", [compress_data, without_stated_size])
def test_a_bomb_is_refused_in_bounded_memory(pack):
    bomb = pack(bytes(200_000_000))
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge):
        decompress_data(bomb, 1000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 1_000_000


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=50).map(compress_data)), st.integers(0, 60))
def test_any_bytes_get_an_answer_within_the_bound(data, place):
    altered = data[:place] + b"\x5a" + data[place + 1 :]

    with contextlib.suppress(PayloadInvalid, PayloadTooLarge):
        assert len(decompress_data(altered, 40)) <= 40


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d + b"x", lambda d: d + d, lambda _: b""])
def test_what_is_not_one_whole_frame_is_refused(damage):
    with pytest.raises(PayloadInvalid):
        decompress_data(damage(compress_data(b"twelve bytes")), 1000)
