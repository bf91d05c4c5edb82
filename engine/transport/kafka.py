"""Kafka, real or embedded, as a `Transport`.

The modules named `kafka*` are the only ones that import `confluent_kafka`: the library's errors become ours
here. Its threads do not survive a fork: connect afterwards, in the process that uses the transport.
"""

import contextlib
import time
from collections.abc import Mapping

from engine.errors import BrokerReset, BrokerUnreachable
from engine.protocol import MAX_RECORD_BYTES
from engine.transport.base import OWN_NAMES, REPLACED, Delivery, Headers, Health, Place, Record, TopicNames
from engine.transport.kafka_client import ClientContext
from engine.transport.kafka_reader import KafkaReader
from engine.transport.kafka_settings import EMBEDDED, REAL, Settings
from engine.transport.kafka_topics import KafkaTopics
from engine.transport.kafka_watch import ClusterWatch
from engine.transport.kafka_writer import KafkaWriter

_SLICE_S = 0.05
"""The longest wait inside the library: so soon is a reset, a delivery or a signal noticed while waiting."""
_FLUSH_ON_CLOSE_S = 5.0


class KafkaTransport:
    """A producer, a consumer and a watch on one cluster. Belongs to one thread.

    Args:
        bootstrap_servers: `HOST:PORT[,HOST:PORT]`.
        embedded: whether this is the embedded broker, which needs settings and repairs of its own.
        topics: what the cluster calls the topics, so that runs can share it.
        client_name: what the broker's logs call us.
        connect_timeout_s: how long the broker may take to answer.
        settings: further settings of the client library (security), over ours.

    Raises:
        BrokerUnreachable: nothing answers within `connect_timeout_s`.
        BrokerRefused: it answers and says no.
        ConfigError: the library does not know one of the settings.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        embedded: bool,
        topics: TopicNames = OWN_NAMES,
        client_name: str = "flconsole",
        connect_timeout_s: float = 5.0,
        settings: Settings | None = None,
    ) -> None:
        profile = EMBEDDED if embedded else REAL
        ours: Settings = {"bootstrap.servers": bootstrap_servers, "client.id": client_name}
        self._context = ClientContext(
            bootstrap_servers, topics, profile, {**profile.common, **ours, **(settings or {})}
        )
        self._watch = ClusterWatch(self._context, timeout_s=connect_timeout_s)
        self._incarnation = self._watch.status.cluster_id
        self._retained: dict[Place, int] = {}
        self._topics = KafkaTopics(self._context, self._watch)
        self._writer = KafkaWriter(self._context, on_error=self._watch.note, on_end=self._note_end)
        self._reader = KafkaReader(self._context, on_error=self._watch.note, on_end=self._note_end)

    @property
    def incarnation(self) -> str:
        return self._incarnation

    def create_topics(self) -> None:
        self._topics.create()

    def wait_for_topics(self, timeout_s: float) -> bool:
        return self._topics.wait(timeout_s)

    def publish(
        self, place: Place, value: bytes, *, headers: Headers = (), key: bytes | None = None
    ) -> Delivery:
        if len(value) > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {len(value)} bytes; the most is {MAX_RECORD_BYTES}")
        while not self._is_replaced():
            delivery = self._writer.enqueue(place, value, headers, key)
            if delivery is not None:
                return delivery
            self._writer.serve(_SLICE_S)
        return Delivery(error=REPLACED)

    def flush(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        self._writer.serve(0)
        while not self._is_replaced():
            remaining = deadline - time.monotonic()
            if self._writer.is_idle or remaining <= 0:
                return self._writer.is_idle
            self._writer.serve(min(remaining, _SLICE_S))
        return False

    def assign(self, positions: Mapping[Place, int]) -> None:
        self._reader.assign(positions)

    def poll(self, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._raise_if_replaced()
            self._writer.serve(0)
            remaining = deadline - time.monotonic()
            records = self._reader.read(max(0.0, min(remaining, _SLICE_S)))
            if records or remaining <= 0:
                return records
            self._check_progress()

    def end_offsets(self, topic: str) -> dict[Place, int]:
        places = [Place(topic, number) for number in self._topics.partitions_of(topic)]
        return self._reader.ends_of(places)

    def health(self) -> Health:
        status = self._watch.status
        lost_for_s = None if status.lost_since is None else time.monotonic() - status.lost_since
        return Health(lost_for_s, status.reason, dict(self._retained))

    def close(self) -> None:
        self.flush(_FLUSH_ON_CLOSE_S)
        self._watch.stop()
        self._reader.close()
        self._writer.close()

    def _is_replaced(self) -> bool:
        return self._watch.status.cluster_id != self._incarnation

    def _raise_if_replaced(self) -> None:
        if not self._is_replaced():
            return
        self._incarnation = self._watch.status.cluster_id
        self._retained.clear()
        self._writer.rebuild(REPLACED)
        self._reader.rebuild({})
        raise BrokerReset(
            f"another, empty broker answers at {self._context.address}; what was stored or on its way is gone"
        )

    def _check_progress(self) -> None:
        if self._watch.status.lost_since is None:
            with contextlib.suppress(BrokerUnreachable):  # the watch tells, and waiting goes on
                self._reader.rebuild_if_stalled()

    def _note_end(self, place: Place, end: int) -> None:
        self._retained[place] = max(end, self._retained.get(place, 0))
