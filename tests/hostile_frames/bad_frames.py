"""Frames that are refused before anybody asks whether their update is welcome."""

import json
from typing import Any

import numpy as np

from engine.protocol.serialization import MAX_METADATA_BYTES
from tests.hostile_frames.honest import (
    DELTA,
    HEADER,
    LAYOUT,
    model_frame,
    sealed,
    update_frame,
)

_GONE = object()
_UPDATE = update_frame()
_MODEL = model_frame()
_NEXT_LAYOUT_BYTES = (LAYOUT.size + 1) * 4


def _json_of(frame: bytes) -> bytes:
    return frame[HEADER.size : HEADER.size + HEADER.unpack(frame[: HEADER.size])[3]].rstrip(b" ")


def _update(payload: bytes = DELTA.tobytes(), **changes: Any) -> bytes:
    """An update with other metadata."""
    return _changed(_UPDATE, payload, changes)


def _model(payload: bytes = DELTA.tobytes(), **changes: Any) -> bytes:
    """A model with other metadata."""
    return _changed(_MODEL, payload, changes)


def _changed(frame: bytes, payload: bytes, changes: dict[str, Any]) -> bytes:
    fields = {**json.loads(_json_of(frame)), **changes}
    kept = {name: value for name, value in fields.items() if value is not _GONE}
    return sealed(json.dumps(kept).encode(), payload)


def _written(old: bytes, new: bytes) -> bytes:
    """An update whose JSON is written otherwise."""
    text = _json_of(_UPDATE)
    assert old in text
    return sealed(text.replace(old, new, 1))


def _layout(*shapes: list[Any], **more: Any) -> dict[str, Any]:
    return {"tensors": [{"name": str(n), "shape": shape, **more} for n, shape in enumerate(shapes)]}


def _altered(place: int) -> bytes:
    """An update with one bit flipped and the old digest."""
    frame = bytearray(_UPDATE)
    frame[place] ^= 1
    return bytes(frame)


