"""A home in which nobody has lived: no keys of one's own, no choices remembered, no time zone."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def new_home() -> Iterator[Path]:
    """A temporary folder that is the home of this process, and of those it starts, until the end."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="flconsole-bench-") as folder:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            os.environ[name] = folder
        os.environ |= {"TZ": "UTC", "FLCONSOLE_OFFLINE": "1"}
        time.tzset()
        try:
            yield Path(folder)
        finally:
            os.environ.clear()
            os.environ.update(before)
            time.tzset()
