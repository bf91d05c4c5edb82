"""Bare figures of the transport on the embedded broker: no model, no protocol."""

import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection

import psutil

from benchmarks._rows import Row, row
from engine.broker.embedded import wait_until_ready
from engine.loopback import HOST, free_port
from engine.protocol import MAX_RECORD_BYTES
from engine.transport.base import GLOBAL_MODEL, Place, Transport
from engine.transport.kafka import KafkaTransport

MODEL = Place(GLOBAL_MODEL)
CHUNKS = 45
"""Records of the largest size in a model of 10 million parameters."""
ROUND_TRIPS = 100
REPEATS = 5


def run() -> list[Row]:
    """The rows of this benchmark; none has a target of its own."""
    return [row(*figure) for figure in _figures()]


def connect(port: int) -> KafkaTransport:
    return KafkaTransport(f"{HOST}:{port}", embedded=True)


def median_round_trip_ms(transport: Transport, size: int) -> float:
    """Milliseconds from `publish` to the record in the hands of a reader, at any phase of its waiting."""
    transport.assign(transport.end_offsets(GLOBAL_MODEL))
    durations = []
    for number in range(ROUND_TRIPS):
        time.sleep(0.005 * (number % 7))
        started = time.perf_counter()
        transport.publish(MODEL, bytes(size))
        while not transport.poll(1):
            pass
        durations.append(time.perf_counter() - started)
    return statistics.median(durations) * 1e3


def read_models(port: int, pipe: Connection) -> None:
    """Reads a model from each offset that comes through the pipe, and says when it has it."""
    transport = connect(port)
    while (offset := pipe.recv()) is not None:
        transport.assign({MODEL: offset})
        count = 0
        while count < CHUNKS:
            count += len(transport.poll(1))
        pipe.send(time.monotonic())
    transport.close()


def broadcast_s(writer: Transport, pipes: list[Connection]) -> float:
    """Seconds from the first `publish` of a model until the last reader has it."""
    offset = writer.end_offsets(GLOBAL_MODEL)[MODEL]
    for pipe in pipes:
        pipe.send(offset)
    time.sleep(0.2)
    chunk = os.urandom(MAX_RECORD_BYTES)
    started = time.monotonic()
    for _ in range(CHUNKS):
        writer.publish(MODEL, chunk)
    writer.flush(30)
    finished: list[float] = [pipe.recv() for pipe in pipes]
    return max(finished) - started


def measure_broadcast(
    port: int, writer: Transport, readers: int, broker: psutil.Process
) -> Iterator[tuple[str, float, str]]:
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(readers)]
    processes = [context.Process(target=read_models, args=(port, theirs)) for _, theirs in pairs]
    pipes = [ours for ours, _ in pairs]
    for process in processes:
        process.start()
    seconds = statistics.median(broadcast_s(writer, pipes) for _ in range(REPEATS))
    megabytes = readers * CHUNKS * MAX_RECORD_BYTES / 1e6
    yield f"broker: 40 MB to {readers} readers at once, all together", megabytes / seconds, "MB/s"
    broker.cpu_percent()
    time.sleep(3)
    yield f"broker: with {readers} waiting readers", broker.cpu_percent(), "% of a core"
    for process, pipe in zip(processes, pipes, strict=True):
        pipe.send(None)
        process.join()


def _figures() -> Iterator[tuple[str, float, str]]:
    port = free_port()
    command = [sys.executable, "-m", "engine.broker", "--port", str(port), "--cluster-id", uuid.uuid4().hex]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--parent", str(os.getpid())]) as process:
        wait_until_ready(port, 10)
        yield "broker: ready after", (time.perf_counter() - started) * 1e3, "ms"
        writer = connect(port)
        writer.create_topics()
        writer.wait_for_topics(5)
        for size in (200, 248_000):
            yield f"broker: publish to poll, {size} B, median", median_round_trip_ms(writer, size), "ms"
        for readers in (1, 4):
            yield from measure_broadcast(port, writer, readers, psutil.Process(process.pid))
        writer.close()
        process.kill()
