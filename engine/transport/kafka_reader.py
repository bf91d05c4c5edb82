"""The consumer's side of a Kafka transport: own offsets, no groups, each record once."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from engine.errors import BrokerRefused, BrokerUnreachable
from engine.transport.base import Place, Record
from engine.transport.kafka_client import ClientContext, close_in_background, new_client
from engine.transport.kafka_ends import read_ends
from engine.transport.offsets import OffsetTracker, Verdict

log = logging.getLogger("engine.transport")

_METADATA_TIMEOUT_S = 1.0
_MAX_FETCH_WAIT_MS = 1_000
_READ_RECORDS = 1_000
_READ_BYTES = 32 * 1024 * 1024


class KafkaReader:
    """Reads from where it is told, in order, and repairs what the broker gets wrong.

    Args:
        context: the cluster.
        on_error: hears every error the library reports.
        on_end: hears the offset after each record that was read, and each end that was asked for.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        on_error: Callable[[KafkaError], None],
        on_end: Callable[[Place, int], None],
    ) -> None:
        self._context = context
        self._on_error = on_error
        self._on_end = on_end
        self._fetch_wait_ms = int(context.profile.consumer["fetch.wait.max.ms"])
        self._start({})

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Reads from these offsets on, and from nothing else."""
        self._tracker = OffsetTracker(positions, patience_s=self._context.profile.hole_patience_s)
        self._last_progress = time.monotonic()
        self._learn_leaders({self._context.name(place.topic) for place in positions})
        self._consumer.assign([self._context.partition(place, offset) for place, offset in positions.items()])

    def read(self, timeout_s: float) -> list[Record]:
        """Waits for the first record, then takes what else is already here.

        Raises:
            BrokerRefused: we may not read one of the topics.
        """
        records: list[Record] = []
        size = 0
        message = self._consumer.poll(timeout_s)
        while message is not None:
            record = self._accept(message)
            if record is not None:
                records.append(record)
                size += len(record.value)
            if len(records) >= _READ_RECORDS or size >= _READ_BYTES:
                break
            message = self._consumer.poll(0)
        if records:
            self._last_progress = time.monotonic()
        return records

    def ends_of(self, places: Sequence[Place]) -> dict[Place, int]:
        """The offset that the next record of each place will get.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        ends = {place: self._reported_end(place) for place in places}
        if self._context.profile.reports_early_ends:
            ends = read_ends(self._context, ends, self._on_error)
        for place, end in ends.items():
            self._on_end(place, end)
        return ends

    def _reported_end(self, place: Place) -> int:
        try:
            ends = self._consumer.get_watermark_offsets(
                self._context.partition(place), timeout=self._context.profile.ask_timeout_s
            )
        except KafkaException as error:
            words = error.args[0].str()
            raise BrokerUnreachable(
                f"no answer from the broker at {self._context.address}: {words}"
            ) from None
        if ends is None:
            raise BrokerUnreachable(f"no answer from the broker at {self._context.address} in time")
        end: int = ends[1]
        return end

    def rebuild_if_stalled(self) -> None:
        """Starts again, more patiently, if nothing has come for long although there is something to read.

        The embedded broker lists a whole partition for each fetch: a reader whose fetches may not take that
        long stands still for ever.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        if time.monotonic() - self._last_progress < self._context.profile.stall_s:
            return
        self._last_progress = time.monotonic()
        positions = self._tracker.next_offsets
        if any(self._reported_end(place) > offset for place, offset in positions.items()):
            self._fetch_wait_ms = min(2 * self._fetch_wait_ms, _MAX_FETCH_WAIT_MS)
            log.warning("reading stood still; starting again with fetch.wait.max.ms=%d", self._fetch_wait_ms)
            self.rebuild(positions)

    def rebuild(self, positions: Mapping[Place, int]) -> None:
        """Starts again with another consumer, at these offsets."""
        self.close()
        self._start(positions)

    def close(self) -> None:
        close_in_background(self._consumer.close)

    def _start(self, positions: Mapping[Place, int]) -> None:
        self._consumer = self._new_consumer()
        self._known_topics: set[str] = set()
        self.assign(positions)

    def _learn_leaders(self, names: set[str]) -> None:
        """Asks for topics not read before: a consumer that has to find out by itself waits up to a second."""
        for name in names - self._known_topics:
            try:
                described = self._consumer.list_topics(name, timeout=_METADATA_TIMEOUT_S).topics[name]
            except KafkaException as error:
                log.debug("%s: %s", self._context.address, error.args[0].str())
                return
            if described.error is None:
                self._known_topics.add(name)

    def _accept(self, message: Message) -> Record | None:
        error = message.error()
        if error is not None:
            self._note_read_error(error)
            return None
        place, offset = self._context.place(message.topic(), message.partition()), message.offset()
        match self._tracker.judge(place, offset, time.monotonic()):
            case Verdict.DROP:
                return None
            case Verdict.REREAD:
                self._reread(place)
                return None
            case Verdict.TAKE:
                self._on_end(place, offset + 1)
                headers = {name: value or b"" for name, value in message.headers() or ()}
                return Record(place, offset, message.value() or b"", headers)

    def _reread(self, place: Place) -> None:
        expected = self._tracker.next_offsets[place]
        log.debug("%s/%d: offset %d was skipped, reading it again", place.topic, place.partition, expected)
        self._consumer.seek(self._context.partition(place, expected))

    def _note_read_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise BrokerRefused(f"the broker at {self._context.address} does not let us read: {error.str()}")
        log.debug("%s: %s", self._context.address, error.str())

    def _new_consumer(self) -> Consumer:
        settings = {**self._context.profile.consumer, "fetch.wait.max.ms": self._fetch_wait_ms}
        settings["group.id"] = self._context.settings["client.id"]
        return new_client(Consumer, {**settings, **self._context.settings, "error_cb": self._on_error})
