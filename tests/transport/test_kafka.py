"""What only the Kafka transport meets: refusals, wrong addresses, fatal errors, full queues, silence."""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from engine.broker.embedded import broker_command, wait_until_ready
from engine.errors import BrokerRefused, BrokerUnreachable, ConfigError
from engine.loopback import HOST, free_port
from engine.transport.base import (
    CONTROL,
    GLOBAL_MODEL,
    PARTITIONS,
    Delivery,
    Place,
    Record,
    TopicNames,
    Transport,
)
from engine.transport.kafka import KafkaTransport
from engine.transport.kafka_settings import topic_settings

Read = Callable[[Transport, int], list[Record]]
PublishAll = Callable[[Transport, Place, list[bytes]], list[Delivery]]
WaitUntil = Callable[[Callable[[], bool]], None]

MODEL = Place(GLOBAL_MODEL)


@pytest.fixture
def transport(embedded: Any) -> Iterator[KafkaTransport]:
    """Connected, with the topics made, and a small queue."""
    transport = embedded.connect(settings={"queue.buffering.max.kbytes": 1024})
    transport.create_topics()
    assert transport.wait_for_topics(5)
    yield transport
    transport.close()


# --- connecting


def test_an_address_where_nothing_listens_is_named_with_the_librarys_own_words() -> None:
    address = f"{HOST}:{free_port()}"
    with pytest.raises(
        BrokerUnreachable, match=rf"no broker at {address} .*Connection refused.*is it running"
    ):
        KafkaTransport(address, embedded=True, connect_timeout_s=0.5)


@pytest.mark.broker
def test_a_user_that_the_broker_does_not_take_is_refused_at_once(embedded: Any) -> None:
    login = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN"}
    with pytest.raises(BrokerRefused, match=r"SASL.*check the security protocol"):
        embedded.connect(settings={**login, "sasl.username": "someone", "sasl.password": "wrong"})


@pytest.mark.broker
def test_a_broker_that_does_not_speak_tls_is_silent_and_the_hint_says_where_to_look(embedded: Any) -> None:
    with pytest.raises(BrokerUnreachable, match="the security protocol right"):
        embedded.connect(settings={"security.protocol": "ssl"}, connect_timeout_s=1)


def test_a_setting_that_the_library_does_not_know_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"security\.protocol"):
        KafkaTransport("127.0.0.1:1", embedded=False, settings={"security.protocol": "nonsense"})


@pytest.mark.broker
def test_a_broker_that_sends_its_clients_to_a_wrong_address_is_explained() -> None:
    port, wrong = free_port(), free_port()
    command = broker_command(port, "misadvertised")
    advertised = command.index("--advertised-listener-url") + 1
    command[advertised] = f"tcp://{HOST}:{wrong}"
    with subprocess.Popen(command) as process:
        wait_until_ready(port, 10)
        with pytest.raises(BrokerUnreachable, match=rf"{HOST}:{wrong}.*check its advertised\.listeners"):
            KafkaTransport(f"{HOST}:{port}", embedded=True)
        process.kill()


# --- topics


@pytest.mark.broker
def test_a_topic_with_too_few_partitions_is_refused(embedded: Any) -> None:
    admin = AdminClient({"bootstrap.servers": embedded.address})
    admin.create_topics([NewTopic("run.model_updates", 1, 1)])["run.model_updates"].result()
    transport = embedded.connect(topics=TopicNames("run."))
    with pytest.raises(BrokerRefused, match=r"'run\.model_updates'.* has 1 partitions and needs 3"):
        transport.create_topics()
    transport.close()


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")]
)
@pytest.mark.parametrize("topic", PARTITIONS)
def test_a_real_cluster_keeps_as_many_copies_as_it_can(
    topic: str, brokers: int, replicas: int, in_sync: str
) -> None:
    copies, config = topic_settings(topic, brokers=brokers)
    assert (copies, config["min.insync.replicas"]) == (replicas, in_sync)
    assert int(config["segment.ms"]) < int(config["retention.ms"])


# --- writing


