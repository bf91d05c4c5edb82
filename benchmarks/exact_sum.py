"""The exact sum against a plain float32 multiply-add, side by side in one process on one thread."""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from benchmarks._rows import Row, row
from engine.core.exact_sum import ExactSum
from engine.core.weights import Vector

UPDATES = 50
LARGE = 10_000_000
LENET = 62_006
BLOCK = 1 << 16
NUM_EXAMPLES = 1000


def an_update(size: int) -> Vector:
    """A delta of about the size that one local epoch gives."""
    return np.random.default_rng(1).standard_normal(size, np.float32) * np.float32(1e-3)


def multiply_add(total: Vector, delta: Vector, scratch: Vector) -> None:
    """What a mean without exactness costs: total += n * delta, in cache-sized blocks."""
    for start in range(0, delta.size, BLOCK):
        block = delta[start : start + BLOCK]
        product = scratch[: block.size]
        np.multiply(block, np.float32(NUM_EXAMPLES), out=product)
        part = total[start : start + BLOCK]
        part += product


def seconds(*actions: Callable[[], None], repeats: int) -> list[float]:
    """Best of some tries of each, taken in turns: what else runs on the machine only ever adds."""
    best = [float("inf")] * len(actions)
    for _ in range(repeats):
        for which, action in enumerate(actions):
            start = time.perf_counter()
            action()
            best[which] = min(best[which], time.perf_counter() - start)
    return best


def sum_up(total: ExactSum, delta: Vector, out: Vector) -> None:
    """One round: all updates and the mean."""
    total.reset()
    for _ in range(UPDATES):
        total.add(delta, NUM_EXAMPLES)
    total.mean(out)


def large_rows() -> list[Row]:
    """Speed and memory with ten million values."""
    delta = an_update(LARGE)
    plain_total, scratch, mean = np.zeros_like(delta), np.empty(BLOCK, np.float32), np.empty_like(delta)
    tracemalloc.start()
    total = ExactSum(LARGE)
    sum_up(total, delta, mean)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    def plain() -> None:
        for _ in range(UPDATES):
            multiply_add(plain_total, delta, scratch)

    plain_s, exact_s = seconds(plain, lambda: sum_up(total, delta, mean), repeats=5)
    return [
        row("plain float32 multiply-add, 50 x 10M", plain_s, "s"),
        row("exact sum and mean, 50 x 10M", exact_s, "s"),
        row("exact sum as a share of the plain speed", plain_s / exact_s, "ratio", at_least=0.4),
        row("memory of the sum, beside update and mean", most_bytes / delta.nbytes, "models", at_most=3.0),
    ]


def lenet_rows() -> list[Row]:
    """Time for one round of a small model."""
    delta = an_update(LENET)
    total, mean = ExactSum(LENET), np.empty_like(delta)
    (exact_s,) = seconds(lambda: sum_up(total, delta, mean), repeats=30)
    return [row("exact sum and mean, 50 x LeNet", 1000 * exact_s, "ms", at_most=4.0)]


def run() -> list[Row]:
    """Measures everything; takes about ten seconds."""
    return large_rows() + lenet_rows()
