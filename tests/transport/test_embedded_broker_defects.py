"""What the embedded broker gets wrong, shown without the work-around, and that the work-around holds."""

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from engine.errors import BrokerReset
from engine.transport import kafka
from engine.transport.base import CONTROL, GLOBAL_MODEL, Place, Record, Transport
from engine.transport.kafka import KafkaTransport
from engine.transport.kafka_settings import EMBEDDED
from engine.transport.offsets import OffsetTracker, Verdict

pytestmark = pytest.mark.broker

Read = Callable[[Transport, int], list[Record]]
WaitUntil = Callable[[Callable[[], bool]], None]

MODEL = Place(GLOBAL_MODEL)
SILENCE_S = 2.0
"""How long we look at something that does not happen; with the work-around it happens within 0.2 s."""


@pytest.fixture
def server(embedded: Any) -> Iterator[KafkaTransport]:
    """Connected, with the topics made."""
    transport = embedded.connect()
    transport.create_topics()
    assert transport.wait_for_topics(5)
    yield transport
    transport.close()


def plain_producer(address: str, **settings: Any) -> Producer:
    """The library's producer with our settings, except for those given."""
    return Producer({**EMBEDDED.common, **EMBEDDED.producer, "bootstrap.servers": address, **settings})


def plain_consumer(address: str, place: Place, offset: int) -> Consumer:
    """The library's consumer with our settings and none of our repairs."""
    settings = {**EMBEDDED.common, **EMBEDDED.consumer, "bootstrap.servers": address, "group.id": "plain"}
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(place.topic, place.partition, offset)])
    return consumer


def offsets_within(consumer: Consumer, seconds: float) -> list[int]:
    """The offsets of what comes within some time."""
    offsets = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            offsets.append(message.offset())
    return offsets


