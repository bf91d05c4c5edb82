"""Buffers that lie in a file instead of in memory, for what is beyond the assembler's budget."""

import errno
import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import RunDirectoryError


def file_allocator(folder: Path, reserved_bytes: int = 0) -> Callable[[int], NDArray[np.uint8]]:
    """An allocator of writable buffers over temporary files in `folder`.

    A file has no name, so nothing is left behind however the process ends; its space is free again when the
    last view of the buffer is gone. The allocator raises RunDirectoryError where `folder` has no room.

    Args:
        folder: on the disk that is used.
        reserved_bytes: left free on that disk for what matters more.
    """

    def allocate(size: int) -> NDArray[np.uint8]:
        try:
            _require_free(folder, size + reserved_bytes)
            with tempfile.TemporaryFile(dir=folder) as file:
                _reserve(file.fileno(), size)
                # The mapping keeps the file alive after it is closed here.
                return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)
        except OSError as error:
            raise RunDirectoryError(f"{folder}: no room for {size} bytes: {error.strerror}") from None

    return allocate


def _require_free(folder: Path, num_bytes: int) -> None:
    if shutil.disk_usage(folder).free < num_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reserve(file: int, size: int) -> None:
    """Takes the space now: on a full disk, writing to a mapping would kill the process."""
    if sys.platform == "linux":
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
