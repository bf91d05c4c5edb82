"""Training without learning: seeded noise in place of a gradient, and no TensorFlow in the process.

It exercises everything around training (transport, sums, recovery) at any model size.
"""

import numpy as np

from engine.config import RunConfig
from engine.core.update import TrainingMetrics
from engine.core.weights import Layout, Vector, Weights
from engine.data.randomness import generator
from engine.training.base import Evaluation, LocalResult
from engine.training.layouts import get_random_weights, static_layout

NOISE = 1e-3
"""Standard deviation of each value of a delta."""


def null_num_examples(part: int) -> int:
    """Examples that a part pretends to have; they differ, so that weighting by them shows."""
    return 1000 + part % 100


class NullTrainer:
    """A client whose delta is N(0, 1e-3) noise from (seed, client, round)."""

    def __init__(self, config: RunConfig, *, part: int) -> None:
        self._seed = config.seed
        self._layout = static_layout(config.model)
        self._num_examples = null_num_examples(part)

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def num_examples(self) -> int:
        return self._num_examples

    def train(self, base: Vector, *, client: str, round_number: int, delta: Vector) -> LocalResult:  # noqa: ARG002 - noise has no base
        """Writes the noise of this client and round into `delta`."""
        rng = generator(self._seed, "null trainer", client, round_number)
        rng.standard_normal(dtype=np.float32, out=delta)
        np.multiply(delta, np.float32(NOISE), out=delta)
        return LocalResult(self._num_examples, TrainingMetrics())


class NullEvaluator:
    """The server's side: a seeded initial vector, and nothing to evaluate or to save as `.keras`."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config

    def examples_by_part(self) -> dict[int, int]:
        return {part: null_num_examples(part) for part in range(self._config.num_parts)}

    def initial_weights(self) -> Weights:
        return get_random_weights(self._config.model, seed=self._config.seed)

    def evaluate(self, vector: Vector) -> Evaluation | None:  # noqa: ARG002 - the protocol's signature
        return None

    def save_model(self, vector: Vector, path: str) -> bool:  # noqa: ARG002 - the protocol's signature
        return False
