"""Training without learning: seeded noise in place of a gradient, and no TensorFlow in the process.

It exercises everything around training (transport, sums, recovery) at any model size.
"""

from pathlib import Path

import numpy as np

from engine.config import RunConfig
from engine.core.update import TrainingMetrics
from engine.core.weights import Layout, Vector, Weights
from engine.data.randomness import training_generator
from engine.errors import ConfigError
from engine.training.adaptation import ReadCheckpoint, start_from
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

    def train(
        self,
        base: Vector,  # noqa: ARG002 - noise has no base
        *,
        client: str,
        round_number: int,
        delta: Vector,
        repeat: int = 0,
    ) -> LocalResult:
        """Writes the noise of this client, round and repeat into `delta`."""
        rng = training_generator(self._seed, "null trainer", client, round_number, repeat)
        rng.standard_normal(dtype=np.float32, out=delta)
        np.multiply(delta, np.float32(NOISE), out=delta)
        return LocalResult(self._num_examples, TrainingMetrics())


class NullEvaluator:
    """The server's side: a seeded initial vector, and nothing to evaluate or to save as `.keras`.

    Args:
        config: of the run.
        read_checkpoint: reads what `init_from` names.
    """

    def __init__(self, config: RunConfig, *, read_checkpoint: ReadCheckpoint | None = None) -> None:
        self._config = config
        self._read_checkpoint = read_checkpoint

    def examples_by_part(self) -> dict[int, int]:
        return {part: null_num_examples(part) for part in range(self._config.num_parts)}

    def initial_weights(self) -> Weights:
        """The seeded initial vector, or what `init_from` holds.

        Raises:
            ConfigError: `init_from` is a `.keras` file, which only TensorFlow can read.
            LayoutMismatch: it is of another model, and `adapt` is not set or nothing matches.
        """
        seeded = get_random_weights(self._config.model, seed=self._config.seed)
        if self._config.init_from is None:
            return seeded
        path = Path(self._config.init_from)
        if path.suffix == ".keras" or self._read_checkpoint is None:
            raise ConfigError(f"init_from = {path}: trainer = 'null' starts from a checkpoint only")
        return start_from(seeded, self._read_checkpoint(path), source=path, allow_adapt=self._config.adapt)

    def evaluate(self, vector: Vector) -> Evaluation | None:  # noqa: ARG002 - the protocol's signature
        return None

    def save_model(self, vector: Vector, path: str) -> bool:  # noqa: ARG002 - the protocol's signature
        return False
