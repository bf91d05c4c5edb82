"""Is the broker there, and is it still the same one? A thread asks, so that a busy owner hears of it too."""

import logging
import socket
import threading
import time
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from engine.errors import BrokerRefused, BrokerUnreachable
from engine.transport.base import CONTROL
from engine.transport.kafka_client import ClientContext, is_refusal, new_client

log = logging.getLogger("engine.transport")

_PROBE_TIMEOUT_S = 1.0
_SLICE_S = 0.1


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What the watch knows."""

    cluster_id: str
    lost_since: float | None = None
    """Monotonic seconds of the last answer, once a question has gone unanswered."""
    reason: str = ""


class ClusterWatch:
    """Asks the broker for its cluster id, at once after any trouble and else at the profile's interval.

    Args:
        context: the cluster.
        timeout_s: how long the first answer may take.

    Raises:
        BrokerUnreachable: no answer within `timeout_s`; BrokerRefused: the answer is no.
        ConfigError: the library does not know one of the settings.
    """

    def __init__(self, context: ClientContext, *, timeout_s: float) -> None:
        self._context = context
        self._address = context.address
        # Named in each question, so that a large cluster need not describe all of its topics.
        self._topic = context.name(CONTROL)
        self._refusal = ""
        self._trouble = ""
        self._answered_at = time.monotonic()
        self._stopping = threading.Event()
        self.admin = new_client(AdminClient, {**context.settings, "error_cb": self.note})
        """A handle for questions that are not about records; safe from several threads."""
        self.status = self._connect(timeout_s)
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)
        self._thread.start()

    def note(self, error: KafkaError) -> None:
        """Takes an error that any of the broker's clients reports; called from their threads."""
        log.debug("%s: %s", self._address, error.str())
        if is_refusal(error):
            self._refusal = error.str()
        self._trouble = error.str()

    def ask(self, topic: str, timeout_s: float | None = None) -> ClusterMetadata:
        """The cluster and one topic, as the broker describes them.

        Args:
            topic: with the prefix.
            timeout_s: how long the answer may take; the default is the profile's.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        try:
            return self.admin.list_topics(
                topic=topic, timeout=timeout_s or self._context.profile.ask_timeout_s
            )
        except KafkaException as error:
            self.admin.poll(0)
            raise BrokerUnreachable(
                f"no answer from the broker at {self._address}: {self._words(error)}"
            ) from None

    def stop(self) -> None:
        """Ends the thread, within a fraction of a second unless a question is open."""
        self._stopping.set()
        self._thread.join(3 * _SLICE_S)

    def _connect(self, timeout_s: float) -> ClusterStatus:
        deadline = time.monotonic() + timeout_s
        while True:
            remaining = deadline - time.monotonic()
            try:
                metadata = self.admin.list_topics(topic=self._topic, timeout=min(0.5, max(0.1, remaining)))
            except KafkaException as error:
                self.admin.poll(0)
                self._judge(error, timeout_s, out_of_time=time.monotonic() >= deadline)
            else:
                _check_advertised_addresses(self._address, metadata)
                return ClusterStatus(metadata.cluster_id)

    def _judge(self, error: KafkaException, timeout_s: float, *, out_of_time: bool) -> None:
        if self._refusal:
            raise BrokerRefused(
                f"the broker at {self._address} refuses us: {self._refusal}; "
                "check the security protocol, the user and the password"
            )
        if out_of_time:
            raise BrokerUnreachable(
                f"no broker at {self._address} after {timeout_s:g} s: {self._words(error)}; "
                "is it running, and are the address and the security protocol right?"
            )

    def _words(self, error: KafkaException) -> str:
        return self._trouble or str(error.args[0].str())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wait()
            if not self._stopping.is_set():
                self._probe()

    def _wait(self) -> None:
        """Serves the handle until it is time to ask; trouble with the connection cuts the wait short."""
        deadline = time.monotonic() + self._context.profile.watch_interval_s
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
        before, self.status = self.status, ClusterStatus(cluster_id)
        if before.lost_since is not None:
            log.warning("broker at %s back after %.1f s", self._address, now - before.lost_since)
        if before.cluster_id != cluster_id:
            log.warning("broker at %s is another, empty one", self._address)
        self._trouble, self._answered_at = "", now


def _check_advertised_addresses(address: str, metadata: ClusterMetadata) -> None:
    """A broker tells its clients where it lives; if that is wrong, nothing works and nothing says why."""
    advertised = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
    if any(known in address.split(",") for known in advertised):
        return
    for broker in metadata.brokers.values():
        try:
            socket.create_connection((broker.host, broker.port), timeout=_PROBE_TIMEOUT_S).close()
        except OSError as error:
            words = error.strerror or str(error)
        else:
            return
    raise BrokerUnreachable(
        f"the broker at {address} sends its clients on to {', '.join(advertised)}, where nothing answers "
        f"({words}); check its advertised.listeners"
    )
