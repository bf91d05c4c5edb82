"""`timed` and `buffered` while clients of different speed come and go; `buffered` against `sync`.

LeNet on digits, every client a process of its own. A slow client is slowed for real: it is stopped and
continued in turn, so that it runs for a share of the time and does not compete for the cores meanwhile.
"""

import itertools
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks._audit import Audit, Training, audit, read_trainings
from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from benchmarks._throttle import Throttle
from engine import telemetry

DIGITS = ("--dataset=digits", "--seed=1")

SHARES = {"1": 1.0, "2": 0.6, "3": 0.4, "4": 0.2, "5": 0.1}
"""Client -> share of the time for which it runs, of the federation that clients join and leave."""
EPOCHS = 2
"""A training of the fastest then takes half a second, and one of the slowest several intervals."""
INTERVAL_S = 2.0
MINIMUM = 3
MOST_OFF_S = 0.1
"""By which the median interval between aggregations may miss the configured one."""

SLOW_SHARE = 0.2
"""Of one client of four: it is five times slower than the others."""
SYNC_ROUNDS = 10
BUFFER = 3


def run() -> list[Row]:
    """The rows of this benchmark."""
    return [
        *_come_and_go("timed", 120.0, f"--aggregation-interval-seconds={INTERVAL_S:g}"),
        *_come_and_go("buffered", 60.0),
        *_buffered_against_sync(),
    ]


# --- clients that come and go


def _come_and_go(mode: str, seconds: float, *options: str) -> list[Row]:
    """Five clients of five speeds; one joins after a quarter of the time, one leaves, one more joins."""
    parts, minutes = len(SHARES) + 2, f"--duration-minutes={seconds / 60:g}"
    work = f"--local-epochs={EPOCHS}"
    rules = (f"--mode={mode}", f"--min-updates-per-aggregation={MINIMUM}", work, *options)
    with Federation(*DIGITS, f"--clients={len(SHARES)}", f"--parts={parts}", minutes, *rules) as federation:
        federation.wait_for_round(1)
        (began_at, _), *_ = federation.events(telemetry.RoundOpened)
        with Throttle(_by_pid(federation, SHARES)):
            federation.wait_until(began_at + seconds / 4)
            federation.command("add-client")
            federation.wait_until(began_at + seconds / 2)
            federation.command("kill-client", str(federation.run_dir), "2")
            federation.wait_until(began_at + 3 * seconds / 4)
            federation.command("add-client")
            federation.finish()
        found = audit(federation.run_dir)
        joined = len(federation.events(telemetry.ClientJoined)) - len(SHARES)
        left = len(federation.events(telemetry.ClientLeft))
    return [
        *_rows_of_intervals(mode, found),
        row(f"{mode}: fewest updates in an aggregation", min(found.updates_per_round), "", at_least=MINIMUM),
        row(f"{mode}: joined meanwhile", joined, "clients", at_least=2),
        row(f"{mode}: left meanwhile", left, "clients", at_least=1),
        *_rows_of_updates(mode, found),
    ]


def _rows_of_intervals(mode: str, found: Audit) -> list[Row]:
    """The last aggregation is left out: it comes when the run is over, not at a tick."""
    times = found.closed_at[:-1]
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    median, name = statistics.median(gaps), f"{mode}: seconds between {len(times)} aggregations"
    rows = [
        row(f"{name}, median", median, "s"),
        row("    95th percentile", gaps[int(0.95 * len(gaps))], "s"),
        row("    longest", gaps[-1], "s"),
    ]
    if mode == "timed":
        off = abs(median - INTERVAL_S)
        rows.append(row(f"    the median off the {INTERVAL_S:g} s configured", off, "s", at_most=MOST_OFF_S))
    return rows


def _rows_of_updates(mode: str, found: Audit) -> list[Row]:
    for problem in found.problems:
        print(f"{mode}: {problem}", file=sys.stderr)
    histogram = ", ".join(f"{staleness}: {count}" for staleness, count in sorted(found.staleness.items()))
    return [
        row(f"{mode}: updates in a model, by staleness {histogram}", found.counted, ""),
        row(f"{mode}: updates trained, by the clients' logs", found.trained, ""),
        row(f"{mode}: on their way when the run ended", found.open_at_end, ""),
        row(f"{mode}: lost, counted twice, or told differently", len(found.problems), "", at_most=0),
    ]


def _by_pid(federation: Federation, shares: Mapping[str, float]) -> dict[int, float]:
    """Pid -> share, of the clients that are to be slowed down."""
    pids = federation.pids()
    return {pids[f"client-{client}"]: share for client, share in shares.items() if share < 1}


# --- buffered against sync


def _buffered_against_sync() -> list[Row]:
    """The same time for both: what `sync` needs for its rounds, from the first opening on."""
    seconds, sync_accuracy, sync_idle, sync_updates = _learn(f"--rounds={SYNC_ROUNDS}")
    _, accuracy, idle, updates = _learn(
        "--mode=buffered",
        f"--min-updates-per-aggregation={BUFFER}",
        "--duration-minutes=30",
        seconds=seconds,
    )
    given = f"4 clients, one 5 times slower, {seconds:.0f} s"
    return [
        row(f"sync, {given}: accuracy", sync_accuracy, ""),
        row(f"buffered, {given}: accuracy", accuracy, "", at_least=sync_accuracy),
        row("sync: share of their time that clients are idle", sync_idle, ""),
        row("buffered: share of their time that clients are idle", idle, "", at_most=sync_idle),
        row("sync: updates in the model", sync_updates, ""),
        row("buffered: updates in the model", updates, ""),
    ]


def _learn(*options: str, seconds: float | None = None) -> tuple[float, float, float, int]:
    """Seconds, accuracy, share of idle time and updates of a federation with one slow client.

    Args:
        options: of the run.
        seconds: look at so much of it, from the first opening on; None waits for its end.
    """
    with Federation(*DIGITS, "--clients=4", *options) as federation:
        federation.wait_for_round(1)
        (began_at, _), *_ = federation.events(telemetry.RoundOpened)
        with Throttle(_by_pid(federation, {"4": SLOW_SHARE})):
            if seconds is None:
                federation.finish()
            else:
                federation.wait_until(began_at + seconds)
        finished = federation.events(telemetry.RoundFinished)
        end = finished[-1][0] if seconds is None else began_at + seconds
        done = [event for ts, event in finished if ts <= end]
        idle = _idle_share(federation.run_dir, began_at, end)
    return end - began_at, done[-1].accuracy, idle, sum(event.updates for event in done)


def _idle_share(run_dir: Path, begin: float, end: float) -> float:
    """Share of the wall-clock time that the clients did not train, all clients together."""
    processes = read_trainings(sorted((run_dir / "logs").glob("client*.log")))
    clients = {process.client for process in processes}
    trained_s = sum(_overlap(t, begin, end) for process in processes for t in process.trainings)
    return 1 - trained_s / (len(clients) * (end - begin))


def _overlap(training: Training, begin: float, end: float) -> float:
    """Seconds of the training that lie between the two."""
    started_at = training.ended_at - training.seconds
    return max(0.0, min(end, training.ended_at) - max(begin, started_at))
