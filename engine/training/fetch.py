"""Downloads CIFAR-10 through Keras into Keras' own cache, with progress on standard error."""

import contextlib
import os
import socket
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from engine.data import cifar10
from engine.errors import DataError
from engine.training.quiet_start import load_tensorflow

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
"""Of the archive, as `keras.datasets.cifar10` pins it."""
PROBE_S = 3.0
"""Longest that a machine without a network waits before it falls back."""


def fetch_cifar10() -> Path:
    """Downloads and unpacks CIFAR-10; returns the folder of its batches.

    Raises:
        DataError: `FLCONSOLE_OFFLINE` is set, the server does not answer, or the download fails.
    """
    if os.environ.get("FLCONSOLE_OFFLINE"):
        raise DataError("FLCONSOLE_OFFLINE forbids the download")
    _probe()
    print(f"downloading CIFAR-10 (170 MB) from {URL}", file=sys.stderr)  # noqa: T201 - narration for a person who waits
    load_tensorflow()
    import keras  # noqa: PLC0415 - loads TensorFlow, which only a download needs

    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress on standard output
            keras.utils.get_file(f"{cifar10.FOLDER}-target", URL, extract=True, file_hash=SHA256)
    except Exception as error:  # Keras raises a bare Exception here; it is reported, not hidden
        raise DataError(f"the download failed: {error}") from error
    folder = cifar10.find()
    if folder is None:
        raise DataError(f"the archive from {URL} holds no {cifar10.FOLDER}")
    return folder


def _probe() -> None:
    """Connects within `PROBE_S`; in a thread, as name resolution has no time limit of its own."""
    proxy = urllib.request.getproxies().get("https")
    address = urlsplit(proxy or URL)
    host, port = address.hostname or "", address.port or 443
    outcome: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=PROBE_S).close()
        except OSError as error:
            outcome.append(error.strerror or str(error))
        else:
            outcome.append("")

    thread = threading.Thread(target=connect, name="probe", daemon=True)
    thread.start()
    thread.join(PROBE_S)
    problem = outcome[0] if outcome else f"no answer within {PROBE_S:.0f} s"
    if problem:
        raise DataError(f"cannot be downloaded: {host}:{port}: {problem}")
