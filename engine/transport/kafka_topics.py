"""The topics of a federation on a Kafka cluster."""

import contextlib
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from engine.errors import BrokerRefused, BrokerUnreachable
from engine.transport.base import CONTROL, PARTITIONS
from engine.transport.kafka_client import ClientContext, is_refusal
from engine.transport.kafka_settings import topic_settings
from engine.transport.kafka_watch import ClusterWatch

_ASK_INTERVAL_S = 0.05


class KafkaTopics:
    """Creates topics and knows which are there."""

    def __init__(self, context: ClientContext, watch: ClusterWatch) -> None:
        self._context = context
        self._watch = watch

    def create(self) -> None:
        """Creates the topics that are missing.

        Raises:
            BrokerRefused: not allowed; BrokerUnreachable: nobody answers.
        """
        missing = [topic for topic in PARTITIONS if not self.partitions_of(topic)]
        if not missing:
            return
        brokers = len(self._watch.ask(self._context.name(CONTROL)).brokers)
        topics = [self._new_topic(topic, brokers) for topic in missing]
        timeout_s = self._context.profile.ask_timeout_s
        for name, created in self._watch.admin.create_topics(topics, request_timeout=timeout_s).items():
            try:
                created.result()
            except KafkaException as error:
                self._judge(name, error.args[0])

    def wait(self, timeout_s: float) -> bool:
        """Waits until all topics exist; False if they do not within `timeout_s`.

        Raises:
            BrokerRefused: one may not be seen, or has too few partitions.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(BrokerUnreachable):
                if all(self.partitions_of(topic, min(1.0, timeout_s)) for topic in PARTITIONS):
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_ASK_INTERVAL_S)

    def partitions_of(self, topic: str, timeout_s: float | None = None) -> list[int]:
        """The partitions of a topic; none where it does not exist.

        Raises:
            BrokerRefused: it may not be seen, or has too few; BrokerUnreachable: nobody answers.
        """
        name, address = self._context.name(topic), self._context.address
        described = self._watch.ask(name, timeout_s).topics[name]
        if described.error is not None and is_refusal(described.error):
            raise BrokerRefused(f"the broker at {address} refuses topic {name!r}: {described.error.str()}")
        found, needed = len(described.partitions), PARTITIONS.get(topic, 1)
        if 0 < found < needed:
            raise BrokerRefused(
                f"topic {name!r} at {address} has {found} partitions and needs {needed}; "
                "remove it or use another topic_prefix"
            )
        return sorted(described.partitions)

    def _new_topic(self, topic: str, brokers: int) -> NewTopic:
        name, partitions = self._context.name(topic), PARTITIONS[topic]
        if not self._context.profile.configures_topics:
            return NewTopic(name, partitions, 1)
        replicas, config = topic_settings(topic, brokers=brokers)
        return NewTopic(name, partitions, replicas, config=config)

    def _judge(self, name: str, error: KafkaError) -> None:
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if error.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT):  # noqa: SLF001 (public names)
            raise BrokerUnreachable(f"no answer from the broker at {self._context.address}: {error.str()}")
        raise BrokerRefused(
            f"the broker at {self._context.address} does not create topic {name!r}: {error.str()}; "
            "the server's user needs the right to create topics, or create them beforehand"
        )
