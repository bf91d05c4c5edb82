"""The bytes of the values sorted by significance, then Zstandard: a fifth to a half smaller, bit for bit.

Neighbouring weights have signs and exponents that are alike and mantissas that are not. Where all first bytes
lie together, then all second ones and so on (Alted, "Why modern CPUs are starving", 2010), a general
compressor finds what they share, and a sample tells which of these planes to leave as they are.

The vector is cut into blocks, so that the four planes of one stay in the processor's cache:

    lengths  uint32 x 4 x blocks   bytes of each plane in the payload; one for each value: not compressed
    planes                         of each block, the least significant bytes first
"""

import numpy as np
from numpy.typing import NDArray

from engine.codecs.compression import compress_data, decompress_data
from engine.core.weights import Vector
from engine.errors import PayloadInvalid, PayloadSizeMismatch

BLOCK_VALUES = 1 << 17
"""Its planes have 128 KiB, as much as one block of Zstandard holds."""
MIN_VECTOR_BYTES = 1024
"""Smaller vectors are not compressed."""
LEAST_SAVING = 1 / 32
"""Of a plane, and of the whole: what saves less is left as it is, which is quicker to read."""

_SAMPLES, _SAMPLE_BYTES = 4, 1024
"""So many pieces of a plane, from its whole length, tell whether to compress it."""
_VALUE = np.dtype("<f4")
_LENGTH = np.dtype("<u4")
_PLANES = _VALUE.itemsize

_Bytes = NDArray[np.uint8]


class ShuffleZstdCodec:
    """Writes and reads a vector plane by plane. Every bit survives, NaN payloads and -0.0 too."""

    def max_bytes(self, size: int) -> int:
        return _VALUE.itemsize * size + _table_bytes(size)

    def encode(self, vector: Vector, out: _Bytes) -> int | None:
        """See `Codec.encode`. Planes are sorted into `out`, and those that shrink are compressed there."""
        if vector.nbytes < MIN_VECTOR_BYTES:
            return None
        values = np.ascontiguousarray(vector, _VALUE).view(np.uint8).reshape(-1, _PLANES)
        lengths = []
        end = _table_bytes(vector.size)
        for first in range(0, vector.size, BLOCK_VALUES):
            for plane in values[first : first + BLOCK_VALUES].T:
                place = out[end : end + plane.size]
                np.copyto(place, plane)
                lengths.append(_compress_in_place(place))
                end += lengths[-1]
        out[: _table_bytes(vector.size)] = np.array(lengths, _LENGTH).view(np.uint8)
        return end if end <= (1 - LEAST_SAVING) * vector.nbytes else None

    def decode(self, payload: _Bytes, size: int) -> Vector:
        """See `Codec.decode`; beside the vector it takes the memory of one plane."""
        lengths = _read_lengths(payload, size)
        vector = np.empty(size, _VALUE)
        values = vector.view(np.uint8).reshape(-1, _PLANES)
        start = _table_bytes(size)
        for first, block_lengths in zip(range(0, size, BLOCK_VALUES), lengths.tolist(), strict=True):
            for plane, length in zip(values[first : first + BLOCK_VALUES].T, block_lengths, strict=True):
                plane[:] = _decompress(payload[start : start + length], plane.size)
                start += length
        vector.flags.writeable = False
        return vector.astype(np.float32, copy=False)


def _table_bytes(size: int) -> int:
    return -(-size // BLOCK_VALUES) * _PLANES * _LENGTH.itemsize


def _compress_in_place(plane: _Bytes) -> int:
    """Compresses a plane where it lies, if that pays; returns the bytes that it takes there then."""
    if not _is_promising(plane):
        return plane.size
    compressed = compress_data(plane.data, is_noise=True)
    if len(compressed) > (1 - LEAST_SAVING) * plane.size:
        return plane.size
    plane[: len(compressed)] = np.frombuffer(compressed, np.uint8)
    return len(compressed)


def _is_promising(plane: _Bytes) -> bool:
    """Whether samples of the plane shrink; a small plane is its own sample."""
    stride = plane.size // _SAMPLES
    if stride <= _SAMPLE_BYTES:
        return True
    sample = plane[: stride * _SAMPLES].reshape(_SAMPLES, stride)[:, :_SAMPLE_BYTES].tobytes()
    return len(compress_data(sample, is_noise=True)) < len(sample)


def _read_lengths(payload: _Bytes, size: int) -> NDArray[np.uint32]:
    """The table of lengths, of shape (blocks, 4), once it accounts for every byte of the payload.

    Raises:
        PayloadSizeMismatch: the payload cannot be that of `size` values.
        PayloadInvalid: a length that no plane can have.
    """
    table_bytes = _table_bytes(size)
    if payload.size < table_bytes:
        raise PayloadSizeMismatch(f"a payload of {payload.size} bytes for {size} float32 values")
    lengths = payload[:table_bytes].view(_LENGTH).reshape(-1, _PLANES)
    if table_bytes + int(lengths.sum(dtype=np.uint64)) != payload.size:
        raise PayloadSizeMismatch(f"the planes of {size} float32 values do not fill {payload.size} bytes")
    most = np.minimum(size - BLOCK_VALUES * np.arange(len(lengths)), BLOCK_VALUES)
    if not np.all((lengths > 0) & (lengths <= most[:, np.newaxis])):
        raise PayloadInvalid("a plane is empty, or longer than it has values")
    return lengths


def _decompress(plane: _Bytes, size: int) -> _Bytes:
    """The `size` bytes of a plane, as they lie in the payload or in memory of their own.

    Raises:
        PayloadTooLarge, PayloadSizeMismatch: more or fewer would come out.
        PayloadInvalid: it is not Zstandard.
    """
    if plane.size == size:
        return plane
    data = decompress_data(plane.data, size)
    if len(data) != size:
        raise PayloadSizeMismatch(f"a plane of {len(data)} values where {size} belong")
    return np.frombuffer(data, np.uint8)
