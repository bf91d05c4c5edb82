"""The brokers that the transport tests run against, each with the same few levers."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from engine.broker.embedded import wait_until_ready
from engine.loopback import HOST, free_port
from engine.transport.base import Delivery, Place, Record, Transport
from engine.transport.kafka import KafkaTransport
from engine.transport.memory import MemoryBroker, MemoryTransport

DEADLINE_S = 15.0


class BrokerUnderTest(Protocol):
    """A broker that can be stopped, which loses everything, and started."""

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def connect(self, **options: Any) -> Transport: ...


class MemoryBrokerUnderTest:
    def __init__(self) -> None:
        self._broker = MemoryBroker()

    def stop(self) -> None:
        self._broker.stop()

    def start(self) -> None:
        self._broker.start()

    def connect(self, **options: Any) -> MemoryTransport:
        return MemoryTransport(self._broker, **options)


class EmbeddedBrokerUnderTest:
    """`python -m engine.broker` on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "engine.broker", "--port", str(self.port)]
        command += ["--cluster-id", uuid.uuid4().hex, "--parent", str(os.getpid())]
        self.process = subprocess.Popen(command)
        wait_until_ready(self.port, DEADLINE_S)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def connect(self, **options: Any) -> KafkaTransport:
        return KafkaTransport(self.address, **{"embedded": True, "connect_timeout_s": 2.0, **options})


@pytest.fixture
def embedded() -> Iterator[EmbeddedBrokerUnderTest]:
    """An embedded broker that the test may kill."""
    broker = EmbeddedBrokerUnderTest()
    yield broker
    broker.stop()


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.broker)])
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerUnderTest]:
    """Each implementation in turn."""
    if request.param == "memory":
        yield MemoryBrokerUnderTest()
    else:
        yield request.getfixturevalue("embedded")


@pytest.fixture
def connect(broker: BrokerUnderTest) -> Iterator[Callable[..., Transport]]:
    """Connects to the broker; what was connected is closed after the test."""
    with ExitStack() as stack:

        def connect_and_close_later(**options: Any) -> Transport:
            transport = broker.connect(**options)
            stack.callback(transport.close)
            return transport

        yield connect_and_close_later


Read = Callable[[Transport, int], list[Record]]
PublishAll = Callable[[Transport, Place, list[bytes]], list[Delivery]]
WaitUntil = Callable[[Callable[[], bool]], None]


@pytest.fixture
def read() -> Read:
    """Reads the next `count` records."""

    def read_count(transport: Transport, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count:
            assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
            records += transport.poll(0.5)
        return records

    return read_count


@pytest.fixture
def publish_all() -> PublishAll:
    """Publishes values to one place and waits until the broker has them."""

    def publish(transport: Transport, place: Place, values: list[bytes]) -> list[Delivery]:
        deliveries = [transport.publish(place, value) for value in values]
        assert transport.flush(DEADLINE_S)
        return deliveries

    return publish


@pytest.fixture
def wait_until() -> WaitUntil:
    """Waits for a condition to come true."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.01)

    return wait
