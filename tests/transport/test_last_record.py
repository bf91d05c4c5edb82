"""The newest record of a partition, and nothing older."""

import pytest

from engine.transport.base import CONTROL, Place
from engine.transport.last_record import read_last_record
from engine.transport.memory import MemoryBroker, MemoryTransport

PLACE = Place(CONTROL)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def transport(broker: MemoryBroker) -> MemoryTransport:
    transport = MemoryTransport(broker)
    transport.create_topics()
    return transport


def test_the_last_record_is_read_and_no_other(transport: MemoryTransport) -> None:
    for value in (b"first", b"second", b"third"):
        transport.publish(PLACE, value)
    record = read_last_record(transport, PLACE, transport.end_offsets(CONTROL)[PLACE])

    assert record is not None
    assert (record.value, record.offset) == (b"third", 2)


def test_an_empty_partition_has_none(transport: MemoryTransport) -> None:
    assert read_last_record(transport, PLACE, 0) is None


def test_a_record_that_is_gone_is_not_waited_for_without_end(transport: MemoryTransport) -> None:
    moments = iter([0.0, 0.0, 6.0])

    assert read_last_record(transport, PLACE, 5, clock=lambda: next(moments)) is None
