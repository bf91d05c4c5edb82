"""Seconds of a round beside training: 4 client processes, null trainer, codec none, the embedded broker."""

import itertools
import statistics
from typing import Any

from benchmarks._federation import Federation
from engine import telemetry

CASES = (("LeNet", "lenet", 60, 0.12), ("10M parameters", "vector:10000000", 15, 2.5))


def run() -> list[dict[str, Any]]:
    """The rows of this benchmark."""
    return [row for case in CASES for row in _measure(*case)]


def _measure(name: str, model: str, rounds: int, target_s: float) -> list[dict[str, Any]]:
    options = ("--trainer=null", "--dataset=digits", "--clients=4", f"--model={model}", f"--rounds={rounds}")
    with Federation(*options) as federation:
        federation.finish()
        finished = [event for _, event in federation.events(telemetry.RoundFinished)]
        opened = [ts for ts, event in federation.events(telemetry.RoundOpened)]
    seconds = [event.seconds for event in finished[1:] if event.seconds is not None]
    cycles = [after - before for before, after in itertools.pairwise(opened[1:])]
    median = statistics.median(seconds)
    return [
        {
            "name": f"round, {name}: round_opened to digest, median of {len(seconds)}",
            "value": median,
            "unit": "s",
            "target": f"<= {target_s}",
            "ok": median <= target_s,
        },
        {
            "name": f"round, {name}: the slowest of {len(seconds)}",
            "value": max(seconds),
            "unit": "s",
            "target": None,
            "ok": None,
        },
        {
            "name": f"round, {name}: one round_opened to the next, checkpoint and publishing too, median",
            "value": statistics.median(cycles),
            "unit": "s",
            "target": None,
            "ok": None,
        },
    ]


def main() -> None:
    """Prints the rows."""
    for row in run():
        print(f"{row['name']}: {row['value']:.3f} {row['unit']} {row['target'] or ''}")


if __name__ == "__main__":
    main()
