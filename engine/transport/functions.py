"""The plain functions over a transport, for a script or a notebook that moves records itself."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.errors import BrokerRefused
from engine.transport.base import Delivery, Headers, Place, Record, Transport
from engine.transport.open import open_transport


@dataclass(frozen=True)
class TopicConsumer:
    """Reads all partitions of some topics, from their beginning."""

    transport: Transport
    fetched: deque[Record] = field(default_factory=deque, repr=False)
    """Records that came and were not asked for yet."""

    def close(self) -> None:
        self.transport.close()


def create_producer(bootstrap_servers: str, *, embedded: bool = False, name: str = "producer") -> Transport:
    """Connects to a broker in order to write.

    Raises:
        BrokerUnreachable: nothing answers within 5 s; BrokerRefused: it answers and says no.
    """
    return open_transport(bootstrap_servers, embedded=embedded, name=name)


def create_consumer(
    bootstrap_servers: str, group_id: str, topics: Iterable[str], *, embedded: bool = False
) -> TopicConsumer:
    """Connects to a broker and reads all partitions of `topics` from their beginning.

    Args:
        bootstrap_servers: `HOST:PORT[,HOST:PORT]`, or `memory://NAME`.
        group_id: what the broker's logs call this consumer. There is no balancing: each one reads everything.
        topics: must exist.
        embedded: whether the broker is the embedded one.

    Raises:
        BrokerUnreachable: nothing answers within 5 s.
        BrokerRefused: the broker answers and says no, or a topic is missing.
    """
    transport = open_transport(bootstrap_servers, embedded=embedded, name=group_id)
    places = {topic: transport.end_offsets(topic) for topic in topics}
    missing = [topic for topic, ends in places.items() if not ends]
    if missing:
        transport.close()
        raise BrokerRefused(
            f"no topic {missing[0]!r} at {bootstrap_servers}; the server creates the topics, start it first"
        )
    transport.assign({place: 0 for ends in places.values() for place in ends})
    return TopicConsumer(transport)


def send_message(
    producer: Transport,
    topic: str,
    value: bytes,
    *,
    partition: int = 0,
    headers: Headers = (),
    key: bytes | None = None,
) -> Delivery:
    """Queues one record; `producer.flush` waits until it has arrived."""
    return producer.publish(Place(topic, partition), value, headers=headers, key=key)


def receive_messages(consumer: TopicConsumer, timeout_ms: int, max_messages: int) -> list[Record]:
    """Up to `max_messages` records, at once if there are any, else after at most `timeout_ms`.

    Raises:
        BrokerReset: another, empty broker is there.
    """
    if not consumer.fetched:
        consumer.fetched.extend(consumer.transport.poll(timeout_ms / 1000))
    return [consumer.fetched.popleft() for _ in range(min(max_messages, len(consumer.fetched)))]


def close_kafka_resources(*resources: Transport | TopicConsumer) -> None:
    """Sends what is queued, within 5 s each, and lets go of the broker."""
    for resource in resources:
        resource.close()
