"""Is the broker there, and is it still the same one? A thread asks, so that a busy owner hears of it too."""

import logging
import threading
import time
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from engine.errors import BrokerRefused, BrokerUnreachable
from engine.transport.kafka_settings import Settings

log = logging.getLogger("engine.transport")

_PROBE_TIMEOUT_S = 1.0
_SLICE_S = 0.1

_REFUSALS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 (the library's public name for a local error)
        KafkaError._SSL,  # noqa: SLF001 (the same)
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker is there and says no: waiting will not help."""
    # A plain connection to a TLS port shows only as a lost connection; the library's own words tell.
    return error.code() in _REFUSALS or "security.protocol" in error.str()


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """What the watch knows."""

    cluster_id: str
    lost_since: float | None = None
    """Monotonic seconds of the last answer, once a question has gone unanswered."""
    reason: str = ""


class BrokerWatch:
    """Asks the broker for its cluster id, at once after any trouble and else every `interval_s` seconds.

    Args:
        settings: of the client library, for a handle of its own.
        topic: named in the question, so that a large cluster need not describe all of its topics.
        interval_s: seconds between two questions.
        timeout_s: how long the first answer may take.

    Raises:
        BrokerUnreachable: no answer within `timeout_s`; BrokerRefused: the answer is no.
    """

    def __init__(self, settings: Settings, *, topic: str, interval_s: float, timeout_s: float) -> None:
        self._address = str(settings["bootstrap.servers"])
        self._topic = topic
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._refusal = ""
        self._trouble = ""
        self._answered_at = time.monotonic()
        self._stopping = threading.Event()
        self.admin = AdminClient({**settings, "error_cb": self.note})
        """A handle for questions that are not about records; safe from several threads."""
        self.metadata = self._first_answer(timeout_s)
        self.status = BrokerStatus(self.metadata.cluster_id)
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)
        self._thread.start()

    def note(self, error: KafkaError) -> None:
        """Takes an error that any of the broker's clients reports; called from their threads."""
        log.debug("%s: %s", self._address, error.str())
        if is_refusal(error):
            self._refusal = error.str()
        self._trouble = error.str()

    def ask(self, topic: str, timeout_s: float) -> ClusterMetadata:
        """The cluster and one topic, as the broker describes them.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        try:
            return self.admin.list_topics(topic=topic, timeout=timeout_s)
        except KafkaException as error:
            self.admin.poll(0)
            raise BrokerUnreachable(
                f"no answer from the broker at {self._address}: {self._words(error)}"
            ) from None

    def stop(self) -> None:
        """Ends the thread, within a fraction of a second unless a question is open."""
        self._stopping.set()
        self._thread.join(3 * _SLICE_S)

    def _first_answer(self, timeout_s: float) -> ClusterMetadata:
        deadline = time.monotonic() + timeout_s
        while True:
            self.admin.poll(0)
            try:
                return self.admin.list_topics(topic=self._topic, timeout=min(0.5, timeout_s))
            except KafkaException as error:
                self.admin.poll(0)
                if self._refusal:
                    raise BrokerRefused(
                        f"the broker at {self._address} refuses us: {self._refusal}; "
                        "check the security protocol, the user and the password"
                    ) from None
                if time.monotonic() >= deadline:
                    raise BrokerUnreachable(
                        f"no broker at {self._address} after {timeout_s:g} s: {self._words(error)}; "
                        "is it running, and is the address right?"
                    ) from None

    def _words(self, error: KafkaException) -> str:
        return self._trouble or str(error.args[0].str())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wait()
            if not self._stopping.is_set():
                self._probe()

    def _wait(self) -> None:
        """Serves the handle until it is time to ask; trouble with the connection cuts the wait short."""
        deadline = time.monotonic() + self._interval_s
        while not self._stopping.is_set() and time.monotonic() < deadline:
            if self.admin.poll(_SLICE_S) > 0:
                return

    def _probe(self) -> None:
        try:
            cluster_id = self.admin.list_topics(topic=self._topic, timeout=_PROBE_TIMEOUT_S).cluster_id
        except KafkaException as error:
            self.admin.poll(0)
            if self.status.lost_since is None:
                log.warning("broker at %s lost: %s", self._address, self._words(error))
                self.status = replace(self.status, lost_since=self._answered_at, reason=self._words(error))
            return
        self._answered(cluster_id)

    def _answered(self, cluster_id: str) -> None:
        now = time.monotonic()
        before, self.status = self.status, BrokerStatus(cluster_id)
        if before.lost_since is not None:
            log.warning("broker at %s back after %.1f s", self._address, now - before.lost_since)
        if before.cluster_id != cluster_id:
            log.warning("broker at %s is another, empty one", self._address)
        self._trouble, self._answered_at = "", now
