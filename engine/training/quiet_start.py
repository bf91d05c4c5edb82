"""Loads TensorFlow without what its native code says about the processor and the drivers as it starts.

Most of that is written before any log level is looked at. What Python writes still comes through.
"""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator

_NATIVE_STDERR = 2


def load_tensorflow() -> None:
    """Imports TensorFlow and has it look for devices.

    Raises:
        ImportError: it cannot be loaded; what it said goes to standard error.
    """
    with native_output_held_back():
        importlib.import_module("tensorflow").config.list_physical_devices()


@contextlib.contextmanager
def native_output_held_back() -> Iterator[None]:
    """Keeps what native code writes on standard error, and shows it only if the block fails.

    Around whatever may import TensorFlow first, which reads its log level then.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    shown = os.dup(_NATIVE_STDERR)
    with (
        os.fdopen(shown, "w", encoding="utf-8", errors="replace", buffering=1) as shown_file,
        tempfile.TemporaryFile() as held,
        contextlib.redirect_stderr(shown_file),
    ):
        os.dup2(held.fileno(), _NATIVE_STDERR)
        try:
            yield
        except BaseException:  # raised again; what was held back says why
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, _NATIVE_STDERR)
