"""How an engine process starts and ends: it obeys signals at once and dies with its parent."""

import ctypes
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


class Terminated(BaseException):
    """A signal asked this process to end. Not an `Exception`: nothing that handles errors swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


def raise_on_signals() -> None:
    """Makes TERM, INT and HUP raise `Terminated` in the main thread, once; later ones are ignored."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, _raise_terminated)


def _raise_terminated(signum: int, _frame: FrameType | None) -> NoReturn:
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(other, _do_nothing)
    raise Terminated(signum)


def _do_nothing(_signum: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN: of a signal that has come by then, Python would print that it is ignored."""


def signal_name(number: int) -> str:
    """The name of a signal; a real-time signal has none in `signal.Signals`."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"SIG{number}"


def die_with_parent(parent: int) -> None:
    """Ends this process when the process `parent` is gone, however that one ended.

    On Linux the kernel sends KILL (it follows the parent's *thread*: fork from a main thread). Elsewhere
    a thread watches the parent's id.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), name="parent-watch", daemon=True).start()
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(128 + signal.SIGKILL)


def _watch_parent(parent: int) -> None:
    waiting = threading.Event()
    while os.getppid() == parent:
        waiting.wait(0.5)
    os._exit(128 + signal.SIGKILL)
