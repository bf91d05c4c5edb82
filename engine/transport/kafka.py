"""Kafka, real or embedded, as a `Transport`.

The one importer of `confluent_kafka`, with `kafka_watch`: the library's errors become ours here. Its threads
do not survive a fork: connect afterwards, in the process that uses the transport.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from engine.errors import BrokerRefused, BrokerReset, BrokerUnreachable
from engine.transport.base import (
    CONTROL,
    MAX_RECORD_BYTES,
    PARTITIONS,
    Delivery,
    Headers,
    Health,
    Place,
    Record,
)
from engine.transport.kafka_settings import EMBEDDED, REAL, Settings, topic_settings
from engine.transport.kafka_watch import BrokerWatch, is_refusal
from engine.transport.offsets import OffsetTracker, Verdict

log = logging.getLogger("engine.transport")

_SLICE_S = 0.05
"""The longest wait inside the library: so soon is a reset, or a delivery, noticed while waiting."""
_ASK_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 5.0
_DISCARD_TIMEOUT_S = 1.0
_STALL_S = 5.0
"""Silence after which a reader that is behind the broker counts as stalled."""
_MAX_FETCH_WAIT_MS = 1_000
_POLL_RECORDS = 1_000
_POLL_BYTES = 32 * 1024 * 1024
_TOPICS_INTERVAL_S = 0.05


class KafkaTransport:
    """A producer, a consumer and a watch on one cluster. Belongs to one thread.

    Args:
        bootstrap_servers: `HOST:PORT[,HOST:PORT]`.
        embedded: whether this is the embedded broker, which needs its own settings and repairs.
        topic_prefix: before the name of each topic, so that runs can share a cluster.
        client_name: what the broker's logs call us.
        connect_timeout_s: how long the broker may take to answer.
        settings: further settings of the client library (security), over ours.

    Raises:
        BrokerUnreachable: nothing answers within `connect_timeout_s`.
        BrokerRefused: it answers and says no.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        embedded: bool,
        topic_prefix: str = "",
        client_name: str = "flconsole",
        connect_timeout_s: float = 5.0,
        settings: Settings | None = None,
    ) -> None:
        self._profile = EMBEDDED if embedded else REAL
        self._embedded = embedded
        self._address = bootstrap_servers
        self._prefix = topic_prefix
        self._settings: Settings = {
            **self._profile.common,
            "bootstrap.servers": bootstrap_servers,
            "client.id": client_name,
            **(settings or {}),
        }
        self._watch = BrokerWatch(
            self._settings,
            topic=topic_prefix + CONTROL,
            interval_s=self._profile.watch_interval_s,
            timeout_s=connect_timeout_s,
        )
        self._check_advertised_addresses()
        self._incarnation = self._watch.status.cluster_id
        self._fetch_wait_ms = int(self._profile.consumer["fetch.wait.max.ms"])
        self._fatal = ""
        self._open: dict[int, Delivery] = {}
        self._retained: dict[Place, int] = {}
        self._places: dict[tuple[str, int], Place] = {}
        self._tracker = self._tracker_at({})
        self._last_record_at = time.monotonic()
        self._producer = self._new_producer()
        self._consumer = self._new_consumer()

    @property
    def incarnation(self) -> str:
        return self._incarnation

    # --- topics

    def create_topics(self) -> None:
        brokers = len(self._watch.ask(self._name(CONTROL), _ASK_TIMEOUT_S).brokers)
        topics = [self._new_topic(topic, brokers) for topic in self._missing_topics(_ASK_TIMEOUT_S)]
        if not topics:
            return
        for name, created in self._watch.admin.create_topics(topics, request_timeout=_ASK_TIMEOUT_S).items():
            try:
                created.result()
            except KafkaException as error:
                self._judge_creation(name, error.args[0])

    def wait_for_topics(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(BrokerUnreachable):
                if not self._missing_topics(min(1.0, timeout_s)):
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TOPICS_INTERVAL_S)

    def _new_topic(self, topic: str, brokers: int) -> NewTopic:
        replicas, config = (1, {}) if self._embedded else topic_settings(topic, brokers=brokers)
        return NewTopic(self._name(topic), PARTITIONS[topic], replicas, config=config)

    def _judge_creation(self, name: str, error: KafkaError) -> None:
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if error.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT):  # noqa: SLF001 (public names)
            raise BrokerUnreachable(f"no answer from the broker at {self._address}: {error.str()}")
        raise BrokerRefused(
            f"the broker at {self._address} does not create topic {name!r}: {error.str()}; "
            "the server's user needs the right to create topics, or create them beforehand"
        )

    def _missing_topics(self, timeout_s: float) -> list[str]:
        """The topics that do not exist yet.

        Raises:
            BrokerRefused: one may not be seen, or has too few partitions.
        """
        return [topic for topic in PARTITIONS if len(self._partitions(topic, timeout_s)) == 0]

    def _partitions(self, topic: str, timeout_s: float) -> list[int]:
        """The partitions of a topic; none where it does not exist."""
        name = self._name(topic)
        described = self._watch.ask(name, timeout_s).topics[name]
        if described.error is not None and is_refusal(described.error):
            raise BrokerRefused(
                f"the broker at {self._address} refuses topic {name!r}: {described.error.str()}"
            )
        if 0 < len(described.partitions) < PARTITIONS.get(topic, 1):
            raise BrokerRefused(
                f"topic {name!r} at {self._address} has {len(described.partitions)} partitions, "
                f"{PARTITIONS[topic]} are needed; delete it or use another topic_prefix"
            )
        return sorted(described.partitions)

    # --- writing

    def publish(
        self, place: Place, value: bytes, *, headers: Headers = (), key: bytes | None = None
    ) -> Delivery:
        if len(value) > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {len(value)} bytes; the most is {MAX_RECORD_BYTES}")
        self._raise_if_reset()
        delivery = Delivery()
        while not self._enqueue(place, value, headers, key, delivery):
            self._serve_producer(_SLICE_S)
            self._raise_if_reset()
        self._open[id(delivery)] = delivery
        return delivery

    def flush(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self._open:
            self._raise_if_reset()
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._serve_producer(min(remaining, _SLICE_S))
        return True

    def _enqueue(
        self, place: Place, value: bytes, headers: Headers, key: bytes | None, delivery: Delivery
    ) -> bool:
        """Hands a record to the library; False while its queue is full."""
        try:
            self._producer.produce(
                self._name(place.topic),
                value=value,
                key=key,
                partition=place.partition,
                headers=list(headers),
                on_delivery=partial(self._delivered, place, delivery),
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise BrokerRefused(f"cannot write to {place.topic}: {error.args[0].str()}") from None
        return True

    def _delivered(
        self, place: Place, delivery: Delivery, error: KafkaError | None, message: Message
    ) -> None:
        if self._open.pop(id(delivery), None) is None:
            return
        if error is not None:
            delivery.error = error.str()
            return
        delivery.offset = message.offset()
        self._note_end(place, message.offset() + 1)

    def _serve_producer(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)
        if self._fatal:
            log.warning("the producer is rebuilt: %s", self._fatal)
            self._rebuild_producer(self._fatal)

    def _rebuild_producer(self, reason: str) -> None:
        """Whatever is on its way in the old one is given up: its sender repeats it."""
        self._fatal = ""
        for delivery in self._open.values():
            delivery.error = reason
        self._open.clear()
        old, self._producer = self._producer, self._new_producer()
        old.purge()
        _in_background(old.close, _DISCARD_TIMEOUT_S)

    # --- reading

    def assign(self, positions: Mapping[Place, int]) -> None:
        self._tracker = self._tracker_at(positions)
        self._last_record_at = time.monotonic()
        self._consumer.assign([self._partition(place, offset) for place, offset in positions.items()])

    def poll(self, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._raise_if_reset()
            self._serve_producer(0)
            remaining = deadline - time.monotonic()
            records = self._read(max(0.0, min(remaining, _SLICE_S)))
            if records or remaining <= 0:
                return records
            self._rebuild_if_stalled()

    def _read(self, timeout_s: float) -> list[Record]:
        """Waits for the first record, then takes what else is already here."""
        records: list[Record] = []
        size = 0
        message = self._consumer.poll(timeout_s)
        while message is not None:
            record = self._accept(message)
            if record is not None:
                records.append(record)
                size += len(record.value)
            if len(records) >= _POLL_RECORDS or size >= _POLL_BYTES:
                break
            message = self._consumer.poll(0)
        if records:
            self._last_record_at = time.monotonic()
        return records

    def _accept(self, message: Message) -> Record | None:
        error = message.error()
        if error is not None:
            self._note_read_error(error)
            return None
        place, offset = self._place(message.topic(), message.partition()), message.offset()
        match self._tracker.judge(place, offset, time.monotonic()):
            case Verdict.DROP:
                return None
            case Verdict.REREAD:
                self._reread(place)
                return None
            case Verdict.TAKE:
                self._note_end(place, offset + 1)
                headers = {name: value or b"" for name, value in message.headers() or ()}
                return Record(place, offset, message.value() or b"", headers)

    def _note_read_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise BrokerRefused(f"the broker at {self._address} does not let us read: {error.str()}")
        log.debug("%s: %s", self._address, error.str())

    def _reread(self, place: Place) -> None:
        expected = self._tracker.next_offsets[place]
        log.debug("%s/%d: offset %d was skipped, reading it again", place.topic, place.partition, expected)
        self._consumer.seek(self._partition(place, expected))

    def _rebuild_if_stalled(self) -> None:
        """A reader can stand still for ever when the broker needs longer than the fetch may take."""
        if time.monotonic() - self._last_record_at < _STALL_S or self._watch.status.lost_since is not None:
            return
        self._last_record_at = time.monotonic()
        positions = self._tracker.next_offsets
        if any(self._end_of(place) > offset for place, offset in positions.items()):
            self._fetch_wait_ms = min(2 * self._fetch_wait_ms, _MAX_FETCH_WAIT_MS)
            log.warning(
                "reading stood still; the consumer is rebuilt with fetch.wait.max.ms=%d", self._fetch_wait_ms
            )
            self._rebuild_consumer(positions)

    def _rebuild_consumer(self, positions: Mapping[Place, int]) -> None:
        _in_background(self._consumer.close, _DISCARD_TIMEOUT_S)
        self._consumer = self._new_consumer()
        self.assign(positions)

    def end_offsets(self, topic: str) -> dict[Place, int]:
        places = [
            self._place(self._name(topic), number) for number in self._partitions(topic, _ASK_TIMEOUT_S)
        ]
        return {place: self._end_of(place) for place in places}

    def _end_of(self, place: Place) -> int:
        try:
            watermarks = self._consumer.get_watermark_offsets(self._partition(place), timeout=_ASK_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerUnreachable(
                f"no end offset of {place.topic}/{place.partition} from the broker at {self._address}: "
                f"{error.args[0].str()}"
            ) from None
        if watermarks is None:
            raise BrokerUnreachable(
                f"no end offset of {place.topic} from the broker at {self._address} in time"
            )
        end: int = watermarks[1]
        self._note_end(place, end)
        return end

    # --- the broker itself

    def health(self) -> Health:
        status = self._watch.status
        lost_for_s = None if status.lost_since is None else time.monotonic() - status.lost_since
        return Health(lost_for_s, status.reason, dict(self._retained))

    def close(self) -> None:
        self._watch.stop()
        with contextlib.suppress(BrokerReset):
            self.flush(_CLOSE_TIMEOUT_S)
        self._producer.purge()
        _in_background(self._consumer.close, _DISCARD_TIMEOUT_S)
        _in_background(self._producer.close, _DISCARD_TIMEOUT_S)

    def _raise_if_reset(self) -> None:
        cluster_id = self._watch.status.cluster_id
        if cluster_id == self._incarnation:
            return
        self._incarnation = cluster_id
        self._retained.clear()
        self._rebuild_producer("the broker was replaced by an empty one")
        self._rebuild_consumer({})
        raise BrokerReset(
            f"another, empty broker answers at {self._address}; what was stored or on its way is gone"
        )

    def _check_advertised_addresses(self) -> None:
        """A broker tells its clients where it lives; if that is wrong, nothing works and nothing says so."""
        for broker in self._watch.metadata.brokers.values():
            address = f"{broker.host}:{broker.port}"
            if address in self._address.split(","):
                continue
            try:
                socket.create_connection((broker.host, broker.port), timeout=2.0).close()
            except OSError as error:
                self._watch.stop()
                raise BrokerUnreachable(
                    f"the broker at {self._address} sends its clients on to {address}, where nothing answers "
                    f"({error.strerror or error}); check its advertised.listeners"
                ) from None

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error.str()
        self._watch.note(error)

    # --- names and handles

    def _name(self, topic: str) -> str:
        return self._prefix + topic

    def _place(self, name: str, partition: int) -> Place:
        place = self._places.get((name, partition))
        if place is None:
            place = self._places[name, partition] = Place(name.removeprefix(self._prefix), partition)
        return place

    def _partition(self, place: Place, offset: int = 0) -> TopicPartition:
        return TopicPartition(self._name(place.topic), place.partition, offset)

    def _note_end(self, place: Place, end: int) -> None:
        self._retained[place] = max(end, self._retained.get(place, 0))

    def _tracker_at(self, positions: Mapping[Place, int]) -> OffsetTracker:
        return OffsetTracker(positions, patience_s=self._profile.hole_patience_s)

    def _new_producer(self) -> Producer:
        return Producer({**self._profile.producer, **self._settings, "error_cb": self._note_error})

    def _new_consumer(self) -> Consumer:
        return Consumer(
            {
                **self._profile.consumer,
                "fetch.wait.max.ms": self._fetch_wait_ms,
                "group.id": self._settings["client.id"],
                **self._settings,
                "error_cb": self._note_error,
            }
        )


def _in_background(close: Callable[[], object], timeout_s: float) -> None:
    """Closes a client that may hang while its broker is away: a thread that is left behind does no harm."""
    thread = threading.Thread(target=close, name="kafka-close", daemon=True)
    thread.start()
    thread.join(timeout_s)
