"""Local training is plain SGD over every example, whatever the batch size leaves over."""

import keras
import numpy as np
import pytest

from engine.config import RunConfig
from engine.core.weights import Role
from engine.data import DataSpec, Examples
from engine.data.randomness import generator
from engine.training.flat_model import read_layout, read_weights, write_weights
from engine.training.local_sgd import LocalSgd, plan_batches

pytestmark = pytest.mark.tensorflow

SPEC = DataSpec((4, 4, 1), is_image=True, classes=3)


def small_model():
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Rescaling(1 / 255, name="scale"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(8, activation="tanh", name="hidden"),
            keras.layers.Dense(3, name="logits"),
        ]
    )


def examples(count):
    rng = generator(1, "test examples")
    return Examples(rng.integers(0, 256, (count, 4, 4, 1), np.uint8), rng.integers(0, 3, count, np.int32))


def train(model, data, batches, **settings):
    sgd = LocalSgd(model, SPEC, RunConfig(**settings))
    return sgd.train(read_weights(model).vector, sgd.place(data), batches, generator(1, "seeds"))


def train_with_keras(model, data, batches, *, momentum, weight_decay=None):
    """The same batches, the last one short, through Keras' own optimizer."""
    optimizer = keras.optimizers.SGD(0.05, momentum=momentum, weight_decay=weight_decay)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for rows, weights in zip(*batches, strict=True):
        used = rows[weights > 0]
        model.train_on_batch(data.x[used], data.y[used])
    return read_weights(model).vector


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("count", [5, 16, 21])
def test_it_takes_the_steps_that_keras_takes(count, momentum):
    model, data = small_model(), examples(count)
    batches = plan_batches(count, 8, 2, generator(1))

    ours = train(model, data, batches, learning_rate=0.05, momentum=momentum).vector

    assert ours == pytest.approx(train_with_keras(model, data, batches, momentum=momentum), abs=2e-6)


def test_weight_decay_is_taken_off_each_weight_beside_the_momentum():
    model, data = small_model(), examples(8)
    before = read_weights(model).vector
    batches = plan_batches(8, 8, 1, generator(1))

    plain = train(model, data, batches, learning_rate=0.1).vector
    decayed = train(model, data, batches, learning_rate=0.1, weight_decay=0.5).vector

    assert decayed == pytest.approx(plain - 0.1 * 0.5 * before, abs=1e-6)


def test_loss_and_accuracy_are_means_over_all_examples():
    model, data = small_model(), examples(11)
    batches = plan_batches(11, 4, 1, generator(1))

    outcome = train(model, data, batches, learning_rate=1e-9, momentum=0.0)

    logits = np.asarray(model(data.x.astype(np.float32)))
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert outcome.loss == pytest.approx(-log_probabilities[np.arange(11), data.y].mean(), abs=1e-5)
    assert outcome.accuracy == pytest.approx((logits.argmax(axis=1) == data.y).mean())


@pytest.mark.parametrize(("count", "size", "steps"), [(1, 32, 1), (32, 32, 1), (33, 32, 2), (100, 32, 4)])
def test_each_epoch_weighs_every_example_exactly_once(count, size, steps):
    rows, weights = plan_batches(count, size, 3, generator(1))

    assert rows.shape == weights.shape == (3 * steps, min(size, count))
    assert np.bincount(rows[weights > 0], minlength=count).tolist() == [3] * count


def test_each_epoch_is_shuffled_anew():
    rows, _ = plan_batches(64, 64, 2, generator(1))

    assert rows[0].tolist() != rows[1].tolist()


def test_statistics_are_in_the_vector_and_move_with_training():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(name="flat"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(0.5, name="dropout"),
            keras.layers.Dense(3, name="logits"),
        ]
    )
    layout = read_layout(model)
    roles = {tensor.name.split("/")[-1]: tensor.role for tensor in layout.tensors}
    assert roles["moving_mean"] == roles["moving_variance"] == Role.STATISTIC
    assert roles["gamma"] == roles["kernel"] == Role.TRAINABLE
    before = read_weights(model)

    outcome = train(model, examples(16), plan_batches(16, 8, 1, generator(1)))

    moved = [not np.array_equal(outcome.vector[where], before.vector[where]) for where in layout.slices]
    assert all(moved)


def test_a_penalty_of_the_model_is_part_of_the_objective():
    def build(strength):
        keras.utils.set_random_seed(1)
        penalty = keras.regularizers.L2(strength)
        return keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                keras.layers.Flatten(name="flat"),
                keras.layers.Dense(3, kernel_regularizer=penalty, name="logits"),
            ]
        )

    batches = plan_batches(8, 8, 1, generator(1))
    plain, penalised = (
        train(build(strength), examples(8), batches, learning_rate=1e-3).vector for strength in (0.0, 10.0)
    )

    assert np.abs(penalised[:48]).sum() < np.abs(plain[:48]).sum()


def test_what_is_written_to_a_model_is_read_back():
    model = small_model()
    vector = generator(1).standard_normal(read_layout(model).size, np.float32)

    write_weights(model, vector)

    assert np.array_equal(read_weights(model).vector, vector)
