"""The vector as it is: little-endian float32."""

import numpy as np
from numpy.typing import NDArray

from engine.core.weights import Vector
from engine.errors import PayloadSizeMismatch

_LITTLE_ENDIAN = np.dtype("<f4")


class NoneCodec:
    """Writes with one copy and reads with none. Every bit survives, NaN payloads and -0.0 too."""

    def max_bytes(self, size: int) -> int:
        return _LITTLE_ENDIAN.itemsize * size

    def encode(self, vector: Vector, out: NDArray[np.uint8]) -> int:
        """See `Codec.encode`."""
        np.copyto(out[: self.max_bytes(vector.size)].view(_LITTLE_ENDIAN), vector)
        return self.max_bytes(vector.size)

    def decode(self, payload: NDArray[np.uint8], size: int) -> Vector:
        """See `Codec.decode`; a read-only view of `payload`, copied only where that lies unaligned."""
        if payload.size != self.max_bytes(size):
            raise PayloadSizeMismatch(f"a payload of {payload.size} bytes for {size} float32 values")
        vector = np.require(payload.view(_LITTLE_ENDIAN), np.float32, "A")
        vector.flags.writeable = False
        return vector
