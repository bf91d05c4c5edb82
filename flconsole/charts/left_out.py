"""Imports a library without those of its parts that nobody here needs."""

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType


class _LeftOut(ModuleType):
    """Stands for a module; each name that is imported from it is None."""

    def __getattr__(self, name: str) -> None:
        return None


@contextlib.contextmanager
def left_out(*modules: str) -> Iterator[None]:
    """Within, an import of these modules costs nothing and brings nothing; those loaded before stay."""
    added = [name for name in modules if name not in sys.modules]
    sys.modules.update((name, _LeftOut(name)) for name in added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]
