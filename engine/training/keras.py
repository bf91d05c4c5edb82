"""Training and evaluation with Keras on TensorFlow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from engine.config import RunConfig
from engine.core.update import TrainingMetrics
from engine.core.weights import Layout, Vector, Weights
from engine.data import (
    Examples,
    data_spec,
    load_held_out,
    load_labels,
    load_part,
    split_local_test,
)
from engine.data.randomness import generator, training_generator
from engine.data.user import DataFunction
from engine.errors import ConfigError, TrainingError
from engine.training.adaptation import ReadCheckpoint, start_from
from engine.training.augmentation import require_images
from engine.training.base import Evaluation, LocalResult, ModelFunction
from engine.training.flat_model import read_layout, read_weights, write_weights
from engine.training.local_sgd import LocalSgd, plan_batches
from engine.training.models import build_model
from engine.training.runtime import configure

_EVALUATION_BATCH = 250
"""Examples evaluated at once: enough to keep the processor busy, few enough for a CNN's activations."""


class KerasTrainers:
    """Opens the trainers of one process: they share one model, and training that is compiled once.

    Both are made for the first of them. Only one may train at a time.

    Args:
        config: of the run.
        gpu: the GPU to train on; None for one by the first trainer's part.
        model: makes the model instead of what `config.model` names.
        data: makes the data instead of what `config.dataset` names.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        gpu: int | None = None,
        model: ModelFunction | None = None,
        data: DataFunction | None = None,
    ) -> None:
        self._config, self._gpu, self._model, self._data = config, gpu, model, data
        self._shared: _SharedModel | None = None

    def __call__(self, client: str, part: int) -> "KerasTrainer":
        """The trainer of one client on its part of the data.

        Raises:
            ConfigError: the model cannot be built.
            DataError: the part cannot be loaded.
            TrainingError: TensorFlow does not start on this host.
        """
        if self._shared is None:
            configure(self._config, index=part if self._gpu is None else self._gpu)
        examples = load_part(self._config, part, self._data)
        with _training_errors(client):
            if self._shared is None:
                self._shared = _SharedModel(self._config, self._model, self._data)
            return KerasTrainer(self._shared, self._config, examples, part=part)


class _SharedModel:
    """What all trainers of a process have in common."""

    def __init__(self, config: RunConfig, model: ModelFunction | None, data: DataFunction | None) -> None:
        self.model = build_run_model(config, model, data)
        self.layout = read_layout(self.model)
        self.sgd = LocalSgd(self.model, data_spec(config, data), config)


class KerasTrainer:
    """Local training of one client; `KerasTrainers` makes it."""

    def __init__(self, shared: _SharedModel, config: RunConfig, examples: Examples, *, part: int) -> None:
        self._shared, self._config = shared, config
        x, y = examples
        apart_rng = generator(config.seed, "local test", part)
        rows, apart = split_local_test(len(y), config.local_test_fraction, apart_rng)
        self._num_examples = len(rows)
        self._local_test = Examples(x[apart], y[apart])
        self._examples = shared.sgd.place(Examples(x[rows], y[rows]) if len(apart) else examples)

    @property
    def layout(self) -> Layout:
        return self._shared.layout

    @property
    def num_examples(self) -> int:
        return self._num_examples

    def train(
        self, base: Vector, *, client: str, round_number: int, delta: Vector, repeat: int = 0
    ) -> LocalResult:
        """See `Trainer.train`."""
        config, shared = self._config, self._shared
        rng = training_generator(config.seed, "train", client, round_number, repeat)
        batches = plan_batches(self._num_examples, config.batch_size, config.local_epochs, rng)
        with _training_errors(client):
            outcome = shared.sgd.train(base, self._examples, batches, rng)
            test_accuracy = None
            if len(self._local_test.y):
                test_accuracy = evaluate_model(shared.model, outcome.vector, self._local_test).accuracy
        np.subtract(outcome.vector, base, out=delta)
        metrics = TrainingMetrics(
            train_loss=outcome.loss, train_accuracy=outcome.accuracy, test_accuracy=test_accuracy
        )
        return LocalResult(self._num_examples, metrics)


class KerasEvaluator:
    """The server's side: the initial model, held-out evaluation, and the model as a `.keras` file.

    Args:
        config: of the run.
        read_checkpoint: reads an `init_from` that is not a `.keras` file.
        model: makes the model instead of what `config.model` names.
        data: makes the data instead of what `config.dataset` names.

    Raises:
        ConfigError: the model cannot be built, or `init_from` cannot be read.
        DataError: the held-out examples cannot be loaded.
        TrainingError: TensorFlow does not start on this host.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        read_checkpoint: ReadCheckpoint | None = None,
        model: ModelFunction | None = None,
        data: DataFunction | None = None,
    ) -> None:
        configure(config, index=0)
        self._config, self._data = config, data
        self._read_checkpoint = read_checkpoint
        self._held_out = load_held_out(config, data)
        with _training_errors("server"):
            self._model = build_run_model(config, model, data)
            self._seeded = read_weights(self._model)

    def examples_by_part(self) -> dict[int, int]:
        return {part: len(labels) for part, labels in enumerate(load_labels(self._config, self._data))}

    def initial_weights(self) -> Weights:
        """The seeded initial model, or what `init_from` holds.

        Raises:
            ConfigError: `init_from` cannot be read.
            LayoutMismatch: it is of another model, and `adapt` is not set or nothing matches.
        """
        if self._config.init_from is None:
            return self._seeded
        path = Path(self._config.init_from)
        given = _read_start(path, self._read_checkpoint)
        return start_from(self._seeded, given, source=path, allow_adapt=self._config.adapt)

    def evaluate(self, vector: Vector) -> Evaluation | None:
        with _training_errors("server"):
            return evaluate_model(self._model, vector, self._held_out)

    def save_model(self, vector: Vector, path: str) -> bool:
        """Writes the model, normalisation included, for `keras.models.load_model`."""
        write_weights(self._model, vector)
        self._model.save(path)
        return True