_LENGTHS = {
    "frame_truncated.empty": b"",
    "frame_truncated.only_the_magic": b"FLW1",
    "frame_truncated.one_byte_missing": _UPDATE[:-1],
    "frame_truncated.half_of_it": _UPDATE[: len(_UPDATE) // 2],
    "frame_truncated.payload_length_beyond_the_end": sealed(
        _json_of(_UPDATE), DELTA[:-1].tobytes(), payload_bytes=DELTA.nbytes
    ),
    "frame_truncated.metadata_length_beyond_the_end": sealed(_json_of(_UPDATE), metadata_bytes=2**20),
    "metadata_too_large.one_byte_too_many": sealed(b"", metadata_bytes=MAX_METADATA_BYTES + 1),
    "metadata_too_large.largest_number": sealed(b"", metadata_bytes=2**32 - 1),
    "payload_too_large.beyond_the_model": sealed(_json_of(_UPDATE), bytes(_NEXT_LAYOUT_BYTES)),
    "payload_too_large.largest_number": sealed(b"", payload_bytes=2**64 - 1),
    "payload_too_large.sum_overflows": sealed(_json_of(_UPDATE), payload_bytes=2**64 - HEADER.size),
    "trailing_bytes.one": _UPDATE + b"\0",
    "trailing_bytes.a_second_frame": _UPDATE + _UPDATE,
    "trailing_bytes.payload_length_one_too_few": sealed(_json_of(_UPDATE), payload_bytes=DELTA.nbytes - 1),
}

_HEADERS = {
    "bad_magic.zip": b"PK\x03\x04" + bytes(60),
    "bad_magic.pickle": b"\x80\x04\x95" + bytes(60),
    "bad_magic.numpy": b"\x93NUMPY\x01\x00" + bytes(60),
    "bad_magic.zeros": bytes(64),
    "unsupported_version.zero": sealed(_json_of(_UPDATE), version=0),
    "unsupported_version.next": sealed(_json_of(_UPDATE), version=2),
    "unknown_flags.one": sealed(_json_of(_UPDATE), flags=1),
    "unknown_flags.all": sealed(_json_of(_UPDATE), flags=0xFFFF),
}

_DIGESTS = {
    "digest_mismatch.altered_metadata": _altered(HEADER.size + 3),
    "digest_mismatch.altered_payload": _altered(len(_UPDATE) - 33),
    "digest_mismatch.altered_digest": _altered(len(_UPDATE) - 1),
    "digest_mismatch.zeros": _UPDATE[:-32] + bytes(32),
    "digest_mismatch.made_with_a_key": update_frame(key=bytes(32)),
}

_JSON = {
    "metadata_invalid.empty": sealed(b""),
    "metadata_invalid.unaligned": sealed(
        _json_of(_UPDATE) + b" " * (-len(_json_of(_UPDATE)) % 8), padded=False
    ),
    "metadata_invalid.no_json": sealed(b"\x80\x04\x95 pickle"),
    "metadata_invalid.no_utf8": _written(b'"run":"run"', b'"run":"\xff"'),
    "metadata_invalid.half_a_surrogate_pair": _written(b'"run":"run"', b'"run":"\\ud800"'),
    "metadata_invalid.byte_order_mark": sealed(b"\xef\xbb\xbf" + _json_of(_UPDATE)),
    "metadata_invalid.nul_after_it": sealed(_json_of(_UPDATE) + b"\0"),
    "metadata_invalid.two_objects": sealed(_json_of(_UPDATE) * 2),
    "metadata_invalid.array": sealed(b"[" + _json_of(_UPDATE) + b"]"),
    "metadata_invalid.nested_10000_deep": _written(b'"metrics":{', b'"metrics":{"x":' + b"[" * 10_000),
    "metadata_invalid.objects_10000_deep": _written(b'"metrics":{', b'"metrics":{"x":' + b'{"x":' * 10_000),
    "metadata_invalid.number_of_5000_digits": _written(b'"round":3', b'"round":' + b"9" * 5_000),
    "metadata_invalid.field_twice": _written(b'"client":"1"', b'"client":"1","client":"2"'),
    "metadata_invalid.same_field_twice": _written(b'"client":"1"', b'"client":"1","client":"1"'),
    "metadata_invalid.field_twice_escaped": _written(b'"client":"1"', b'"client":"1","\\u0063lient":"2"'),
    "metadata_invalid.nan": _written(b'"train_loss":0.5', b'"train_loss":NaN'),
    "metadata_invalid.infinity": _written(b'"train_loss":0.5', b'"train_loss":1e999'),
    "metadata_invalid.unknown_field": _update(sent_at=1_700_000_000),
}

_FIELDS = {
    "metadata_invalid.kind": _update(kind="gradient"),
    "metadata_invalid.no_kind": _update(kind=_GONE),
    "metadata_invalid.escape_sequence_in_the_run": _update(run="\x1b]0;owned\x07"),
    "metadata_invalid.text_that_runs_backwards": _update(client="\u202e1"),
    "metadata_invalid.long_name": _update(client="1" * 201),
    "metadata_invalid.round_below_zero": _update(round=-1),
    "metadata_invalid.round_of_a_fraction": _update(round=3.5),
    "metadata_invalid.round_beyond_64_bits": _update(round=2**70),
    "metadata_invalid.round_as_text": _update(round="3"),
    "metadata_invalid.examples_below_zero": _update(num_examples=-1),
    "metadata_invalid.examples_absurd": _update(num_examples=2**60),
    "metadata_invalid.repeat_below_zero": _update(repeat=-1),
    "metadata_invalid.base_no_digest": _update(base="xy" * 32),
    "metadata_invalid.base_with_a_newline": _update(base="ab" * 32 + "\n"),
    "metadata_invalid.update_without_client": _update(client=_GONE),
    "metadata_invalid.update_without_metrics": _update(metrics=_GONE),
    "metadata_invalid.update_with_a_layout": _update(layout=_layout([9])),
    "metadata_invalid.model_with_a_client": _model(client="1"),
    "metadata_invalid.model_without_layout": _model(layout=_GONE),
}

_LAYOUTS = {
    "metadata_invalid.side_below_zero": _model(layout=_layout([-1])),
    "metadata_invalid.side_of_a_fraction": _model(layout=_layout([1.5])),
    "metadata_invalid.side_too_long": _model(layout=_layout([2**40])),
    "metadata_invalid.sides_overflow": _model(layout=_layout([2**31, 2**31, 4])),
    "metadata_invalid.sides_overflow_before_a_zero_is_reached": _model(layout=_layout([2**32, 0])),
    "metadata_invalid.tensors_overflow_together": _model(layout=_layout(*[[2**31]] * 9)),
    "metadata_invalid.rank": _model(layout=_layout([1] * 33)),
    "metadata_invalid.tensors_of_one_name": _model(layout={"tensors": [{"name": "a", "shape": []}] * 2}),
    "metadata_invalid.dtype_of_objects": _model(layout=_layout([9], dtype="object")),
    "metadata_invalid.role": _model(layout=_layout([9], role="backdoor")),
}

_CODECS = {
    "unknown_codec.pickle": _update(codec="pickle"),
    "unknown_codec.path": _update(codec="../none"),
    "unknown_codec.parameter": _update(codec_parameters={"level": 22}),
    "unknown_codec.parameter_of_the_interpreter": _update(codec_parameters={"self": 1, "__class__": "x"}),
    "payload_size_mismatch.empty": _update(b""),
    "payload_size_mismatch.one_value_too_few": _update(DELTA[:-1].tobytes()),
    "payload_size_mismatch.part_of_a_value": _update(DELTA.tobytes()[:-1]),
    "payload_size_mismatch.model_smaller_than_its_layout": _model(np.float32(1).tobytes()),
    "payload_size_mismatch.layout_of_8_gib": _model(layout=_layout([2**31])),
    "layout_mismatch.update_of_another_model": _update(layout_digest="cd" * 32),
}

FRAMES = {
    f"{name}.bin": content
    for part in (_LENGTHS, _HEADERS, _DIGESTS, _JSON, _FIELDS, _LAYOUTS, _CODECS)
    for name, content in part.items()
}
"""Name of the file -> content."""
