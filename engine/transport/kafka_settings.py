"""The settings of the Kafka client, and why each differs from its default.

Two profiles: the embedded broker is fast and forgets, a real Kafka is slower and keeps its word. What is
named here was measured or reported to matter; everything else stays at the library's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.transport.base import CONTROL, DEAD_LETTER, GLOBAL_MODEL, MODEL_UPDATES, TELEMETRY

Settings = Mapping[str, str | int | bool]

_HOUR_MS = 3_600_000
_RETENTION_MS: Mapping[str, int] = {
    GLOBAL_MODEL: _HOUR_MS,
    MODEL_UPDATES: 24 * _HOUR_MS,
    CONTROL: 24 * _HOUR_MS,
    TELEMETRY: _HOUR_MS,
    DEAD_LETTER: 7 * 24 * _HOUR_MS,
}


@dataclass(frozen=True)
class KafkaProfile:
    """How one kind of broker is used."""

    producer: Settings
    consumer: Settings
    common: Settings
    """Of every client."""
    configures_topics: bool
    """Whether topics have replicas, retention and segments."""
    reports_early_ends: bool
    """Whether the end that the broker reports may be too low."""
    hole_patience_s: float
    """How long a gap in the offsets is read again before it is taken for a real one."""
    watch_interval_s: float
    """Seconds between two questions to the broker who it is."""
    ask_timeout_s: float
    """How long an answer that is not about records may take."""
    stall_s: float = 5.0
    """Silence after which a reader that is behind the broker counts as stalled."""


_ANY: Settings = {
    # Only the server creates topics: a topic made by accident has the wrong number of partitions.
    "allow.auto.create.topics": False,
    # Errors reach the log through our callback, rate-limited; the library would print hundreds.
    "log_level": 0,
}

_ANY_PRODUCER: Settings = {
    "acks": "all",
    # The default of 1 GiB hides a slow broker until memory is gone; when full, `publish` blocks.
    "queue.buffering.max.kbytes": 65_536,
}

_ANY_CONSUMER: Settings = {
    "enable.auto.commit": False,
    # Where retention has trimmed what we want to read, the oldest there is.
    "auto.offset.reset": "earliest",
    # Prefetched bytes per consumer; the default of 64 MiB is too much for many clients on one machine.
    "queued.max.messages.kbytes": 32_768,
    # The default of 1 s is a stall each time the prefetch queue fills.
    "fetch.queue.backoff.ms": 50,
}

EMBEDDED = KafkaProfile(
    common={**_ANY, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500},
    producer={
        **_ANY_PRODUCER,
        # After a restart of the broker an idempotent producer never sends again, and says nothing.
        "enable.idempotence": False,
        "linger.ms": 0,
        # The broker reports the base offset of the last batch as the end: right only for batches of one.
        "batch.num.messages": 1,
        "message.timeout.ms": 20_000,
    },
    consumer={
        **_ANY_CONSUMER,
        # The broker looks again after half of this time; shorter, and it never gets past 10,000 records.
        "fetch.wait.max.ms": 50,
        "fetch.message.max.bytes": 4_194_304,
        "fetch.error.backoff.ms": 50,
    },
    configures_topics=False,
    reports_early_ends=True,
    hole_patience_s=5.0,
    watch_interval_s=0.5,
    ask_timeout_s=2.0,
)

REAL = KafkaProfile(
    common={**_ANY, "reconnect.backoff.max.ms": 1_000},
    producer={**_ANY_PRODUCER, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 60_000},
    consumer={
        **_ANY_CONSUMER,
        "fetch.wait.max.ms": 500,
        "fetch.max.bytes": 16_777_216,
        "isolation.level": "read_committed",
    },
    configures_topics=True,
    reports_early_ends=False,
    hole_patience_s=0.5,
    watch_interval_s=2.0,
    ask_timeout_s=5.0,
)


def topic_settings(topic: str, *, brokers: int) -> tuple[int, dict[str, str]]:
    """The replication factor and the configuration of a topic on a real Kafka.

    Retention removes closed segments only, so segments are closed early enough for an hour to mean an hour.

    Args:
        topic: its name without the prefix.
        brokers: how many the cluster has; with three or more the loss of one is not noticed.
    """
    replicas = min(3, brokers)
    return replicas, {
        "cleanup.policy": "delete",
        "retention.ms": str(_RETENTION_MS[topic]),
        "segment.bytes": str(128 * 1024 * 1024),
        "segment.ms": "600000",
        "min.insync.replicas": str(max(1, replicas - 1)),
        # A client with a wrong clock must not have its records deleted for it.
        "message.timestamp.type": "LogAppendTime",
    }
