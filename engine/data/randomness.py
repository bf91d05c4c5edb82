"""One generator for each purpose, the same in every process."""

import json

import numpy as np
from blake3 import blake3


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator that depends on its arguments alone, for example `generator(seed, "train", client, 3)`.

    Purposes that differ in any element give independent streams (BLAKE3 into numpy's `SeedSequence`).
    """
    key = blake3(json.dumps([seed, *purpose]).encode()).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(key, "little")))


def training_generator(
    seed: int, purpose: str, client: str, round_number: int, repeat: int
) -> np.random.Generator:
    """The generator of one local training: one for each of a client's trainings from the same base."""
    return generator(seed, purpose, client, round_number, *([repeat] if repeat else []))
