"""Unpickles plain containers and numpy arrays, and nothing else.

CIFAR-10 is published as pickles. A pickle is a program: it can name any callable and have it called. Here
only the three names that rebuild a numpy array resolve; every other one ends the reading.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct  # numpy's own name for it in pickles

from engine.errors import DataError

MAX_FILE_BYTES = 64 * 2**20
"""Twice the size of a CIFAR-10 batch; a larger file is not one."""

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Unpickler(pickle.Unpickler):  # the restriction is find_class below
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it names {module_name}.{global_name}, which is not allowed"
            ) from None


def load(path: Path) -> Any:
    """Reads one pickled object made of numbers, bytes, text, lists, dicts and numpy arrays.

    Raises:
        DataError: unreadable, too large, truncated, not a pickle, or it names anything else; with the path.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path}: larger than {MAX_FILE_BYTES} bytes, this is not a CIFAR-10 batch")
        with path.open("rb") as file:
            return _Unpickler(file, encoding="bytes").load()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
    ) as error:
        raise DataError(f"{path}: not a readable pickle of arrays: {error}") from None
    except (MemoryError, OverflowError):
        raise DataError(f"{path}: announces more data than it can hold") from None