def evaluate_model(model: keras.Model, vector: Vector, examples: Examples) -> Evaluation:
    """Mean loss and accuracy over all of `examples`."""
    write_weights(model, vector)
    loss = correct = 0.0
    for first in range(0, len(examples.y), _EVALUATION_BATCH):
        batch = slice(first, first + _EVALUATION_BATCH)
        batch_loss, batch_correct = _evaluate_batch(
            model, tf.constant(examples.x[batch]), tf.constant(examples.y[batch])
        )
        loss, correct = loss + float(batch_loss), correct + float(batch_correct)
    return Evaluation(loss / len(examples.y), correct / len(examples.y), len(examples.y))


@tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator] # TensorFlow is untyped
def _evaluate_batch(model: keras.Model, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums of loss and of correct answers."""
    logits = model(tf.cast(x, tf.float32), training=False)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    hits = tf.argmax(logits, 1, tf.int32) == y
    return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.float32))


def build_run_model(
    config: RunConfig, model: ModelFunction | None = None, data: DataFunction | None = None
) -> keras.Model:
    """The model of a run, for its data; those that are given, or what `config` names.

    Raises:
        ConfigError: it cannot be built, or it or the augmentation is not for such data.
        DataError: the user's data cannot be loaded.
    """
    spec = data_spec(config, data)
    if config.augmentation != "none":
        require_images(spec)
    return build_model(config.model, seed=config.seed, spec=spec, create=model)


def _read_start(path: Path, read_checkpoint: ReadCheckpoint | None) -> Weights:
    if path.suffix != ".keras" and read_checkpoint is not None:
        return read_checkpoint(path)
    try:
        return read_weights(keras.models.load_model(path, compile=False, safe_mode=True))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"init_from = {path}: {error}") from error


@contextmanager
def _training_errors(who: str) -> Iterator[None]:
    """Maps TensorFlow's errors to ours."""
    try:
        yield
    except (tf.errors.OpError, MemoryError) as error:
        raise TrainingError(f"{who}: {type(error).__name__}: {_told(str(error))}") from error


def _told(text: str) -> str:
    """The line of TensorFlow's message that tells what happened.

    In a graph that is not the first: where the node was defined stands before it, the node's name after it.
    """
    lines = [line for line in text.partition("\t [[")[0].splitlines() if line.strip()]
    if not lines or not lines[0].startswith("Graph execution error"):
        return lines[0] if lines else "no more is known"
    return [line for line in lines if not line[0].isspace()][-1]