def arrives(producer: Producer, topic: str, within_s: float) -> bool:
    """Whether the broker acknowledges a record in time."""
    outcomes: list[Any] = []
    producer.produce(topic, b"x", partition=0, on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(within_s)
    return outcomes == [None]


# --- an acknowledged record is skipped


def test_a_record_that_the_broker_announced_too_early_is_not_skipped(
    embedded: Any, server: KafkaTransport, read: Read
) -> None:
    """A large record is announced before it is stored; a small one overtakes it, and readers jump."""
    stop, skipping = threading.Event(), plain_consumer(embedded.address, MODEL, 0)
    repairing = embedded.connect()
    repairing.assign({MODEL: 0})
    threads = [
        threading.Thread(target=publish_large_records, args=(embedded.address, stop)),
        threading.Thread(target=publish_small_records, args=(server, stop)),
    ]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    repaired: list[Record] = []
    deadline = time.monotonic() + 20
    while seen == list(range(len(seen))) and time.monotonic() < deadline:
        seen += offsets_within(skipping, 0.1)
        repaired += repairing.poll(0)
    stop.set()
    for thread in threads:
        thread.join()
    end = server.end_offsets(GLOBAL_MODEL)[MODEL]
    repaired += read(repairing, end - len(repaired))

    assert seen != list(range(len(seen))), "without the repair, a record is skipped"
    assert [record.offset for record in repaired] == list(range(end))
    skipping.close()
    repairing.close()


def publish_large_records(address: str, stop: threading.Event) -> None:
    producer = plain_producer(address, **{"message.max.bytes": 50_000_000})
    while not stop.is_set():
        producer.produce(GLOBAL_MODEL, bytes(20_000_000), partition=0)
        producer.flush(10)


def publish_small_records(transport: Transport, stop: threading.Event) -> None:
    while not stop.is_set():
        transport.publish(MODEL, b"small")
        transport.flush(0.002)
    assert transport.flush(10)


@pytest.mark.parametrize("hole", [1, 5])
def test_a_hole_is_read_again_until_it_is_filled(hole: int) -> None:
    tracker = OffsetTracker({MODEL: 0}, patience_s=5)
    assert tracker.judge(MODEL, 0, now=0) is Verdict.TAKE
    assert tracker.judge(MODEL, 1 + hole, now=0) is Verdict.REREAD
    assert tracker.judge(MODEL, 2 + hole, now=0.1) is Verdict.REREAD
    taken = [tracker.judge(MODEL, offset, now=0.2) for offset in range(1, 3 + hole)]
    assert taken == [Verdict.TAKE] * (2 + hole)
    assert tracker.next_offsets == {MODEL: 3 + hole}


def test_a_hole_that_stays_is_a_real_one() -> None:
    """A record whose sender died while the broker was storing it never comes."""
    tracker = OffsetTracker({MODEL: 7}, patience_s=5)
    assert tracker.judge(MODEL, 9, now=100) is Verdict.REREAD
    assert tracker.judge(MODEL, 9, now=104.9) is Verdict.REREAD
    assert tracker.judge(MODEL, 9, now=105) is Verdict.TAKE
    assert tracker.judge(MODEL, 11, now=105) is Verdict.REREAD, "the next hole gets the same patience"


def test_a_record_is_taken_once_and_only_where_it_was_asked_for() -> None:
    tracker = OffsetTracker({MODEL: 3}, patience_s=5)
    assert tracker.judge(MODEL, 2, now=0) is Verdict.DROP
    assert tracker.judge(MODEL, 3, now=0) is Verdict.TAKE
    assert tracker.judge(MODEL, 3, now=0) is Verdict.DROP
    assert tracker.judge(Place(CONTROL), 4, now=0) is Verdict.DROP


# --- a reader stands still


def test_a_reader_that_stands_still_starts_again_more_patiently(
    embedded: Any,
    server: KafkaTransport,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each fetch lists the whole partition; if that takes longer than it may wait, nothing ever comes."""
    count = 5_000
    for _ in range(count):
        server.publish(MODEL, b"x")
    assert server.flush(15)

    impatient = {**EMBEDDED.consumer, "fetch.wait.max.ms": 1}
    still = connect_with(embedded, monkeypatch, consumer=impatient, stall_s=math.inf)
    watched = connect_with(embedded, monkeypatch, consumer=impatient, stall_s=0.5)
    still.assign({MODEL: count - 1})
    assert still.poll(SILENCE_S) == []
    watched.assign({MODEL: count - 1})
    with caplog.at_level(logging.WARNING):
        assert [record.offset for record in read(watched, 1)] == [count - 1]
    assert "reading stood still" in caplog.text
    still.close()
    watched.close()


def connect_with(embedded: Any, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> KafkaTransport:
    """A transport whose profile of the embedded broker differs."""
    monkeypatch.setattr(kafka, "EMBEDDED", dataclasses.replace(EMBEDDED, **changes))
    transport: KafkaTransport = embedded.connect()
    return transport


# --- after a restart


def test_an_idempotent_producer_never_recovers_from_a_restart(embedded: Any, server: KafkaTransport) -> None:
    ours = plain_producer(embedded.address)
    idempotent = plain_producer(embedded.address, **{"enable.idempotence": True})
    assert arrives(ours, GLOBAL_MODEL, 5)
    assert arrives(idempotent, GLOBAL_MODEL, 5)
    restart(embedded, server)
    assert arrives(ours, GLOBAL_MODEL, 5)
    assert not arrives(idempotent, GLOBAL_MODEL, SILENCE_S)
    idempotent.purge()


def test_a_position_beyond_the_new_end_is_given_up(embedded: Any, server: KafkaTransport, read: Read) -> None:
    """The broker answers a fetch beyond the end with silence, and what lies below is never read."""
    for _ in range(100):
        server.publish(MODEL, b"old")
    assert server.flush(5)
    hanging, repairing = plain_consumer(embedded.address, MODEL, 0), embedded.connect()
    repairing.assign({MODEL: 0})
    assert len(offsets_within(hanging, 0.5)) == 100
    read(repairing, 100)

    restart(embedded, server)
    for _ in range(20):
        server.publish(MODEL, b"new")
    assert server.flush(5)
    assert offsets_within(hanging, SILENCE_S) == []
    with pytest.raises(BrokerReset):
        repairing.poll(5)
    repairing.assign({MODEL: 0})
    assert [record.value for record in read(repairing, 20)] == [b"new"] * 20
    hanging.close()
    repairing.close()


def restart(embedded: Any, server: KafkaTransport) -> None:
    """Kills the broker and starts another; the server makes the topics again."""
    embedded.stop()
    embedded.start()
    with pytest.raises(BrokerReset):
        server.poll(15)
    server.create_topics()
    assert server.wait_for_topics(5)


# --- topics


def test_a_topic_is_never_created_by_writing_to_it(embedded: Any) -> None:
    """The broker would give it four partitions."""
    ours = plain_producer(embedded.address)
    careless = plain_producer(embedded.address, **{"allow.auto.create.topics": True})
    assert not arrives(ours, "by_us", 1)
    assert arrives(careless, "by_default", 5)
    topics = AdminClient({"bootstrap.servers": embedded.address}).list_topics(timeout=5).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {"by_default": 4}
    ours.purge()


def test_the_end_is_right_because_each_record_is_a_batch(embedded: Any, server: KafkaTransport) -> None:
    """The broker takes the first offset of the last batch for the last one."""
    batching = {"batch.num.messages": 10, "linger.ms": 200}
    for settings, topic in ((batching, CONTROL), ({}, GLOBAL_MODEL)):
        producer = plain_producer(embedded.address, **settings)
        for _ in range(10):
            producer.produce(topic, b"x", partition=0)
        producer.flush(5)
    assert server._reader._reported_end(Place(CONTROL)) == 1
    assert server._reader._reported_end(MODEL) == 10


def test_the_end_is_right_although_a_record_overtook_another(embedded: Any, server: KafkaTransport) -> None:
    """The broker names the offset after the batch it stored last, not after the highest."""
    large = plain_producer(embedded.address)
    reported = true_end = 0
    deadline = time.monotonic() + 20
    while reported == true_end and time.monotonic() < deadline:
        true_end = publish_beside_a_large_record(server, large)
        reported = server._reader._reported_end(MODEL)
        assert server.end_offsets(GLOBAL_MODEL) == {MODEL: true_end}
    assert reported < true_end, "what the broker reports is too low"


def publish_beside_a_large_record(transport: Transport, large: Producer) -> int:
    """Writes from two producers at once; returns the end."""
    offsets: list[int] = []
    large.produce(
        GLOBAL_MODEL,
        bytes(900_000),
        partition=0,
        on_delivery=lambda _, message: offsets.append(message.offset()),
    )
    while not offsets:
        delivery = transport.publish(MODEL, b"small")
        assert transport.flush(10)
        large.poll(0)
    assert delivery.offset is not None
    return max(delivery.offset, *offsets) + 1


def test_no_topic_can_be_deleted() -> None:
    """A consumer with a fetch on a topic that is deleted dies of a segmentation fault."""
    assert [name for name in dir(KafkaTransport) if "delete" in name] == []
