"""What the engine asks of a broker. The protocol above trusts none of them.

A transport belongs to one thread. `memory` and `kafka` implement it; one suite of contract tests runs on
both.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from engine.errors import ConfigError

GLOBAL_MODEL = "global_model"
MODEL_UPDATES = "model_updates"
CONTROL = "control"
TELEMETRY = "telemetry"
DEAD_LETTER = "dead_letter"

PARTITIONS: Mapping[str, int] = {
    GLOBAL_MODEL: 1,
    MODEL_UPDATES: 3,
    CONTROL: 1,
    TELEMETRY: 3,
    DEAD_LETTER: 1,
}
"""The topics of a federation, before the prefix, and how many partitions each has."""

_LEGAL_NAME = re.compile("[a-zA-Z0-9._-]{1,249}")
"""What Kafka takes for the name of a topic; "." and ".." it does not."""

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class TopicNames:
    """What a broker calls the topics of a federation: each by its own name behind a prefix, or as it is told.

    Raises:
        ConfigError: a name that Kafka does not take, or one for two topics.
    """

    prefix: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """Topic -> name, where that is not the prefix and the topic."""

    def __post_init__(self) -> None:
        names = [self.name(topic) for topic in PARTITIONS]
        for name in names:
            if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
                raise ConfigError(
                    f"{name!r} is no name for a topic: 1 to 249 letters a-z, A-Z, digits, '.', '_', '-'"
                )
            if names.count(name) > 1:
                raise ConfigError(f"{name!r} is the name of two topics; each needs one of its own")

    def name(self, topic: str) -> str:
        """What the broker calls a topic."""
        return self.chosen.get(topic, self.prefix + topic)

    def topic(self, name: str) -> str:
        """The topic that the broker calls `name`."""
        return next(
            (t for t, chosen in self.chosen.items() if chosen == name), name.removeprefix(self.prefix)
        )


OWN_NAMES = TopicNames()
"""Each topic by its own name."""


class Place(NamedTuple):
    """One partition of one topic, whatever the broker calls that."""

    topic: str
    partition: int = 0


def place_of(topic: str, client: str) -> Place:
    """The one partition of `topic` that a client writes to (`docs/protocol.md`, section 2)."""
    return Place(topic, zlib.crc32(client.encode()) % PARTITIONS[topic])


class Record(NamedTuple):
    """One record that was read."""

    place: Place
    offset: int
    value: bytes
    headers: Mapping[str, bytes]


REPLACED = "the broker was replaced by an empty one"
"""Error of every delivery that was open when another broker came."""


@dataclass(slots=True)
class Delivery:
    """What became of one published record: `offset` once the broker has it, `error` if it never will."""

    offset: int | None = None
    error: str | None = None
    """Possibly stored all the same: the sender repeats it, the reader drops the duplicate."""

    @property
    def done(self) -> bool:
        return self.offset is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class Health:
    """What a transport knows of its broker."""

    lost_for_s: float | None = None
    """Seconds since the broker last answered; None while it answers."""
    reason: str = ""
    retained: Mapping[Place, int] = field(default_factory=dict)
    """Next offset of each place that this transport has read or written: the broker's size from here."""


class Transport(Protocol):
    """Publish, read and know what became of it."""

    @property
    def incarnation(self) -> str:
        """Identity of the broker's storage. Another value means that everything stored before is gone."""
        ...

    def create_topics(self) -> None:
        """Creates the topics that are missing. Only the server does this.

        Raises:
            BrokerRefused: not allowed; BrokerUnreachable: nobody answers.
        """
        ...

    def wait_for_topics(self, timeout_s: float) -> bool:
        """Waits until all topics exist; False if they do not within `timeout_s`."""
        ...

    def publish(
        self, place: Place, value: bytes, *, headers: Headers = (), key: bytes | None = None
    ) -> Delivery:
        """Queues one record. Blocks while the queue is full; fills in the delivery during `poll` and `flush`.

        When another broker has come, the delivery is an error at once, and the next `poll` says why.

        Raises:
            ValueError: `value` is longer than `engine.protocol.MAX_RECORD_BYTES`.
        """
        ...

    def flush(self, timeout_s: float) -> bool:
        """Waits for the broker to take what was queued; False if something is still on its way, or lost."""
        ...

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Reads from these offsets on, and from nothing else."""
        ...

    def poll(self, timeout_s: float) -> list[Record]:
        """The records that came, at once if there are any, else after at most `timeout_s`.

        The records of one place come in the order of their offsets, none left out and none twice.

        Raises:
            BrokerReset: another, empty broker is there. Raised once for each change; nothing is assigned
                then, what was queued is dropped, and the clients of the broker have been rebuilt.
        """
        ...

    def end_offsets(self, topic: str) -> dict[Place, int]:
        """The offset that the next record of each partition will get.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        ...

    def health(self) -> Health: ...

    def close(self) -> None:
        """Sends what is queued, within 5 s, and lets go of the broker."""
        ...
