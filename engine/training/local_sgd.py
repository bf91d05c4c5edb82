"""Local training as one compiled function of one flat vector: all batches of a round in a single call.

SGD with momentum, and decoupled weight decay (Loshchilov and Hutter 2019), which the momentum does not see:

    v <- momentum * v + gradient;   w <- w - learning_rate * (v + weight_decay * w)

The momentum starts at zero in each call.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.core.weights import Vector
from engine.data import Examples
from engine.training.flat_model import read_layout, split_variables
from engine.training.runtime import return_free_memory

Tensors = list[tf.Tensor]
TensorPair = tuple[tf.Tensor, tf.Tensor]


class Batches(NamedTuple):
    """Which examples each step trains on."""

    rows: NDArray[np.int32]
    """Shape (steps, batch size)."""
    weights: NDArray[np.float32]
    """Same shape: 1, or 0 for an example that only fills a batch up."""


class LocalOutcome(NamedTuple):
    """The local model, and means over all examples as they were met in training."""

    vector: Vector
    loss: float
    accuracy: float


def plan_batches(num_examples: int, batch_size: int, epochs: int, rng: np.random.Generator) -> Batches:
    """Shuffles each epoch anew. The last batch counts too, however few examples are left for it.

    All batches have one shape, so that one compiled function serves: the last is filled up with examples
    from the start of the epoch, which weigh nothing in the gradient (batch normalisation does see them).
    """
    size = min(batch_size, num_examples)
    steps = -(-num_examples // size)
    rows = [np.resize(rng.permutation(num_examples), (steps, size)) for _ in range(epochs)]
    weights = (np.arange(steps * size) < num_examples).reshape(steps, size)
    return Batches(np.concatenate(rows).astype(np.int32), np.tile(weights, (epochs, 1)).astype(np.float32))


class LocalSgd:
    """Trains `model` on `examples`, compiled once for all rounds.

    Args:
        model: emits logits; its variables' values are not used, apart from those that are fixed.
        examples: copied to the device, uint8.
        config: learning rate, momentum, weight decay, and whether XLA compiles.
    """

    def __init__(self, model: keras.Model, examples: Examples, config: RunConfig) -> None:
        self._model = model
        self._config = config
        self._in_vector, _, self._seeds = split_variables(model)
        self._sizes = [tensor.size for tensor in read_layout(model).tensors]
        self._x, self._y = tf.constant(examples.x), tf.constant(examples.y)
        self._is_compiled = False
        self._run = tf.function(self._train, jit_compile=config.jit, autograph=False)

    def train(self, base: Vector, batches: Batches, rng: np.random.Generator) -> LocalOutcome:
        """Trains from `base` over all of `batches`.

        Args:
            base: the model's vector; not changed.
            batches: see `plan_batches`.
            rng: gives every seed state of the model (dropout) its value.
        """
        seeds = [tf.constant(rng.integers(0, 2**31, tuple(v.shape)), dtype=v.dtype) for v in self._seeds]
        rows, weights = tf.constant(batches.rows), tf.constant(batches.weights)
        vector, sums = self._run(tf.constant(base), seeds, (self._x, self._y), (rows, weights))
        if not self._is_compiled:
            self._is_compiled = True
            return_free_memory()
        count = float(batches.weights.sum(dtype=np.float64))
        loss, accuracy = sums.numpy() / count
        return LocalOutcome(vector.numpy(), float(loss), float(accuracy))

    def _train(
        self, base: tf.Tensor, seeds: Tensors, examples: TensorPair, batches: TensorPair
    ) -> TensorPair:
        """The graph of `train`: the local vector, and the sums of loss and of correct answers."""
        (x, y), (rows, weights) = examples, batches
        trainable, others = self._unpack(base, seeds)
        momenta = [tf.zeros_like(w) for w in trainable]

        def step(number: tf.Tensor, state: Any, sums: tf.Tensor) -> tuple[Any, ...]:
            row = rows[number]
            state, metrics = self._step(state, tf.gather(x, row), tf.gather(y, row), weights[number])
            return number + 1, state, sums + metrics

        _, (trainable, _, others), sums = tf.while_loop(
            lambda number, *_: number < tf.shape(rows)[0],
            step,
            (tf.constant(0), (trainable, momenta, others), tf.zeros(2)),
            parallel_iterations=1,
        )
        return self._pack(trainable, others), sums

    def _step(self, state: Any, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """One batch; the metrics are the sums of loss and correct answers over it."""
        trainable, momenta, others = state
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trainable)
            logits, others, penalties = self._model.stateless_call(
                trainable, others, tf.cast(x, tf.float32), training=True, return_losses=True
            )
            losses = weights * tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            objective = tf.add_n([tf.reduce_sum(losses) / tf.reduce_sum(weights), *penalties])
        gradients = tape.gradient(objective, trainable, unconnected_gradients="zero")
        trainable, momenta = self._descend(trainable, momenta, gradients)
        hits = tf.cast(tf.argmax(logits, 1, tf.int32) == y, tf.float32)
        return (trainable, momenta, list(others)), tf.stack(
            [tf.reduce_sum(losses), tf.reduce_sum(weights * hits)]
        )

    def _descend(self, weights: Tensors, momenta: Tensors, gradients: Tensors) -> tuple[Tensors, Tensors]:
        config = self._config
        momenta = [config.momentum * v + g for v, g in zip(momenta, gradients, strict=True)]
        shrink = 1 - config.learning_rate * config.weight_decay
        shrunk = weights if shrink == 1 else [shrink * w for w in weights]
        return [w - config.learning_rate * v for w, v in zip(shrunk, momenta, strict=True)], momenta

    def _unpack(self, vector: tf.Tensor, seeds: Tensors) -> tuple[Tensors, Tensors]:
        """The vector as the tensors that `stateless_call` takes: trainable ones and all others."""
        value_of = {
            id(v): tf.reshape(piece, v.shape)
            for v, piece in zip(self._in_vector, tf.split(vector, self._sizes), strict=True)
        }
        value_of |= {id(v): seed for v, seed in zip(self._seeds, seeds, strict=True)}

        def values(variables: Sequence[Any]) -> Tensors:
            return [value_of.get(id(v), v.value) for v in variables]

        return values(self._model.trainable_variables), values(self._model.non_trainable_variables)

    def _pack(self, trainable: Tensors, others: Tensors) -> tf.Tensor:
        """The inverse of `_unpack`."""
        variables = [*self._model.trainable_variables, *self._model.non_trainable_variables]
        value_of = {id(v): value for v, value in zip(variables, [*trainable, *others], strict=True)}
        return tf.concat([tf.reshape(value_of[id(v)], [-1]) for v in self._in_vector], 0)
