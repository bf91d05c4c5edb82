"""Unpickles plain containers and arrays of bytes, and nothing else.

CIFAR-10 is published as pickles. A pickle is a program: it can name any callable and have it called. Here
the three names that make up a numpy array resolve to stand-ins that check what they are given, so that not
even numpy's own unpickling (which hostile input brings down) is reached; every other name ends the reading.
"""

import io
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

MAX_FILE_BYTES = 64 * 2**20
"""Twice the size of a CIFAR-10 batch; a larger file is not one."""

_MALFORMED = (
    pickle.UnpicklingError,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    NotImplementedError,
)
"""What the unpickler raises when its input is not a pickle."""


class PickledArray:
    """What a pickled numpy array becomes."""

    def __init__(self) -> None:
        self.values: NDArray[np.uint8] = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        """Takes numpy's state of an array: version, shape, dtype, column-major or not, bytes."""
        _, shape, dtype, is_column_major, content = state
        if not isinstance(dtype, _PickledDtype) or dtype.name not in ("u1", b"u1") or is_column_major:
            raise pickle.UnpicklingError("it holds an array that is not of bytes in row-major order")
        if not isinstance(content, bytes) or not all(type(n) is int and n >= 0 for n in shape):
            raise pickle.UnpicklingError("it holds an array without shape or content")
        if math.prod(shape) != len(content):
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} and {len(content)} bytes")
        self.values = np.frombuffer(content, np.uint8).reshape(shape)


class _PickledDtype:
    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment, which one byte does not have."""


def _reconstruct(*_: Any) -> PickledArray:
    return PickledArray()


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
}


class _Unpickler(pickle._Unpickler):  # noqa: SLF001 - the C one fills memory when a large memo index is named
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, not allowed") from None

    def _refuse_bytearray(self) -> None:
        raise pickle.UnpicklingError("it holds a bytearray, which would be allocated before it is read")

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,  # noqa: SLF001 - see above
        pickle.BYTEARRAY8[0]: _refuse_bytearray,
    }


def load(path: Path) -> Any:
    """Reads one pickled object made of numbers, bytes, text, containers and arrays of bytes.

    Returns:
        The object; an array in it is a `PickledArray`.

    Raises:
        DataError: unreadable, too large, truncated, not a pickle, or it names anything else; with the path.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path}: larger than {MAX_FILE_BYTES} bytes, this is not a CIFAR-10 batch")
        content = io.BytesIO(path.read_bytes())  # no length that it announces can read more than there is
        return _Unpickler(content, encoding="bytes").load()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except _MALFORMED as error:
        raise DataError(f"{path}: not a readable pickle of arrays: {error}") from None
    except (MemoryError, OverflowError):
        raise DataError(f"{path}: announces more data than it can hold") from None
