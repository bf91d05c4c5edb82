"""What an honest client of the run would send; everything hostile is made from it."""

import struct
from typing import Any

import msgspec
import numpy as np
from blake3 import blake3

from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Role, Tensor
from engine.protocol.chunks import TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame
from engine.server.intake import UPDATE_PLACES
from engine.transport.base import Record

RUN = "run"
ROUND = 3
"""The open round."""
BASE = "ab" * 32
"""Digest of the model that it starts from."""
OLDER_BASE = "12" * 32
"""Of the model that the round before started from."""
LAYOUT = Layout((Tensor("kernel", (3, 2)), Tensor("bias", (2,)), Tensor("mean", (1,), Role.STATISTIC)))
"""Of the run's model: nine values, a frame of one record."""
WIDE_LAYOUT = Layout((Tensor("kernel", (230_000,)),))
"""Of a run whose frames take two records."""
PACKED_LAYOUT = Layout((Tensor("kernel", (16, 32)),))
"""Of a run whose updates are large enough to be compressed."""
DELTA = np.linspace(-1, 1, LAYOUT.size, dtype=np.float32)
WIDE_DELTA = np.zeros(WIDE_LAYOUT.size, np.float32)
PACKED_DELTA = np.linspace(0.5, 0.501, PACKED_LAYOUT.size, dtype=np.float32)

HEADER = struct.Struct("<4sHHIQ")
"""The first 20 bytes of a frame."""


def metadata(*, layout: Layout = LAYOUT, client: str = "1", **changes: Any) -> FrameMetadata:
    """Of an update; `changes` overwrite its fields."""
    update = ClientUpdate(client, ROUND, BASE, 100, DELTA, TrainingMetrics(train_loss=0.5))
    return msgspec.structs.replace(FrameMetadata.of_update(update, layout, run=RUN), **changes)


def update_frame(delta: np.ndarray = DELTA, *, key: bytes | None = None, **changes: Any) -> bytes:
    """An update's frame."""
    return encode_frame(metadata(**changes), delta, key=key).tobytes()


def model_frame() -> bytes:
    """The frame of the model that round `ROUND` starts from."""
    about = FrameMetadata.of_model(LAYOUT, run=RUN, round_number=ROUND - 1)
    return encode_frame(about, DELTA).tobytes()


def records(
    client: str = "1", delta: np.ndarray = WIDE_DELTA, *, partition: int = 0, layout: Layout = WIDE_LAYOUT
) -> list[Record]:
    """The records of an update, at the first offsets of their partition."""
    about = metadata(layout=layout, client=client)
    frame = encode_frame(about, delta)
    chunks = split(frame, TransferHeader.of_frame(frame, epoch=1))
    place = UPDATE_PLACES[partition]
    return [Record(place, offset, chunk.value, dict(chunk.headers)) for offset, chunk in enumerate(chunks)]


def sealed(
    metadata_json: bytes,
    payload: bytes = DELTA.tobytes(),
    *,
    magic: bytes = b"FLW1",
    version: int = 1,
    flags: int = 0,
    metadata_bytes: int | None = None,
    payload_bytes: int | None = None,
    padded: bool = True,
) -> bytes:
    """A frame with a digest that is right around whatever is wrong in it."""
    if padded:
        metadata_json += b" " * (-(HEADER.size + len(metadata_json)) % 64)
    lengths = (
        len(metadata_json) if metadata_bytes is None else metadata_bytes,
        len(payload) if payload_bytes is None else payload_bytes,
    )
    return with_digest(HEADER.pack(magic, version, flags, *lengths) + metadata_json + payload)


def with_digest(body: bytes) -> bytes:
    """The frame whose bytes before the digest these are."""
    return body + blake3(body).digest()
