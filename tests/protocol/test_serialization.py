"""A frame comes back bit for bit, or is refused with a name."""

import struct
import tracemalloc

import msgspec
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from engine import errors
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Tensor, Weights
from engine.protocol.serialization import (
    MAX_METADATA_BYTES,
    FrameMetadata,
    deserialize_weights,
    encode_frame,
    max_frame_bytes,
    parse_frame,
    serialize_weights,
)

HEADER = struct.Struct("<4sHHIQ")
GOLDEN_NAMES = ["model.bin", "update.bin", "keyed_update.bin"]


def sealed(magic=b"FLW1", version=1, flags=0, metadata=b"", payload=b"", **lengths):
    """A frame with a correct digest around whatever is wrong in it."""
    metadata += b" " * (-(HEADER.size + len(metadata)) % 64)
    metadata_bytes = lengths.get("metadata_bytes", len(metadata))
    payload_bytes = lengths.get("payload_bytes", len(payload))
    body = HEADER.pack(magic, version, flags, metadata_bytes, payload_bytes) + metadata + payload
    return body + blake3(body).digest()


def metadata_json(template, /, **changes):
    """A frame's metadata with fields changed, or removed by `...`."""
    fields = {**msgspec.to_builtins(template), **changes}
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not ...})


# --- round trips


def test_a_model_comes_back_bit_for_bit(golden):
    frame = parse_frame(encode_frame(golden.MODEL_METADATA, golden.VECTOR))

    assert frame.metadata == golden.MODEL_METADATA
    assert frame.weights().layout == golden.LAYOUT
    assert frame.weights().digest() == golden.WEIGHTS.digest()


def test_an_update_comes_back_bit_for_bit(golden):
    update = parse_frame(encode_frame(golden.UPDATE_METADATA, golden.VECTOR)).update(golden.LAYOUT)

    assert update.delta.tobytes() == golden.VECTOR.tobytes()
    assert (update.client, update.round, update.num_examples) == ("box-7", 3, 12_345)
    assert (update.base_digest, update.metrics) == (golden.UPDATE.base_digest, golden.UPDATE.metrics)


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@given(st.lists(st.tuples(st.text(max_size=8), shapes), max_size=4, unique_by=lambda t: t[0]), st.randoms())
def test_any_layout_round_trips(tensors, random):
    layout = Layout(tuple(Tensor(name, shape) for name, shape in tensors))
    bits = np.array([random.getrandbits(32) for _ in range(layout.size)], np.uint32)

    weights = deserialize_weights(serialize_weights(Weights(layout, bits.view(np.float32))))

    assert weights.layout == layout
    assert weights.vector.tobytes() == bits.tobytes()


def test_the_vector_is_a_read_only_aligned_view_of_the_frame(golden):
    encoded = encode_frame(golden.MODEL_METADATA, golden.VECTOR)

    frame = parse_frame(encoded)
    vector = frame.weights().vector

    assert np.shares_memory(vector, encoded)
    assert vector.flags.aligned
    assert not vector.flags.writeable
    assert not frame.payload.flags.writeable
    assert (vector.ctypes.data - encoded.ctypes.data) % 64 == 0


def test_a_buffer_that_is_large_enough_is_used_again(golden):
    buffer = np.empty(4096, np.uint8)

    first = encode_frame(golden.MODEL_METADATA, golden.VECTOR, buffer=buffer).tobytes()
    second = encode_frame(golden.UPDATE_METADATA, golden.VECTOR, buffer=buffer)

    assert np.shares_memory(second, buffer)
    assert second.tobytes() == encode_frame(golden.UPDATE_METADATA, golden.VECTOR).tobytes() != first
    assert not np.shares_memory(
        encode_frame(golden.MODEL_METADATA, golden.VECTOR, buffer=buffer[:100]), buffer
    )


def test_the_same_training_gives_the_same_bytes_and_transfer_id(golden):
    frames = [encode_frame(golden.UPDATE_METADATA, golden.VECTOR.copy()) for _ in range(2)]

    assert frames[0].tobytes() == frames[1].tobytes()
    assert parse_frame(frames[0]).digest[:16].hex() == frames[0][-32:-16].tobytes().hex()


