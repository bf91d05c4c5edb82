"""What the producer, the consumer and the watch of one transport share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, TopicPartition

from engine.transport.base import Place
from engine.transport.kafka_settings import KafkaProfile, Settings

_DISCARD_TIMEOUT_S = 1.0

_REFUSALS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 (the library's public name for a local error)
        KafkaError._SSL,  # noqa: SLF001 (the same)
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


@dataclass(frozen=True)
class ClientContext:
    """Which cluster, how it is used, and what its topics are called."""

    address: str
    """`HOST:PORT[,HOST:PORT]`, as the user gave it."""
    topic_prefix: str
    profile: KafkaProfile
    settings: Settings
    """Of every client of this transport, over those of the profile."""
    _places: dict[tuple[str, int], Place] = field(default_factory=dict, repr=False)

    def name(self, topic: str) -> str:
        """What the cluster calls a topic."""
        return self.topic_prefix + topic

    def place(self, name: str, partition: int) -> Place:
        """The place of a partition that the cluster calls `name`."""
        place = self._places.get((name, partition))
        if place is None:
            place = self._places[name, partition] = Place(name.removeprefix(self.topic_prefix), partition)
        return place

    def partition(self, place: Place, offset: int = 0) -> TopicPartition:
        return TopicPartition(self.name(place.topic), place.partition, offset)


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker is there and says no: waiting will not help."""
    # A plain connection to a TLS port shows only as a lost connection; the library's own words tell.
    return error.code() in _REFUSALS or "security.protocol" in error.str()


def close_in_background(close: Callable[[], object]) -> None:
    """Closes a client that may hang while its broker is away; a thread left behind does no harm."""
    thread = threading.Thread(target=close, name="kafka-close", daemon=True)
    thread.start()
    thread.join(_DISCARD_TIMEOUT_S)
