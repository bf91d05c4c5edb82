"""10, 30 and 100 clients in 4 processes: seconds of a round, and memory. LeNet, null trainer, one broker."""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import psutil

from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from engine import telemetry

SIZES = (10, 30, 100)
PROCESSES = 4
ROUNDS = 30
MOST_GROWTH_MIB = 32
"""Of the server from the smallest federation to the largest: what is still called flat."""
MOST_LINEARITY = 1.5
"""Seconds per client of the largest federation to those of the one in the middle."""
MIB = 2**20


class Measured(NamedTuple):
    """One federation."""

    clients: int
    round_s: float
    """From one round's opening to the next, median."""
    server: float
    """MiB of memory of its own (USS), at the end; so are the two below."""
    client_process: float
    """The largest."""
    broker: float


def run() -> list[Row]:
    """The rows of this benchmark."""
    sizes = [_measure(clients) for clients in SIZES]
    return [*(figure for size in sizes for figure in _rows(size)), *_growth(sizes)]


def _measure(clients: int) -> Measured:
    shared = f"--clients-per-process={math.ceil(clients / PROCESSES)}"
    options = ("--trainer=null", "--dataset=digits", "--model=lenet", "--eval-every=1000")
    with Federation(*options, f"--clients={clients}", shared, "--rounds=100000") as federation:
        federation.wait_for_round(ROUNDS + 1)
        memory = {name: _private(pid) for name, pid in federation.pids().items()}
        opened = [ts for ts, _ in federation.events(telemetry.RoundOpened)]
    gaps = [after - before for before, after in itertools.pairwise(opened[1:])]
    return Measured(
        clients=clients,
        round_s=statistics.median(gaps),
        server=memory["server"],
        client_process=max(size for name, size in memory.items() if name.startswith("client")),
        broker=memory["broker"],
    )


def _private(pid: int) -> float:
    return float(psutil.Process(pid).memory_full_info().uss) / MIB


def _rows(size: Measured) -> list[Row]:
    name = f"{size.clients} clients in {PROCESSES} processes"
    return [
        row(f"{name}: one round_opened to the next, median of {ROUNDS}", size.round_s, "s"),
        row("    the same per client", size.round_s / size.clients * 1e3, "ms"),
        row("    private memory of the server", size.server, "MiB"),
        row("    of the largest client process", size.client_process, "MiB"),
        row(f"    of the broker, after {ROUNDS} rounds", size.broker, "MiB"),
    ]


def _growth(sizes: Sequence[Measured]) -> list[Row]:
    smallest, middle, largest = sizes
    per_client = [size.round_s / size.clients for size in (middle, largest)]
    return [
        row(
            f"server's memory, {largest.clients} clients over {smallest.clients}",
            largest.server - smallest.server,
            "MiB",
            at_most=MOST_GROWTH_MIB,
        ),
        row(
            f"seconds per client, {largest.clients} clients to {middle.clients}",
            per_client[1] / per_client[0],
            "times",
            at_most=MOST_LINEARITY,
        ),
    ]
