"""The plain functions, on a broker in this process and on the embedded one."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from engine.errors import BrokerRefused
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES
from engine.transport.functions import (
    close_kafka_resources,
    create_consumer,
    create_producer,
    receive_messages,
    send_message,
)
from engine.transport.open import memory_broker, open_transport


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.broker)])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """Where the broker is, and whether it is the embedded one."""
    if request.param == "memory":
        yield f"memory://{uuid.uuid4().hex}", False
    else:
        yield request.getfixturevalue("embedded").address, True


def test_what_is_sent_is_received_from_the_beginning_and_from_all_partitions(address: Any) -> None:
    servers, embedded = address
    producer = create_producer(servers, embedded=embedded)
    producer.create_topics()
    assert producer.wait_for_topics(5)
    for number in range(9):
        send_message(
            producer, MODEL_UPDATES, b"%d" % number, partition=number % 3, headers=[("n", b"%d" % number)]
        )
    assert producer.flush(5)

    consumer = create_consumer(servers, "a-reader", [MODEL_UPDATES, GLOBAL_MODEL], embedded=embedded)
    received = []
    while len(received) < 9:
        batch = receive_messages(consumer, timeout_ms=5_000, max_messages=2)
        assert 1 <= len(batch) <= 2
        received += batch
    assert sorted(record.value for record in received) == [b"%d" % number for number in range(9)]
    assert all(record.headers["n"] == record.value for record in received)
    assert receive_messages(consumer, timeout_ms=10, max_messages=2) == []
    close_kafka_resources(consumer, producer)


def test_a_topic_that_does_not_exist_cannot_be_consumed(address: Any) -> None:
    servers, embedded = address
    with pytest.raises(BrokerRefused, match="no topic 'global_model'"):
        create_consumer(servers, "a-reader", [GLOBAL_MODEL], embedded=embedded)


def test_one_memory_address_is_one_broker() -> None:
    name = f"memory://{uuid.uuid4().hex}"
    assert open_transport(name).incarnation == memory_broker(name).incarnation
    assert memory_broker(name) is not memory_broker(f"memory://{uuid.uuid4().hex}")
