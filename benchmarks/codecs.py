"""What codecs save and cost: on normal noise, and on what the CNN really learns in one round on the digits.

All sides run in one thread of one process, and time is what they take of a core, whatever runs beside them.
The delta is that of one of three clients, from the global model after some rounds of federated averaging; it
is made in another process, with TensorFlow.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks._rows import Row, row
from engine.codecs import open_codec
from engine.codecs.compression import compress_data, decompress_data
from engine.core.weights import Vector

ROUNDS, CLIENTS = 4, 3
NOISE_RATIO, DELTA_RATIO = 1.15, 1.4
TARGET_MBPS = 250
REPEATS = 25
GZIP_REPEATS = 2
SHUFFLED = "shuffle+zstd"


class Figures(NamedTuple):
    """One side on one vector."""

    ratio: float
    encode_mbps: float
    decode_mbps: float


def run() -> list[Row]:
    """The rows of this benchmark; takes half a minute, most of it training."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npz"
        command = [sys.executable, "-m", "benchmarks.codecs", str(path)]
        subprocess.run(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, check=True)
        with np.load(path) as made:
            delta, model = made["delta"], made["model"]
    noise = np.random.default_rng(1).normal(0, 0.05, delta.size).astype(np.float32)
    return [
        *_rows("N(0, 0.05)", noise, at_least=NOISE_RATIO),
        *_rows(f"delta of the CNN, round {ROUNDS + 1}", delta, at_least=DELTA_RATIO),
        *_rows(f"the CNN after {ROUNDS} rounds", model),
    ]


def _rows(what: str, vector: Vector, *, at_least: float | None = None) -> Iterator[Row]:
    for side, (encode, decode), repeats in (
        (SHUFFLED, _shuffled(vector), REPEATS),
        ("zstd alone", _zstd(vector), REPEATS),
        ("gzip -6", _gzip(vector), GZIP_REPEATS),
    ):
        figures = _measure(vector, encode, decode, repeats)
        is_ours = side == SHUFFLED
        speed = TARGET_MBPS if is_ours else None
        yield row(f"{what}: {side}", figures.ratio, "x", at_least=at_least if is_ours else None)
        yield row(f"{what}: {side}, encode", figures.encode_mbps, "MB/s", at_least=speed)
        yield row(f"{what}: {side}, decode", figures.decode_mbps, "MB/s", at_least=speed)


Encoded = bytes | np.ndarray
Side = tuple[Callable[[], Encoded], Callable[[Encoded], object]]
"""Writes the vector, and reads what was written."""


def _shuffled(vector: Vector) -> Side:
    codec = open_codec(SHUFFLED)
    out = np.empty(codec.max_bytes(vector.size), np.uint8)
    return lambda: out[: codec.encode(vector, out)], lambda payload: codec.decode(payload, vector.size)


def _zstd(vector: Vector) -> Side:
    return lambda: compress_data(vector.data.cast("B")), lambda data: decompress_data(data, vector.nbytes)


def _gzip(vector: Vector) -> Side:
    return lambda: gzip.compress(vector.data.cast("B"), 6), gzip.decompress


def _measure(
    vector: Vector, encode: Callable[[], Encoded], decode: Callable[[Encoded], object], repeats: int
) -> Figures:
    """The best of some tries: caches that others fill only ever cost."""
    encoded = encode()
    assert np.asarray(memoryview(decode(encoded))).tobytes() == vector.tobytes()
    megabytes = vector.nbytes / 1e6
    speeds = [
        megabytes / min(_seconds(action) for _ in range(repeats))
        for action in (encode, lambda: decode(encoded))
    ]
    return Figures(vector.nbytes / len(encoded), *speeds)


def _seconds(action: Callable[[], object]) -> float:
    start = time.thread_time()
    action()
    return time.thread_time() - start


def train(path: Path) -> None:
    """Writes a global model some rounds old, and what the first client learns from it in the next."""
    from engine.config import RunConfig  # noqa: PLC0415 - TensorFlow only in the process that trains
    from engine.training.factory import open_evaluator, open_trainer  # noqa: PLC0415

    config = RunConfig(model="cnn", dataset="digits", clients=CLIENTS)
    model = open_evaluator(config).initial_weights().vector.copy()
    trainers = [open_trainer(config, client=str(part + 1), part=part) for part in range(CLIENTS)]
    deltas = np.empty((CLIENTS, model.size), np.float32)
    for number in range(1, ROUNDS + 2):
        examples = [
            trainer.train(model, client=str(part + 1), round_number=number, delta=deltas[part]).num_examples
            for part, trainer in enumerate(trainers)
        ]
        if number <= ROUNDS:
            model += np.average(deltas, axis=0, weights=examples).astype(np.float32)
    np.savez(path, model=model, delta=deltas[0])


if __name__ == "__main__":
    train(Path(sys.argv[1]))
