"""Work that blocks, out of the way of the screen."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """Waits for a function that blocks, without blocking the event loop.

    Its thread is a daemon, which an executor's is not: whatever hangs, the console ends when told.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # whoever waits may give up; the work goes on to its end

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=run, name="request", daemon=True).start()
    return await asyncio.wrap_future(outcome)
