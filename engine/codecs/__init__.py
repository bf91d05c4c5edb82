"""What a delta looks like on the wire: one file per codec.

A codec is three methods and a name in `_CODECS`; nothing else in the engine knows one codec from another.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.codecs.none import NoneCodec
from engine.codecs.shuffle_zstd import ShuffleZstdCodec
from engine.core.weights import Vector
from engine.errors import UnknownCodec

Payload = NDArray[np.uint8]
Parameters = Mapping[str, int | float | str]


class Codec(Protocol):
    """One way to write a float32 vector as bytes."""

    def max_bytes(self, size: int) -> int:
        """Most bytes that a vector of `size` values can take."""
        ...

    def encode(self, vector: Vector, out: Payload) -> int | None:
        """Writes `vector` to the start of `out`, of `max_bytes(vector.size)`.

        Returns:
            The bytes used; None where the codec does not pay for this vector, which is sent as it is.
        """
        ...

    def decode(self, payload: Payload, size: int) -> Vector:
        """Reads a vector of `size` values, without a copy where the payload allows it.

        Raises:
            PayloadSizeMismatch: the payload holds another number of values.
            PayloadTooLarge: a part of it would unpack to more than belongs there; it was not unpacked.
            PayloadInvalid: the payload is not what this codec writes.
        """
        ...


_CODECS: Mapping[str, Callable[..., Codec]] = {"none": NoneCodec, "shuffle+zstd": ShuffleZstdCodec}


def open_codec(name: str, parameters: Parameters | None = None) -> Codec:
    """Finds a codec by its name on the wire.

    Raises:
        UnknownCodec: no such codec, or not with these parameters.
    """
    if name not in _CODECS:
        raise UnknownCodec(f"codec {name!r} is not one of {', '.join(_CODECS)}")
    try:
        return _CODECS[name](**(parameters or {}))
    except TypeError:
        raise UnknownCodec(f"codec {name!r} does not take {', '.join(map(repr, parameters or {}))}") from None
