"""Reading the newest record of a partition alone: it says where to go on, so nothing older is read."""

import time
from collections.abc import Callable

from engine.transport.base import Place, Record, Transport

_PATIENCE_S = 5.0


def read_last_record(
    transport: Transport, place: Place, end: int, *, clock: Callable[[], float] = time.monotonic
) -> Record | None:
    """The last record before the offset `end`. The transport reads nothing else afterwards.

    Args:
        transport: connected; what it was assigned is forgotten.
        place: the partition.
        end: the offset that its next record will get.
        clock: monotonic seconds.

    Returns:
        The record; None where there is none, or none comes within 5 s (retention has removed it).

    Raises:
        BrokerReset: another, empty broker is there.
    """
    if end == 0:
        return None
    transport.assign({place: end - 1})
    give_up_at = clock() + _PATIENCE_S
    while clock() < give_up_at:
        for record in transport.poll(0.1):
            return record
    return None
