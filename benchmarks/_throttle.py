"""Slows processes down for real: stops and continues them in turn."""

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

PERIOD_S = 0.2


class Throttle:
    """While it is entered, each process runs for its share of the time.

    Args:
        shares: pid -> share from 0 to 1.
    """

    def __init__(self, shares: Mapping[int, float]) -> None:
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._slow_down, args=item, daemon=True) for item in shares.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _slow_down(self, pid: int, share: float) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended: nothing left to slow down
            while not self._is_over.wait(share * PERIOD_S):
                os.kill(pid, signal.SIGSTOP)
                self._is_over.wait((1 - share) * PERIOD_S)
                os.kill(pid, signal.SIGCONT)
