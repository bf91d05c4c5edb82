"""Local training as one compiled function of one flat vector: all batches of a round in a single call.

SGD with momentum, and decoupled weight decay (Loshchilov and Hutter 2019), which the momentum does not see:

    v <- momentum * v + gradient;   w <- w - learning_rate * (v + weight_decay * w)

The momentum starts at zero in each call. The gradient is that of the mean loss over the examples of a batch;
with `class_weighting = "balanced"` each loss is multiplied by the weight of its class, as `class_weight` of
`keras.Model.fit` does. The loss that is reported is the plain mean in either case, so that runs compare.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.core.weights import Vector
from engine.data import DataSpec, Examples
from engine.training.augmentation import flip_crop
from engine.training.class_weights import balanced_class_weights
from engine.training.flat_model import read_layout, split_variables
from engine.training.runtime import return_free_memory

Tensors = list[tf.Tensor]


class Batches(NamedTuple):
    """Which examples each step trains on."""

    rows: NDArray[np.int32]
    """Shape (steps, batch size)."""
    weights: NDArray[np.float32]
    """Same shape: 1, or 0 for an example that only fills a batch up."""


class TrainingSet(NamedTuple):
    """One client's examples, on the device."""

    x: tf.Tensor
    y: tf.Tensor
    class_weights: tf.Tensor
    """Shape (classes,)."""


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
    """Trains `model`, compiled once for all rounds and all clients of a process.

    Args:
        model: emits logits; its variables' values are not used, apart from those that are fixed.
        spec: what the examples are.
        config: learning rate, momentum, weight decay, class weighting, augmentation, and whether XLA
            compiles (once for each number of examples, then: XLA knows no open shapes).
    """

    def __init__(self, model: keras.Model, spec: DataSpec, config: RunConfig) -> None:
        self._model = model
        self._spec = spec
        self._config = config
        self._in_vector, _, self._seeds = split_variables(model)
        self._sizes = [tensor.size for tensor in read_layout(model).tensors]
        self._is_compiled = False
        self._run = tf.function(self._train, self._signature(), jit_compile=config.jit, autograph=False)

    def place(self, examples: Examples) -> TrainingSet:
        """Copies one client's examples to the device."""
        classes = self._spec.classes
        if self._config.class_weighting == "balanced":
            class_weights = balanced_class_weights(examples.y, classes)
        else:
            class_weights = np.ones(classes, np.float32)
        return TrainingSet(tf.constant(examples.x), tf.constant(examples.y), tf.constant(class_weights))

    def train(
        self, base: Vector, examples: TrainingSet, batches: Batches, rng: np.random.Generator
    ) -> LocalOutcome:
        """Trains from `base` over all of `batches`.

        Args:
            base: the model's vector; not changed.
            examples: from `place`.
            batches: rows of `examples`; see `plan_batches`.
            rng: gives every seed state of the model (dropout) its value, and the augmentation its seed.
        """
        seeds = [tf.constant(rng.integers(0, 2**31, tuple(v.shape)), dtype=v.dtype) for v in self._seeds]
        image_seed = tf.constant(rng.integers(0, 2**31), tf.int32)
        placed = Batches(*map(tf.constant, batches))
        vector, sums = self._run(tf.constant(base), seeds, image_seed, examples, placed)
        if not self._is_compiled:
            self._is_compiled = True
            return_free_memory()
        count = float(batches.weights.sum(dtype=np.float64))
        loss, accuracy = sums.numpy() / count
        return LocalOutcome(vector.numpy(), float(loss), float(accuracy))

    def _signature(self) -> tuple[Any, ...]:
        """Of `_train`, traced once: open are the numbers of examples, of steps and of examples in a step."""
        dtype = tf.uint8 if self._spec.is_image else tf.float32
        return (
            tf.TensorSpec([sum(self._sizes)], tf.float32),
            [tf.TensorSpec(v.shape, v.dtype) for v in self._seeds],
            tf.TensorSpec([], tf.int32),
            TrainingSet(
                tf.TensorSpec([None, *self._spec.input_shape], dtype),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([self._spec.classes], tf.float32),
            ),
            Batches(tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32)),
        )

    def _train(
        self, base: tf.Tensor, seeds: Tensors, image_seed: tf.Tensor, examples: TrainingSet, batches: Batches
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The graph of `train`: the local vector, and the sums of loss and of correct answers."""
        trainable, others = self._unpack(base, seeds)
        momenta = [tf.zeros_like(w) for w in trainable]

        def step(number: tf.Tensor, state: Any, sums: tf.Tensor) -> tuple[Any, ...]:
            row, weights = batches.rows[number], batches.weights[number]
            x, y = tf.gather(examples.x, row), tf.gather(examples.y, row)
            if self._config.augmentation == "flip_crop":
                x = flip_crop(x, tf.stack([image_seed, number]))
            objective_weights = weights
            if self._config.class_weighting == "balanced":
                objective_weights = weights * tf.gather(examples.class_weights, y)
            state, metrics = self._step(state, x, y, weights, objective_weights)
            return number + 1, state, sums + metrics

        _, (trainable, _, others), sums = tf.while_loop(
            lambda number, *_: number < tf.shape(batches.rows)[0],
            step,
            (tf.constant(0), (trainable, momenta, others), tf.zeros(2)),
            parallel_iterations=1,
        )
        return self._pack(trainable, others), sums

    def _step(
        self, state: Any, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor, objective_weights: tf.Tensor
    ) -> tuple[Any, tf.Tensor]:
        """One batch; the metrics are the sums of loss and correct answers over it."""
        trainable, momenta, others = state
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trainable)
            logits, others, penalties = self._model.stateless_call(
                trainable, others, tf.cast(x, tf.float32), training=True, return_losses=True
            )
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            mean = tf.reduce_sum(objective_weights * losses) / tf.reduce_sum(weights)
            objective = tf.add_n([mean, *penalties])
        gradients = tape.gradient(objective, trainable, unconnected_gradients="zero")
        trainable, momenta = self._descend(trainable, momenta, gradients)
        hits = tf.cast(tf.argmax(logits, 1, tf.int32) == y, tf.float32)
        return (trainable, momenta, list(others)), tf.stack(
            [tf.reduce_sum(weights * losses), tf.reduce_sum(weights * hits)]
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
