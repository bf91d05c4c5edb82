"""What grows in 5,000 rounds: LeNet, null trainer, 4 clients, the embedded broker with its recyclings.

`python -m benchmarks.soak --rounds 600` is a short one, `--samples FILE` keeps what was seen, as CSV.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.__main__ import table
from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from engine import telemetry

ROUNDS = 5000
CLIENTS = 4
EVERY_S = 2.0
WARM_UP = 0.2
"""Share of the rounds in which pools fill, and that no slope is drawn through."""
MOST_GROWTH_MIB = 1.0
"""Per 1,000 rounds: what is still called flat."""
MOST_MB = 200
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one process."""

    name: str
    pid: int
    rounds: int
    """Rounds that were finished by then."""
    private: int
    """Bytes of memory that are its own (USS)."""
    resident: int
    """Bytes (RSS)."""
    descriptors: int
    threads: int
    run_dir: int
    """Bytes of the run's directory at that time."""


def run(rounds: int = ROUNDS, samples: Path | None = None) -> list[Row]:
    """The rows of this benchmark.

    Args:
        rounds: of the run.
        samples: a file for everything that was seen; None keeps it to the rows.
    """
    options = ("--trainer=null", "--dataset=digits", "--model=lenet", f"--clients={CLIENTS}")
    with Federation(*options, f"--rounds={rounds}") as federation:
        seen = list(_watch(federation))
        federation.finish()
        seconds = [e.seconds for _, e in federation.events(telemetry.RoundFinished) if e.seconds is not None]
        recyclings = len(federation.events(telemetry.BrokerRecycled))
        size = _size(federation.run_dir)
    if samples is not None:
        _keep(samples, seen)
    tenth = len(seconds) // 10
    return [
        *_rows_of_processes(seen, rounds),
        row(f"run directory after {rounds} rounds", size / 1e6, "MB", at_most=MOST_MB),
        row("recyclings of the broker", recyclings, "", at_least=rounds // 600),
        row("rounds finished", len(seconds), "", at_least=rounds),
        row("round, median of the first tenth", statistics.median(seconds[:tenth]), "s"),
        row("round, median of the last tenth", statistics.median(seconds[-tenth:]), "s"),
    ]


def _watch(federation: Federation) -> Iterator[Seen]:
    """Looks at every process every few seconds until the run ends."""
    federation.wait_for_round(1)
    while federation.process.poll() is None:
        time.sleep(EVERY_S)
        rounds, size = _rounds(federation.run_dir), _size(federation.run_dir)
        for name, pid in federation.pids().items():
            try:
                look = _look(name, psutil.Process(pid), rounds, size)
            except psutil.NoSuchProcess:
                continue  # a broker that was recycled, or the end
            if look.resident:  # a process that has ended and was not reaped yet has none
                yield look


def _look(name: str, process: psutil.Process, rounds: int, run_dir: int) -> Seen:
    memory = process.memory_full_info()
    return Seen(
        name=name,
        pid=process.pid,
        rounds=rounds,
        private=memory.uss,
        resident=memory.rss,
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        run_dir=run_dir,
    )


def _rounds(run_dir: Path) -> int:
    """Rounds finished: the lines of the table below its heading."""
    return (run_dir / "metrics.csv").read_bytes().count(b"\n") - 1


def _size(run_dir: Path) -> int:
    sizes = []
    for path in run_dir.rglob("*"):
        try:
            sizes.append(path.stat().st_blocks * 512)
        except FileNotFoundError:
            continue  # a checkpoint that was pruned meanwhile
    return sum(sizes)


def _rows_of_processes(seen: Sequence[Seen], rounds: int) -> Iterator[Row]:
    warm = [look for look in seen if look.rounds >= WARM_UP * rounds]
    for name in sorted({look.name for look in warm}):
        looks = [look for look in warm if look.name == name]
        if name == "broker":
            brokers = len({look.pid for look in looks})
            peak = max(look.resident for look in looks) / MIB
            yield row(f"broker: most resident memory, {brokers} of them one after the other", peak, "MiB")
            continue
        yield from _slopes(name, looks)


def _slopes(name: str, looks: Sequence[Seen]) -> Iterator[Row]:
    """What a process that lives as long as the run gains per 1,000 rounds, by least squares."""
    times = [look.rounds / 1000 for look in looks]
    private = [look.private / MIB for look in looks]
    resident = [look.resident / MIB for look in looks]
    descriptors = [float(look.descriptors) for look in looks]
    spread = f"{min(private):.1f} to {max(private):.1f} MiB"
    yield row(
        f"{name}: private memory ({spread}) per 1,000 rounds",
        _slope(times, private),
        "MiB",
        at_most=MOST_GROWTH_MIB,
    )
    yield row(f"{name}: resident memory per 1,000 rounds", _slope(times, resident), "MiB")
    spread = f"{min(descriptors):.0f} to {max(descriptors):.0f}"
    yield row(
        f"{name}: descriptors ({spread}), median of the last third less the first's",
        _drift(descriptors),
        "",
        at_most=0,
    )
    yield row(f"{name}: threads, the same", _drift([float(look.threads) for look in looks]), "", at_most=0)


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    return statistics.linear_regression(times, values).slope


def _drift(values: Sequence[float]) -> float:
    third = max(1, len(values) // 3)
    return statistics.median(values[-third:]) - statistics.median(values[:third])


def _keep(path: Path, seen: Sequence[Seen]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, Seen.__dataclass_fields__)
        table.writeheader()
        table.writerows(map(asdict, seen))


def main(words: Sequence[str]) -> None:
    """A soak of another length."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--samples", type=Path)
    arguments = parser.parse_args(words)
    print("\n".join(table(run(arguments.rounds, arguments.samples))))


if __name__ == "__main__":
    main(sys.argv[1:])
