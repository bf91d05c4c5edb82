"""What the producer, the consumer and the watch of one transport share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from engine.errors import ConfigError
from engine.transport.base import Place, TopicNames
from engine.transport.kafka_settings import KafkaProfile, Settings

_DISCARD_TIMEOUT_S = 1.0

_Client = TypeVar("_Client")

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


_REFUSING_WORDS = "security.protocol"
"""A plain connection to a TLS port only breaks; the library's own words tell why."""


@dataclass(frozen=True)
class ClientContext:
    """Which cluster, how it is used, and what its topics are called."""

    address: str
    """`HOST:PORT[,HOST:PORT]`, as the user gave it."""
    topics: TopicNames
    profile: KafkaProfile
    settings: Settings
    """Of every client of this transport, over those of the profile."""
    _places: dict[tuple[str, int], Place] = field(default_factory=dict, repr=False)

    def name(self, topic: str) -> str:
        """What the cluster calls a topic."""
        return self.topics.name(topic)

    def place(self, name: str, partition: int) -> Place:
        """The place of a partition that the cluster calls `name`."""
        place = self._places.get((name, partition))
        if place is None:
            place = self._places[name, partition] = Place(self.topics.topic(name), partition)
        return place

    def partition(self, place: Place, offset: int = 0) -> TopicPartition:
        return TopicPartition(self.name(place.topic), place.partition, offset)


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker is there and says no: waiting will not help."""
    return error.code() in _REFUSALS or _REFUSING_WORDS in error.str()


def new_client(kind: Callable[[dict[str, Any]], _Client], settings: dict[str, Any]) -> _Client:
    """Makes a client of the library.

    Raises:
        ConfigError: it does not know one of the settings.
    """
    try:
        return kind(settings)
    except KafkaException as error:
        raise ConfigError(f"Kafka client settings: {error.args[0].str()}") from None


def close_in_background(close: Callable[[], object]) -> None:
    """Closes a client that may hang while its broker is away; a thread left behind does no harm."""
    thread = threading.Thread(target=close, name="kafka-close", daemon=True)
    thread.start()
    thread.join(_DISCARD_TIMEOUT_S)
