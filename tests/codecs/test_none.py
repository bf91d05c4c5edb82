"""The codec that changes nothing, and the registry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codecs import open_codec
from engine.config import CODECS
from engine.errors import PayloadSizeMismatch, UnknownCodec


def encoded(vector):
    codec = open_codec("none")
    out = np.empty(codec.max_bytes(vector.size), np.uint8)
    return out[: codec.encode(vector, out)]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_every_bit_pattern_survives(patterns):
    vector = np.array(patterns, np.uint32).view(np.float32)

    decoded = open_codec("none").decode(encoded(vector), vector.size)

    assert decoded.tobytes() == vector.tobytes()


def test_decoding_is_a_read_only_view():
    payload = encoded(np.arange(3, dtype=np.float32))

    decoded = open_codec("none").decode(payload, 3)

    assert np.shares_memory(decoded, payload)
    assert not decoded.flags.writeable


def test_an_unaligned_payload_is_copied_to_an_aligned_vector():
    memory = np.zeros(17, np.uint8)
    memory[1:13] = encoded(np.arange(3, dtype=np.float32))

    decoded = open_codec("none").decode(memory[1:13], 3)

    assert decoded.flags.aligned
    assert decoded.tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [0, 2, 4, 2**60])
def test_a_payload_of_another_size_is_refused(size):
    with pytest.raises(PayloadSizeMismatch):
        open_codec("none").decode(encoded(np.arange(3, dtype=np.float32)), size)


def test_every_configured_codec_opens_and_no_other():
    assert all(open_codec(name) for name in CODECS)
    with pytest.raises(UnknownCodec, match="none"):
        open_codec("zip")
    with pytest.raises(UnknownCodec, match="level"):
        open_codec("none", {"level": 3})