@pytest.mark.broker
def test_after_a_fatal_error_the_producer_is_another_one(
    transport: KafkaTransport, publish_all: PublishAll, embedded: Any
) -> None:
    os.kill(embedded.process.pid, signal.SIGSTOP)
    delivery = transport.publish(MODEL, b"on its way")
    transport._writer._note_error(KafkaError(KafkaError._FATAL, "out of order sequence", fatal=True))
    transport.poll(0)
    os.kill(embedded.process.pid, signal.SIGCONT)
    assert (delivery.offset, delivery.error) == (None, "out of order sequence")
    assert publish_all(transport, MODEL, [b"again"])[0].offset is not None


@pytest.mark.broker
def test_a_full_queue_blocks_until_the_broker_takes_more(embedded: Any, transport: KafkaTransport) -> None:
    os.kill(embedded.process.pid, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (embedded.process.pid, signal.SIGCONT)).start()
    started = time.monotonic()
    deliveries = [transport.publish(MODEL, bytes(100_000)) for _ in range(30)]
    assert time.monotonic() - started > 0.4, "3 MB do not fit a queue of 1 MB while nobody takes them"
    assert transport.flush(10)
    assert [delivery.offset for delivery in deliveries] == list(range(30))


@pytest.mark.broker
def test_a_signal_interrupts_a_publish_that_waits(embedded: Any, transport: KafkaTransport) -> None:
    os.kill(embedded.process.pid, signal.SIGSTOP)
    before = signal.signal(signal.SIGALRM, raise_interrupted)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(InterruptedError):
            publish_for_ever(transport)
    finally:
        signal.signal(signal.SIGALRM, before)
        os.kill(embedded.process.pid, signal.SIGCONT)


def raise_interrupted(_signum: int, _frame: object) -> None:
    raise InterruptedError


def publish_for_ever(transport: Transport) -> None:
    while True:
        transport.publish(MODEL, bytes(100_000))


# --- a broker that is silent, lost, back


@pytest.mark.broker
def test_a_frozen_broker_counts_as_lost_until_it_answers(
    embedded: Any, transport: KafkaTransport, wait_until: WaitUntil
) -> None:
    before = transport.incarnation
    os.kill(embedded.process.pid, signal.SIGSTOP)
    wait_until(lambda: transport.health().lost_for_s is not None)
    os.kill(embedded.process.pid, signal.SIGCONT)
    wait_until(lambda: transport.health().lost_for_s is None)
    assert transport.poll(0) == []
    assert transport.incarnation == before


@pytest.mark.broker
def test_a_loss_is_one_line_in_the_log_and_so_is_the_return(
    embedded: Any, transport: KafkaTransport, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "engine.transport"):
        embedded.stop()
        wait_until(lambda: transport.health().lost_for_s is not None)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            transport.poll(0.1)
            transport.publish(Place(CONTROL), b"x")
        embedded.start()
        wait_until(lambda: transport.health().lost_for_s is None)
    words = [
        line.getMessage().partition(f"broker at {embedded.address} ")[2].split()[0] for line in caplog.records
    ]
    assert words == ["lost:", "back", "is"]


# --- a broker that is not ours


@pytest.fixture
def kafka_cluster() -> Iterator[str]:
    """Three brokers inside the client library: they know idempotence, but not how to create topics."""
    owner = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 3, "log_level": 0})
    brokers = owner.list_topics(timeout=5).brokers.values()
    for topic in PARTITIONS:
        owner.produce(topic, b"first", partition=0)
    owner.flush(10)
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    owner.close()


def test_the_settings_for_a_real_cluster_write_and_read(
    kafka_cluster: str, read: Read, publish_all: PublishAll
) -> None:
    transport = KafkaTransport(kafka_cluster, embedded=False)
    assert transport.wait_for_topics(5)
    assert transport.end_offsets(GLOBAL_MODEL)[MODEL] == 1
    transport.assign({MODEL: 1})
    deliveries = publish_all(transport, MODEL, [b"%d" % number for number in range(50)])
    assert [delivery.offset for delivery in deliveries] == list(range(1, 51))
    assert [record.value for record in read(transport, 50)] == [b"%d" % number for number in range(50)]
    transport.close()
