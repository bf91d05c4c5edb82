"""Seconds of a round beside training: 4 client processes, null trainer, codec none, the embedded broker."""

import itertools
import statistics

from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from engine import telemetry

CASES = (("LeNet", "lenet", 60, 0.12), ("10M parameters", "vector:10000000", 15, 2.5))


def run() -> list[Row]:
    """The rows of this benchmark."""
    return [figure for case in CASES for figure in _measure(*case)]


def _measure(name: str, model: str, rounds: int, target_s: float) -> list[Row]:
    options = ("--trainer=null", "--dataset=digits", "--clients=4", f"--model={model}", f"--rounds={rounds}")
    with Federation(*options) as federation:
        federation.finish()
        finished = [event for _, event in federation.events(telemetry.RoundFinished)]
        opened = [ts for ts, event in federation.events(telemetry.RoundOpened)]
    seconds = [event.seconds for event in finished[1:] if event.seconds is not None]
    cycles = [after - before for before, after in itertools.pairwise(opened[1:])]
    return [
        row(
            f"round, {name}: round_opened to digest, median of {len(seconds)}",
            statistics.median(seconds),
            "s",
            at_most=target_s,
        ),
        row(f"round, {name}: the slowest of {len(seconds)}", max(seconds), "s"),
        row(
            f"round, {name}: one round_opened to the next, checkpoint and publishing too, median",
            statistics.median(cycles),
            "s",
        ),
    ]
