"""Accuracy of a real federation with the project's defaults: digits, and CIFAR-10 where it is on disk."""

import os

from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from engine import telemetry

CASES = (("digits", 0.90), ("cifar10", 0.55))


def run() -> list[Row]:
    """The rows of this benchmark; CIFAR-10 only where FLCONSOLE_DATA names it."""
    cases = [case for case in CASES if case[0] != "cifar10" or os.environ.get("FLCONSOLE_DATA")]
    return [_measure(*case) for case in cases]


def _measure(dataset: str, target: float) -> Row:
    options = (f"--dataset={dataset}", "--clients=4", "--rounds=10", "--seed=1")
    with Federation(*options) as federation:
        federation.finish()
        accuracy = federation.events(telemetry.RoundFinished)[-1][1].accuracy
    return row(
        f"accuracy on {dataset}: LeNet, 4 clients, 10 rounds of 1 epoch", accuracy, "", at_least=target
    )
