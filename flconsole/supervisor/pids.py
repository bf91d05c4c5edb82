"""Processes by number, told apart from later ones that were given the same number."""

import os

import psutil

_CLOCK_JITTER_S = 2.0
"""The system derives the time of a start from a boot time in whole seconds, which moves with the clock."""


def create_time(pid: int) -> float | None:
    """When a process was started, in seconds since the epoch; None if it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int, created: float | None) -> bool:
    """Whether the process of that number is the one that was started at `created`, and no zombie of it."""
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE  # some init processes of containers reap nobody
    except psutil.NoSuchProcess:
        return False
    return not is_zombie and created is not None and abs(process.create_time() - created) <= _CLOCK_JITTER_S


def kill_sessions(sessions: dict[int, float]) -> int:
    """Sends KILL to what is left of the given sessions.

    Args:
        sessions: session id to the time its leader was started; whoever is older is not of this session.

    Returns:
        How many processes were still alive.
    """
    alive = 0
    for process in psutil.process_iter():
        try:
            since = sessions.get(os.getsid(process.pid))
            if (
                since is None
                or process.create_time() < since - _CLOCK_JITTER_S
                or process.status() == psutil.STATUS_ZOMBIE
            ):
                continue
            process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
        alive += 1
    return alive
