"""When the embedded broker has grown too large: it never forgets, and many records make it slow."""

import os

from engine.transport.base import Health

MOST_RECORDS = 3_000
"""Records in one partition after which each fetch takes noticeably longer (ADR 0003)."""
MEMORY_SHARE = 0.15
"""Share of this machine's memory."""


def why_recycle(health: Health, stored_bytes: int) -> str:
    """The reason to ask for a fresh broker; empty where there is none.

    Args:
        health: the transport's, with the next offset of each partition.
        stored_bytes: models and updates that the broker keeps.
    """
    for place, records in health.retained.items():
        if records >= MOST_RECORDS:
            return f"{records} records in {place.topic}-{place.partition}"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if stored_bytes > MEMORY_SHARE * memory:
        return f"{stored_bytes / 1e9:.1f} GB stored, more than {MEMORY_SHARE:.0%} of memory"
    return ""
