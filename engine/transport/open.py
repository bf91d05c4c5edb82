"""The one place that chooses a transport."""

import threading

from engine.transport.base import OWN_NAMES, TopicNames, Transport
from engine.transport.kafka import KafkaTransport
from engine.transport.kafka_settings import Settings
from engine.transport.memory import MemoryBroker, MemoryTransport

MEMORY_SCHEME = "memory://"

_brokers: dict[str, MemoryBroker] = {}
_brokers_lock = threading.Lock()


def open_transport(
    address: str,
    *,
    embedded: bool = False,
    topics: TopicNames = OWN_NAMES,
    name: str = "flconsole",
    connect_timeout_s: float = 5.0,
    settings: Settings | None = None,
) -> Transport:
    """Connects to a broker. Call it after a fork, in the process that uses the transport.

    Args:
        address: `HOST:PORT[,HOST:PORT]` of a Kafka, or `memory://NAME` for a broker in this process.
        embedded: whether the Kafka is the embedded broker.
        topics: what the broker calls the topics, so that runs can share it.
        name: what the broker's logs call us.
        connect_timeout_s: how long a Kafka may take to answer.
        settings: further settings of the Kafka client library, such as its security.

    Raises:
        BrokerUnreachable: nothing answers in time; BrokerRefused: it answers and says no.
    """
    if address.startswith(MEMORY_SCHEME):
        return MemoryTransport(memory_broker(address), topics=topics)
    return KafkaTransport(
        address,
        embedded=embedded,
        topics=topics,
        client_name=name,
        connect_timeout_s=connect_timeout_s,
        settings=settings,
    )


def memory_broker(address: str) -> MemoryBroker:
    """The broker of this process with that address, made when it is first asked for."""
    with _brokers_lock:
        return _brokers.setdefault(address, MemoryBroker())
