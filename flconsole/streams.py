"""The standard streams as they are found: closed, or without room, or with nobody who reads."""

import contextlib
import os
import sys
from collections.abc import Iterator

from engine.errors import EngineError


def reopen_closed() -> None:
    """Gives each standard stream that is closed the null device.

    Otherwise the next file that is opened gets its number, and what any process prints lands in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.set_inheritable(number, True)
        setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


@contextlib.contextmanager
def writing_output() -> Iterator[None]:
    """Around all that goes to standard output, which is complete afterwards.

    Raises:
        EngineError: it cannot be written.
        BrokenPipeError: nobody reads it any more; that is no failure.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):  # or the interpreter tries once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise EngineError(f"standard output: {error.strerror}") from error