def test_metrics_that_were_not_measured_or_are_not_numbers_are_null(golden):
    update = ClientUpdate("1", 1, "00" * 32, 1, golden.VECTOR, TrainingMetrics(train_loss=float("nan")))
    metadata = FrameMetadata.of_update(update, golden.LAYOUT, run="r")

    assert parse_frame(encode_frame(metadata, golden.VECTOR)).metadata.metrics == TrainingMetrics()


def test_no_frame_of_a_layout_is_larger_than_announced(golden):
    assert encode_frame(golden.MODEL_METADATA, golden.VECTOR).size <= max_frame_bytes(golden.LAYOUT)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_golden_files_are_read_and_written_as_ever(golden, name):
    data = (golden.FOLDER / name).read_bytes()
    frame = parse_frame(data, key=golden.KEY if "keyed" in name else None)

    assert frame.vector(golden.LAYOUT).tobytes() == golden.VECTOR.tobytes()
    assert frame.metadata == (golden.MODEL_METADATA if name == "model.bin" else golden.UPDATE_METADATA)
    assert golden.frames()[name] == data


# --- refusals


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_every_flipped_bit_is_refused_with_a_reason(golden, name):
    data = np.frombuffer((golden.FOLDER / name).read_bytes(), np.uint8)
    key = golden.KEY if "keyed" in name else None
    for place in range(data.size):
        for bit in (1, 128):
            altered = data.copy()
            altered[place] ^= bit
            with pytest.raises(errors.FrameError) as refused:
                parse_frame(altered, key=key)
            assert refused.value.reason != errors.FrameError.reason


def test_every_truncation_is_refused(golden):
    data = golden.frames()["update.bin"]
    for length in range(len(data)):
        with pytest.raises(errors.FrameTruncated):
            parse_frame(data[:length])


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data):
    for attempt in (data, HEADER.pack(b"FLW1", 1, 0, 44, 0) + data, sealed(metadata=data)):
        with pytest.raises(errors.FrameError):
            parse_frame(attempt)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.FrameTruncated),
        (sealed(magic=b"FLW2"), errors.BadMagic),
        (sealed(version=2), errors.UnsupportedVersion),
        (sealed(flags=1), errors.UnknownFlags),
        (sealed(metadata_bytes=MAX_METADATA_BYTES + 1), errors.MetadataTooLarge),
        (sealed(metadata_bytes=2**32 - 1), errors.MetadataTooLarge),
        (sealed(payload_bytes=2**63), errors.PayloadTooLarge),
        (sealed(payload_bytes=1), errors.FrameTruncated),
        (sealed() + b"\0", errors.TrailingBytes),
        (sealed()[:-1] + b"\0", errors.DigestMismatch),
        (sealed(), errors.MetadataInvalid),
    ],
)
def test_each_way_to_be_wrong_has_its_error(data, error):
    with pytest.raises(error):
        parse_frame(data)


def test_metadata_that_leaves_the_payload_unaligned_is_refused(golden):
    encoded = msgspec.json.encode(golden.MODEL_METADATA)
    body = HEADER.pack(b"FLW1", 1, 0, len(encoded), 0) + encoded
    assert len(body) % 64

    with pytest.raises(errors.MetadataInvalid, match="unaligned"):
        parse_frame(body + blake3(body).digest())


