"""The frame: one model or one update as bytes that can be checked. `docs/protocol.md` is the specification.

With codec `none`, `encode_frame` makes one copy, of the vector, into a buffer that may be used again, and
`parse_frame` makes none.
"""

import math
import struct
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import msgspec
import numpy as np
from blake3 import blake3
from msgspec import Meta
from numpy.typing import NDArray

from engine import untrusted_json
from engine.codecs import open_codec
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Vector, Weights
from engine.errors import (
    BadMagic,
    DigestMismatch,
    FrameTruncated,
    LayoutMismatch,
    MetadataInvalid,
    MetadataTooLarge,
    PayloadTooLarge,
    TrailingBytes,
    UnknownFlags,
    UnsupportedVersion,
)

MAGIC = b"FLW1"
VERSION = 1
DIGEST_BYTES = 32
PAYLOAD_ALIGNMENT = 64
MAX_METADATA_BYTES = 4 << 20
MAX_PAYLOAD_BYTES = 8 << 30
MAX_NAME_LENGTH = 200
MAX_RANK = 32

_HEADER = struct.Struct("<4sHHIQ")
MIN_FRAME_BYTES = _HEADER.size + DIGEST_BYTES

Bytes = NDArray[np.uint8]
Kind = Literal["model", "update"]
Name = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
HexDigest = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class FrameMetadata(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a frame says about its vector; the fields are those of the specification.

    Raises:
        ValueError: the fields contradict each other.
    """

    kind: Kind
    run: Name
    round: Count
    client: Name = ""
    repeat: Count = 0
    num_examples: Count = 0
    codec: Name = "none"
    codec_parameters: dict[str, int | float | str] = {}
    base: HexDigest = ""
    metrics: TrainingMetrics | None = None
    layout: Layout | None = None
    layout_digest: HexDigest = ""

    def __post_init__(self) -> None:
        if not (self.run + self.client).isprintable():
            raise ValueError("the names of run and client must be printable")
        update_only = (self.client, self.base, self.metrics, self.layout_digest)
        counts = (self.num_examples, self.repeat)
        if self.kind == "update" and (self.layout is not None or not all(update_only)):
            raise ValueError("an update has client, base, metrics and layout_digest, and no layout")
        if self.kind == "model" and (self.layout is None or any(update_only) or any(counts)):
            raise ValueError("a model has a layout, and nothing that belongs to an update")
        if self.layout is not None:
            _check_layout(self.layout)

    @classmethod
    def of_model(cls, layout: Layout, *, run: str, round_number: int, codec: str = "none") -> Self:
        """Metadata of a global model that has `round_number` rounds in it."""
        return cls(kind="model", run=run, round=round_number, codec=codec, layout=layout)

    @classmethod
    def of_update(cls, update: ClientUpdate, layout: Layout, *, run: str, codec: str = "none") -> Self:
        """Metadata of one client's update of a model with this layout."""
        return cls(
            kind="update",
            run=run,
            round=update.round,
            client=update.client,
            repeat=update.repeat,
            num_examples=update.num_examples,
            codec=codec,
            base=update.base_digest,
            metrics=update.metrics,
            layout_digest=layout.digest,
        )


_metadata_decoder = msgspec.json.Decoder(FrameMetadata)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose lengths, digest and metadata have been verified; its payload is decoded on demand."""

    metadata: FrameMetadata
    payload: Bytes
    """Read-only view of the bytes that were parsed."""
    digest: bytes
    """The 32 bytes at the end."""

    def vector(self, layout: Layout) -> Vector:
        """The decoded vector, of `layout.size` values; with codec `none` a read-only view of the frame.

        Raises:
            LayoutMismatch: the frame was made for another layout; compare digests first to reject it softly.
            PayloadSizeMismatch: the payload does not hold `layout.size` values.
            PayloadInvalid: the codec cannot read it.
        """
        theirs = self.metadata.layout.digest if self.metadata.layout else self.metadata.layout_digest
        if theirs != layout.digest:
            raise LayoutMismatch(f"the frame has layout {theirs[:12]} instead of {layout.digest[:12]}")
        codec = open_codec(self.metadata.codec, self.metadata.codec_parameters)
        return codec.decode(self.payload, layout.size)

    def weights(self) -> Weights:
        """The model in this frame.

        Raises:
            MetadataInvalid: the frame holds an update.
            PayloadSizeMismatch, PayloadInvalid: see `vector`.
        """
        if self.metadata.layout is None:
            raise MetadataInvalid("expected a model and got an update")
        return Weights(self.metadata.layout, self.vector(self.metadata.layout))

    def update(self, layout: Layout) -> ClientUpdate:
        """The update in this frame.

        Raises:
            MetadataInvalid: the frame holds a model.
            LayoutMismatch, PayloadSizeMismatch, PayloadInvalid: see `vector`.
        """
        metadata = self.metadata
        if metadata.kind != "update" or metadata.metrics is None:
            raise MetadataInvalid("expected an update and got a model")
        return ClientUpdate(
            client=metadata.client,
            round=metadata.round,
            base_digest=metadata.base,
            num_examples=metadata.num_examples,
            delta=self.vector(layout),
            metrics=metadata.metrics,
            repeat=metadata.repeat,
        )


def encode_frame(
    metadata: FrameMetadata, vector: Vector, *, key: bytes | None = None, buffer: Bytes | None = None
) -> Bytes:
    """Writes one frame. Where its codec does not pay, the vector is in it as it is, and the metadata say so.

    Args:
        metadata: names the codec to try; `read_metadata` tells which one it was.
        vector: float32, one-dimensional.
        key: 32 bytes that turn the digest into a MAC.
        buffer: memory to write to if it is large enough; the result is then a view of it.

    Returns:
        The frame, uint8.

    Raises:
        UnknownCodec, MetadataTooLarge: the frame cannot be written.
        LayoutMismatch: `vector` is not what the metadata's layout says.
    """
    if metadata.layout is not None:
        Weights(metadata.layout, vector)
    codec = open_codec(metadata.codec, metadata.codec_parameters)
    encoded = _pad(msgspec.json.encode(metadata))
    start = _HEADER.size + len(encoded)
    largest = start + codec.max_bytes(vector.size) + DIGEST_BYTES
    if buffer is None or buffer.size < largest:
        buffer = np.empty(largest, np.uint8)
    payload_bytes = codec.encode(vector, buffer[start:])
    if payload_bytes is None:
        plain = msgspec.structs.replace(metadata, codec="none", codec_parameters={})
        return encode_frame(plain, vector, key=key, buffer=buffer)
    end = start + payload_bytes
    header = _HEADER.pack(MAGIC, VERSION, 0, len(encoded), payload_bytes)
    buffer[:start] = np.frombuffer(header + encoded, np.uint8)
    buffer[end : end + DIGEST_BYTES] = np.frombuffer(_digest(buffer[:end], key), np.uint8)
    return buffer[: end + DIGEST_BYTES]


def parse_frame(
    data: bytes | Bytes | memoryview, *, key: bytes | None = None, max_payload_bytes: int = MAX_PAYLOAD_BYTES
) -> Frame:
    """Verifies a frame, without a copy and without trusting a length in it.

    Args:
        data: any bytes at all.
        key: the key that the frame must have been made with; None for an unkeyed digest.
        max_payload_bytes: the largest payload that this reader has a use for.

    Raises:
        FrameError: the subclass, and its `reason`, say what is wrong.
    """
    raw = np.frombuffer(data, np.uint8)
    start, end = _check_header(raw, max_payload_bytes)
    digest = raw[end:].tobytes()
    if _digest(raw[:end], key) != digest:
        raise DigestMismatch("the frame was altered on its way, or made with another key")
    metadata = _parse_metadata(raw[_HEADER.size : start])
    open_codec(metadata.codec, metadata.codec_parameters)
    payload = raw[start:end]
    payload.flags.writeable = False
    return Frame(metadata, payload, digest)


def read_metadata(frame: Bytes) -> FrameMetadata:
    """What a frame of `encode_frame` says about itself. One from outside is verified by `parse_frame`.

    Raises:
        FrameError: see `parse_frame`; the digest is not looked at.
    """
    start, _ = _check_header(frame, MAX_PAYLOAD_BYTES)
    return _parse_metadata(frame[_HEADER.size : start])


def max_frame_bytes(layout: Layout, codec: str = "none") -> int:
    """Memory in which any frame of this layout can be encoded; the largest on the wire is that of `none`."""
    return MIN_FRAME_BYTES + MAX_METADATA_BYTES + open_codec(codec).max_bytes(layout.size)


def serialize_weights(weights: Weights, *, run: str = "", round_number: int = 0) -> bytes:
    """A model as one frame in immutable bytes; `encode_frame` makes one copy less."""
    metadata = FrameMetadata.of_model(weights.layout, run=run, round_number=round_number)
    return encode_frame(metadata, weights.vector).tobytes()


def deserialize_weights(data: bytes) -> Weights:
    """Reads what `serialize_weights` wrote; the vector is a read-only view of `data`.

    Raises:
        FrameError: not a whole, unaltered frame with a model.
    """
    return parse_frame(data).weights()


def _digest(data: Bytes, key: bytes | None) -> bytes:
    hasher = blake3(key=key) if key is not None else blake3()
    return hasher.update(data.data).digest()


def _pad(encoded: bytes) -> bytes:
    """Metadata with spaces up to the alignment of the payload."""
    padded = encoded + b" " * (-(_HEADER.size + len(encoded)) % PAYLOAD_ALIGNMENT)
    if len(padded) > MAX_METADATA_BYTES:
        raise MetadataTooLarge(f"metadata of {len(padded)} bytes; the most is {MAX_METADATA_BYTES}")
    return padded


def _check_header(raw: Bytes, max_payload_bytes: int) -> tuple[int, int]:
    """Where the payload starts and ends, once every length has been checked."""
    if raw.size < MIN_FRAME_BYTES:
        raise FrameTruncated(f"{raw.size} bytes; the smallest frame has {MIN_FRAME_BYTES}")
    magic, version, flags, metadata_bytes, payload_bytes = _HEADER.unpack(raw[: _HEADER.size].tobytes())
    if magic != MAGIC:
        raise BadMagic(f"starts with {magic!r} instead of {MAGIC!r}")
    if version != VERSION:
        raise UnsupportedVersion(f"version {version}; this software speaks {VERSION}")
    if flags:
        raise UnknownFlags(f"flags {flags:#06x}; version {VERSION} defines none")
    if metadata_bytes > MAX_METADATA_BYTES:
        raise MetadataTooLarge(f"metadata of {metadata_bytes} bytes; the most is {MAX_METADATA_BYTES}")
    if payload_bytes > max_payload_bytes:
        raise PayloadTooLarge(f"a payload of {payload_bytes} bytes; the most is {max_payload_bytes}")
    start = _HEADER.size + metadata_bytes
    end = start + payload_bytes
    if raw.size < end + DIGEST_BYTES:
        raise FrameTruncated(f"{raw.size} bytes of {end + DIGEST_BYTES}")
    if raw.size > end + DIGEST_BYTES:
        raise TrailingBytes(f"{raw.size - end - DIGEST_BYTES} bytes after the digest")
    return start, end


def _parse_metadata(raw: Bytes) -> FrameMetadata:
    if (_HEADER.size + raw.size) % PAYLOAD_ALIGNMENT:
        raise MetadataInvalid(f"metadata of {raw.size} bytes leave the payload unaligned")
    try:
        return untrusted_json.decode_unambiguous(_metadata_decoder, raw.tobytes())
    except msgspec.DecodeError as error:
        raise MetadataInvalid(str(error)) from None


def _check_layout(layout: Layout) -> None:
    """Refuses layouts whose size overflows, before anybody computes it."""
    names: set[str] = set()
    for tensor in layout.tensors:
        names.add(tensor.name)
        if len(tensor.shape) > MAX_RANK or not all(0 <= side < 2**32 for side in tensor.shape):
            raise ValueError(f"the tensor {tensor.name!r} has an impossible shape")
        if math.prod(tensor.shape) * 4 > MAX_PAYLOAD_BYTES:
            raise ValueError(f"the tensor {tensor.name!r} is larger than any payload")
    if len(names) != len(layout.tensors):
        raise ValueError("two tensors have the same name")
    if layout.num_bytes > MAX_PAYLOAD_BYTES:
        raise ValueError("the tensors together are larger than any payload")
