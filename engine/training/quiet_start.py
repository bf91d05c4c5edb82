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
    """Imports TensorFlow and has it look for devices; does nothing where it is loaded.

    Raises:
        ImportError: it cannot be loaded; what it said goes to standard error.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _held_back_native_output():
        importlib.import_module("tensorflow").config.list_physical_devices()


@contextlib.contextmanager
def _held_back_native_output() -> Iterator[None]:
    """Keeps what reaches the descriptor of standard error, and shows it only if the block fails."""
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
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, _NATIVE_STDERR)