def tensors(*shapes):
    return {"tensors": [{"name": str(i), "shape": shape} for i, shape in enumerate(shapes)]}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "gradient"},
        {"kind": ...},
        {"run": ...},
        {"run": "a\x1b[31m"},
        {"run": "r" * 201},
        {"round": -1},
        {"round": 1.5},
        {"round": "2"},
        {"round": 2**70},
        {"sent_at": 1_700_000_000},
        {"client": "7"},
        {"num_examples": 3},
        {"base": "00" * 32},
        {"layout": ...},
        {"layout": tensors([-1])},
        {"layout": tensors([2**40])},
        {"layout": tensors([2**31, 2**31, 2**31])},
        {"layout": tensors([1] * 33)},
        {"layout": {"tensors": [{"name": "a", "shape": []}] * 2}},
        {"layout": {"tensors": [{"name": "a", "shape": [], "dtype": "object"}]}},
    ],
)
def test_invalid_metadata_of_a_model_is_refused(golden, changes):
    with pytest.raises(errors.MetadataInvalid):
        parse_frame(sealed(metadata=metadata_json(golden.MODEL_METADATA, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"client": ...},
        {"num_examples": -1},
        {"num_examples": 2**60},
        {"base": ...},
        {"base": "CD" * 32},
        {"base": "cd" * 32 + "\n"},
        {"metrics": None},
        {"metrics": {"train_loss": "low"}},
        {"layout": tensors([9])},
        {"layout_digest": ...},
    ],
)
def test_invalid_metadata_of_an_update_is_refused(golden, changes):
    with pytest.raises(errors.MetadataInvalid):
        parse_frame(sealed(metadata=metadata_json(golden.UPDATE_METADATA, **changes)))


@pytest.mark.parametrize(
    "metadata", [b'{"metrics":{"x":' + b"[" * 10_000, b'{"run":"\xff"', b"[1]", b"null", b"1" * 9_000]
)
def test_metadata_made_to_break_the_parser_is_refused(metadata):
    with pytest.raises(errors.MetadataInvalid):
        parse_frame(sealed(metadata=metadata))


def test_an_unknown_codec_or_parameter_is_refused(golden):
    for changes in ({"codec": "pickle"}, {"codec_parameters": {"level": 1}}):
        with pytest.raises(errors.UnknownCodec):
            parse_frame(sealed(metadata=metadata_json(golden.UPDATE_METADATA, **changes)))


@pytest.mark.parametrize("values", [0, 8, 10])
def test_a_payload_that_is_not_the_layouts_is_refused(golden, values):
    frame = parse_frame(sealed(metadata=metadata_json(golden.MODEL_METADATA), payload=bytes(4 * values)))

    with pytest.raises(errors.PayloadSizeMismatch):
        frame.weights()


def test_the_readers_own_limit_counts(golden):
    with pytest.raises(errors.PayloadTooLarge):
        parse_frame(golden.frames()["model.bin"], max_payload_bytes=35)
    assert parse_frame(golden.frames()["model.bin"], max_payload_bytes=36)


def test_an_update_of_another_layout_is_refused(golden):
    frame = parse_frame(golden.frames()["update.bin"])

    with pytest.raises(errors.LayoutMismatch):
        frame.vector(Layout((Tensor("flat", (9,)),)))


def test_a_model_is_no_update_and_an_update_no_model(golden):
    with pytest.raises(errors.MetadataInvalid, match="update"):
        deserialize_weights(golden.frames()["update.bin"])
    with pytest.raises(errors.MetadataInvalid, match="model"):
        parse_frame(golden.frames()["model.bin"]).update(golden.LAYOUT)


@pytest.mark.parametrize(
    ("name", "key"), [("update.bin", b"k" * 32), ("keyed_update.bin", None), ("keyed_update.bin", b"k" * 32)]
)
def test_another_key_or_none_is_refused(golden, name, key):
    with pytest.raises(errors.DigestMismatch):
        parse_frame(golden.frames()[name], key=key)


def test_lengths_allocate_nothing():
    absurd = sealed(payload_bytes=2**33) + bytes(100)
    tracemalloc.start()
    with pytest.raises(errors.FrameTruncated):
        parse_frame(absurd)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 10_000


def test_metadata_that_is_too_large_is_not_written(golden):
    layout = Layout(tuple(Tensor(f"{i:>099}", ()) for i in range(40_000)))

    with pytest.raises(errors.MetadataTooLarge):
        serialize_weights(Weights(layout, np.zeros(40_000, np.float32)))


def test_a_vector_that_is_not_the_layouts_is_not_written(golden):
    with pytest.raises(errors.LayoutMismatch):
        encode_frame(golden.MODEL_METADATA, golden.VECTOR[:-1])
