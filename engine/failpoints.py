"""Named places where a test, or an operator rehearsing a failure, makes the process kill itself.

`FLCONSOLE_FAILPOINT=name[:round]` names the place and, if given, the round; `FLCONSOLE_FAILPOINT_ONCE=FILE`
makes it happen once, however often the process is restarted: the file is created at the first time.
Without the variable a failpoint costs one comparison.
"""

import os
import signal
from collections.abc import Callable

_WANTED = os.environ.get("FLCONSOLE_FAILPOINT", "")


def reach(name: str, round_number: int | None = None, *, first: Callable[[], object] | None = None) -> None:
    """Kills this process with SIGKILL if the environment asks for a death at this place.

    Args:
        name: the place.
        round_number: the round that is under way there.
        first: called just before the death, for example to get queued records out.
    """
    if not _WANTED or _WANTED not in (name, f"{name}:{round_number}"):
        return
    once = os.environ.get("FLCONSOLE_FAILPOINT_ONCE")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
    if first is not None:
        first()
    os.kill(os.getpid(), signal.SIGKILL)
