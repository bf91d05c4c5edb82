"""A broker inside the process, for a server and clients that share one: a notebook, a test, a simulation.

In the shape of the embedded broker: nothing outlives a restart, a topic exists once it was created, and
nothing is acknowledged while the broker is away.
"""

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import BrokerReset, BrokerUnreachable
from engine.protocol import MAX_RECORD_BYTES
from engine.transport.base import (
    OWN_NAMES,
    PARTITIONS,
    REPLACED,
    Delivery,
    Headers,
    Health,
    Place,
    Record,
    TopicNames,
)

_ADDRESS = "memory://"


@dataclass(frozen=True, slots=True)
class _Unsent:
    place: Place
    value: bytes
    headers: Headers
    delivery: Delivery


@dataclass
class MemoryBroker:
    """Records in lists, shared by the transports of one process. Safe from several threads."""

    incarnation: str = field(default_factory=lambda: uuid.uuid4().hex)
    running: bool = True
    stopped_at: float = 0.0
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    """Held to read or write the records, notified when there are more or the broker stops or starts."""
    logs: dict[Place, list[Record]] = field(default_factory=dict, repr=False)
    """The records of each partition, by offset; under the broker's names."""

    def stop(self) -> None:
        """Stops answering and loses everything."""
        with self.changed:
            self.running = False
            self.stopped_at = time.monotonic()
            self.logs.clear()
            self.changed.notify_all()

    def start(self) -> None:
        """Answers again, empty and as another incarnation."""
        with self.changed:
            self.running = True
            self.incarnation = uuid.uuid4().hex
            self.changed.notify_all()

    def restart(self) -> None:
        """Loses everything and changes the incarnation."""
        with self.changed:
            self.stop()
            self.start()


class MemoryTransport:
    """A `Transport` to a `MemoryBroker`.

    Args:
        broker: shared with the other transports.
        topics: what the broker calls the topics, so that runs can share it.

    Raises:
        BrokerUnreachable: the broker is stopped.
    """

    def __init__(self, broker: MemoryBroker, *, topics: TopicNames = OWN_NAMES) -> None:
        self._broker = broker
        self._topics = topics
        self._positions: dict[Place, int] = {}
        self._unsent: list[_Unsent] = []
        self._stored: list[tuple[_Unsent, int]] = []
        self._retained: dict[Place, int] = {}
        with broker.changed:
            self._require_broker()
            self._incarnation = broker.incarnation

    @property
    def incarnation(self) -> str:
        return self._incarnation

    def create_topics(self) -> None:
        with self._broker.changed:
            self._require_broker()
            for topic, partitions in PARTITIONS.items():
                for number in range(partitions):
                    self._broker.logs.setdefault(self._named(Place(topic, number)), [])
            self._broker.changed.notify_all()

    def wait_for_topics(self, timeout_s: float) -> bool:
        with self._broker.changed:
            return self._broker.changed.wait_for(self._has_topics, timeout_s)

    def publish(
        self,
        place: Place,
        value: bytes,
        *,
        headers: Headers = (),
        key: bytes | None = None,  # noqa: ARG002 (of no use here)
    ) -> Delivery:
        if len(value) > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {len(value)} bytes; the most is {MAX_RECORD_BYTES}")
        with self._broker.changed:
            unsent = _Unsent(place, bytes(value), headers, Delivery())
            if self._is_reset():
                unsent.delivery.error = REPLACED
            else:
                self._unsent.append(unsent)
                self._send()
        return unsent.delivery

    def flush(self, timeout_s: float) -> bool:
        with self._broker.changed:
            self._broker.changed.wait_for(self._is_flushed, timeout_s)
            self._acknowledge()
            return not self._unsent and not self._is_reset()

    def assign(self, positions: Mapping[Place, int]) -> None:
        self._positions = dict(positions)

    def poll(self, timeout_s: float) -> list[Record]:
        with self._broker.changed:
            self._broker.changed.wait_for(self._has_news, timeout_s)
            self._raise_if_reset()
            self._send()
            self._acknowledge()
            return self._take()

    def end_offsets(self, topic: str) -> dict[Place, int]:
        with self._broker.changed:
            self._require_broker()
            places = [Place(topic, number) for number in range(PARTITIONS.get(topic, 1))]
            ends = {place: len(log) for place in places if (log := self._log(place)) is not None}
        for place, end in ends.items():
            self._note_end(place, end)
        return ends

    def health(self) -> Health:
        with self._broker.changed:
            if self._broker.running:
                return Health(retained=dict(self._retained))
            lost_for_s = time.monotonic() - self._broker.stopped_at
        return Health(lost_for_s, "the broker in this process is stopped", dict(self._retained))

    def close(self) -> None:
        self._positions, self._unsent = {}, []

    # --- below, the broker's lock is held

    def _require_broker(self) -> None:
        if not self._broker.running:
            raise BrokerUnreachable(f"no answer from the broker at {_ADDRESS}: it is stopped")

    def _raise_if_reset(self) -> None:
        if not self._broker.running or self._broker.incarnation == self._incarnation:
            return
        self._incarnation = self._broker.incarnation
        for unsent in [*self._unsent, *(stored for stored, _ in self._stored)]:
            unsent.delivery.error = REPLACED
        self._unsent, self._stored, self._positions = [], [], {}
        self._retained.clear()
        raise BrokerReset(
            f"another, empty broker answers at {_ADDRESS}; what was stored or on its way is gone"
        )

    def _send(self) -> None:
        """Stores what can be stored; what has no topic yet stays on its way."""
        waiting = []
        for unsent in self._unsent:
            log = self._log(unsent.place)
            if log is None:
                waiting.append(unsent)
                continue
            self._stored.append((unsent, len(log)))
            log.append(Record(unsent.place, len(log), unsent.value, dict(unsent.headers)))
            self._broker.changed.notify_all()
        self._unsent = waiting

    def _acknowledge(self) -> None:
        for unsent, offset in self._stored:
            unsent.delivery.offset = offset
            self._note_end(unsent.place, offset + 1)
        self._stored.clear()

    def _take(self) -> list[Record]:
        records: list[Record] = []
        for place, offset in self._positions.items():
            log = self._log(place) or []
            records += log[offset:]
            self._positions[place] = max(offset, len(log))
            self._note_end(place, len(log))
        return records

    def _has_topics(self) -> bool:
        return self._broker.running and all(
            self._log(Place(topic, number)) is not None
            for topic, n in PARTITIONS.items()
            for number in range(n)
        )

    def _is_flushed(self) -> bool:
        if self._is_reset():
            return True
        self._send()
        return not self._unsent

    def _has_news(self) -> bool:
        if self._is_reset():
            return True
        return any(len(self._log(place) or ()) > offset for place, offset in self._positions.items())

    def _is_reset(self) -> bool:
        return self._broker.running and self._broker.incarnation != self._incarnation

    def _log(self, place: Place) -> list[Record] | None:
        return self._broker.logs.get(self._named(place))

    def _named(self, place: Place) -> Place:
        return Place(self._topics.name(place.topic), place.partition)

    def _note_end(self, place: Place, end: int) -> None:
        self._retained[place] = max(end, self._retained.get(place, 0))
