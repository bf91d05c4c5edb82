"""What every transport does, run on the twin in memory and on the embedded broker."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import BrokerReset, BrokerUnreachable
from engine.protocol import MAX_RECORD_BYTES
from engine.transport.base import (
    CONTROL,
    GLOBAL_MODEL,
    MODEL_UPDATES,
    PARTITIONS,
    TELEMETRY,
    Delivery,
    Place,
    Record,
    TopicNames,
    Transport,
)

Connect = Callable[..., Transport]
Read = Callable[[Transport, int], list[Record]]
PublishAll = Callable[[Transport, Place, list[bytes]], list[Delivery]]
WaitUntil = Callable[[Callable[[], bool]], None]

MODEL = Place(GLOBAL_MODEL)


@pytest.fixture
def transport(connect: Connect) -> Transport:
    """Connected, with the topics made."""
    transport = connect()
    transport.create_topics()
    assert transport.wait_for_topics(5)
    return transport


def values_of(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


# --- topics


def test_topics_exist_once_they_were_created(connect: Connect) -> None:
    server, client = connect(), connect()
    assert not client.wait_for_topics(0.1)
    server.create_topics()
    assert client.wait_for_topics(5)
    assert {topic: len(client.end_offsets(topic)) for topic in PARTITIONS} == PARTITIONS


def test_creating_topics_again_changes_nothing(transport: Transport, publish_all: PublishAll) -> None:
    publish_all(transport, MODEL, [b"kept"])
    transport.create_topics()
    assert transport.end_offsets(GLOBAL_MODEL) == {MODEL: 1}


def test_runs_with_another_prefix_do_not_meet(connect: Connect, read: Read, publish_all: PublishAll) -> None:
    one, two = connect(topics=TopicNames("one.")), connect(topics=TopicNames("two."))
    for transport in (one, two):
        transport.create_topics()
        assert transport.wait_for_topics(5)
        transport.assign({MODEL: 0})
    publish_all(one, MODEL, [b"of one"])
    publish_all(two, MODEL, [b"of two"])
    assert [(record.place, record.value) for record in read(one, 1)] == [(MODEL, b"of one")]
    assert [(record.place, record.value) for record in read(two, 1)] == [(MODEL, b"of two")]


def test_topics_can_have_names_of_their_own(connect: Connect, read: Read, publish_all: PublishAll) -> None:
    names = TopicNames("team.", {GLOBAL_MODEL: "model_of_the_ward", MODEL_UPDATES: "deltas"})
    named, plain = connect(topics=names), connect(topics=TopicNames("team."))
    for transport in (named, plain):
        transport.create_topics()
        assert transport.wait_for_topics(5)
        transport.assign({MODEL: 0, Place(CONTROL): 0})
    publish_all(named, MODEL, [b"a model"])
    publish_all(plain, Place(CONTROL), [b"for both"])
    assert [(record.place, record.value) for record in read(plain, 1)] == [(Place(CONTROL), b"for both")]
    assert {(record.place, record.value) for record in read(named, 2)} == {
        (MODEL, b"a model"),
        (Place(CONTROL), b"for both"),
    }


def test_a_record_for_a_topic_that_does_not_exist_yet_waits_for_it(connect: Connect) -> None:
    transport = connect()
    delivery = transport.publish(MODEL, b"too early")
    assert not transport.flush(0.2)
    assert not delivery.done
    transport.create_topics()
    assert transport.flush(15)
    assert delivery.offset == 0


# --- writing and reading


def test_records_come_in_order_and_once(
    connect: Connect, transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    values = [b"%d" % number for number in range(500)]
    reader = connect()
    reader.assign({MODEL: 0})
    publish_all(transport, MODEL, values)
    records = read(reader, 500)
    assert values_of(records) == values
    assert [record.offset for record in records] == list(range(500))
    assert reader.poll(0.2) == []


def test_a_delivery_gets_the_offset_of_its_record(transport: Transport, publish_all: PublishAll) -> None:
    deliveries = publish_all(transport, MODEL, [b"a", b"b", b"c"])
    assert [(delivery.offset, delivery.error) for delivery in deliveries] == [(0, None), (1, None), (2, None)]


def test_reading_starts_at_the_assigned_offset(
    transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    publish_all(transport, MODEL, [b"0", b"1", b"2", b"3"])
    transport.assign({MODEL: 2})
    assert values_of(read(transport, 2)) == [b"2", b"3"]


def test_assigning_again_reads_again_and_nothing_else(
    transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    control = Place(CONTROL)
    publish_all(transport, MODEL, [b"model"] * 3)
    publish_all(transport, control, [b"0", b"1"])
    transport.assign({MODEL: 0, control: 0})
    read(transport, 5)
    transport.assign({control: 1})
    publish_all(transport, MODEL, [b"not read"])
    assert values_of(read(transport, 1)) == [b"1"]
    assert transport.poll(0.2) == []


def test_nothing_comes_where_nothing_is_assigned(transport: Transport, publish_all: PublishAll) -> None:
    publish_all(transport, MODEL, [b"unread"])
    assert transport.poll(0.2) == []


def test_partitions_are_read_apart_and_each_in_order(
    transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    places = [Place(MODEL_UPDATES, number) for number in range(3)]
    for number in range(30):
        publish_all(transport, places[number % 3], [b"%d" % number])
    transport.assign(dict.fromkeys(places, 0))
    records = read(transport, 30)
    for number, place in enumerate(places):
        of_place = [record.value for record in records if record.place == place]
        assert of_place == [b"%d" % value for value in range(number, 30, 3)]


def test_the_end_is_the_offset_of_the_next_record(transport: Transport, publish_all: PublishAll) -> None:
    place = Place(TELEMETRY, 1)
    assert transport.end_offsets(TELEMETRY)[place] == 0
    for count in range(1, 40):
        publish_all(transport, place, [b"x"] * count)
        end = transport.end_offsets(TELEMETRY)[place]
        assert publish_all(transport, place, [b"next"])[0].offset == end


def test_the_largest_records_arrive_intact_with_binary_headers(
    transport: Transport, connect: Connect, read: Read
) -> None:
    values = [hashlib.shake_128(b"%d" % seed).digest(MAX_RECORD_BYTES) for seed in range(20)]
    reader = connect()
    reader.assign({MODEL: 0})
    for number, value in enumerate(values):
        transport.publish(
            MODEL, value, headers=[("digest", hashlib.sha256(value).digest()), ("seq", b"%d" % number)]
        )
    assert transport.flush(15)
    for number, record in enumerate(read(reader, 20)):
        assert record.value == values[number]
        assert record.headers == {"digest": hashlib.sha256(record.value).digest(), "seq": b"%d" % number}


def test_empty_values_and_headers_are_records_too(transport: Transport, read: Read) -> None:
    transport.publish(MODEL, b"", headers=[("empty", b"")], key=b"key")
    transport.flush(5)
    transport.assign({MODEL: 0})
    assert read(transport, 1) == [Record(MODEL, 0, b"", {"empty": b""})]


def test_a_record_that_no_kafka_would_take_is_refused_at_once(transport: Transport) -> None:
    with pytest.raises(ValueError, match="900001 bytes"):
        transport.publish(MODEL, bytes(MAX_RECORD_BYTES + 1))


def test_poll_returns_as_soon_as_there_is_something(transport: Transport, publish_all: PublishAll) -> None:
    publish_all(transport, MODEL, [b"here"])
    transport.assign({MODEL: 0})
    assert values_of(transport.poll(60)) == [b"here"]


def test_health_knows_how_much_the_broker_holds(
    transport: Transport, connect: Connect, read: Read, publish_all: PublishAll
) -> None:
    publish_all(transport, MODEL, [b"x"] * 7)
    reader = connect()
    reader.assign({MODEL: 0})
    read(reader, 7)
    for one in (transport, reader):
        assert one.health().retained[MODEL] == 7
        assert one.health().lost_for_s is None


# --- a broker that goes away


def test_a_broker_that_went_away_and_came_back_empty_is_noticed_once(
    broker: Any, transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    publish_all(transport, MODEL, [b"lost"] * 5)
    transport.assign({MODEL: 0})
    read(transport, 5)
    before = transport.incarnation
    broker.stop()
    broker.start()
    with pytest.raises(BrokerReset):
        transport.poll(15)
    assert transport.incarnation != before
    assert transport.poll(1.5) == []


def test_only_reading_raises_a_reset_and_what_was_being_written_becomes_an_error(
    broker: Any, transport: Transport, wait_until: WaitUntil
) -> None:
    transport.publish(MODEL, b"first")
    assert transport.flush(5)
    broker.stop()
    delivery = transport.publish(MODEL, b"on its way")
    assert not transport.flush(0.1)
    broker.start()
    wait_until(lambda: transport.publish(MODEL, b"to whom?").error is not None)
    assert not transport.flush(15)
    with pytest.raises(BrokerReset):
        transport.poll(15)
    assert delivery.error is not None


def test_after_a_reset_everything_works_again(
    broker: Any, connect: Connect, transport: Transport, read: Read, publish_all: PublishAll
) -> None:
    reader = connect()
    reader.assign({MODEL: 0})
    for incarnation in range(3):
        values = [b"%d of %d" % (number, incarnation) for number in range(20)]
        deliveries = publish_all(transport, MODEL, values)
        assert [delivery.offset for delivery in deliveries] == list(range(20))
        assert values_of(read(reader, 20)) == values
        broker.stop()
        broker.start()
        for one in (transport, reader):
            with pytest.raises(BrokerReset):
                one.poll(15)
        transport.create_topics()
        assert reader.wait_for_topics(5)
        reader.assign({MODEL: 0})


def test_a_lost_broker_shows_in_the_health_and_so_does_its_return(
    broker: Any, transport: Transport, wait_until: WaitUntil
) -> None:
    broker.stop()
    wait_until(lambda: transport.health().lost_for_s is not None)
    assert transport.health().reason
    assert transport.poll(0.1) == []
    with pytest.raises(BrokerUnreachable):
        transport.end_offsets(GLOBAL_MODEL)
    assert not transport.wait_for_topics(0.1)
    broker.start()
    wait_until(lambda: transport.health().lost_for_s is None)


def test_nothing_connects_to_a_broker_that_is_not_there(broker: Any) -> None:
    broker.stop()
    with pytest.raises(BrokerUnreachable):
        broker.connect()


def test_closing_sends_what_is_queued(connect: Connect, broker: Any, transport: Transport) -> None:
    writer = broker.connect()
    for _ in range(50):
        writer.publish(MODEL, b"x" * 1000)
    writer.close()
    assert transport.end_offsets(GLOBAL_MODEL) == {MODEL: 50}


def test_closing_does_not_wait_for_a_broker_that_is_gone(broker: Any) -> None:
    transport = broker.connect()
    broker.stop()
    transport.assign({MODEL: 0})
    transport.close()
