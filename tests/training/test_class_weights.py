"""Balanced classes: the formula, the gradient, and what it does for the classes of which there are few."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import RunConfig
from engine.data import DataSpec, Examples, load_held_out, load_part
from engine.data.randomness import generator
from engine.training.class_weights import balanced_class_weights
from engine.training.factory import open_evaluator, open_trainer

KERAS_READS_A_VARIABLE = "ignore:__array__ implementation doesn't accept:DeprecationWarning"


def test_the_weights_are_n_by_the_classes_that_occur_times_their_count():
    weights = balanced_class_weights(np.array([0, 0, 0, 0, 0, 0, 2, 3, 3]), 5)

    assert weights.tolist() == pytest.approx([9 / (3 * 6), 0, 9 / (3 * 1), 9 / (3 * 2), 0])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200))
def test_each_class_weighs_alike_and_an_example_1_on_average(labels):
    weights = balanced_class_weights(np.array(labels, np.int32), 7)
    counts = np.bincount(labels, minlength=7)

    assert weights[labels].mean() == pytest.approx(1, rel=1e-5)
    totals = (weights * counts)[counts > 0]
    assert totals == pytest.approx(totals[0], rel=1e-5)


@pytest.mark.tensorflow
def test_it_takes_the_steps_that_keras_takes_with_class_weights_and_reports_the_plain_loss():
    from engine.training.flat_model import read_weights  # noqa: PLC0415 - Keras only where it is marked
    from engine.training.local_sgd import LocalSgd, plan_batches  # noqa: PLC0415

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="logits")])
    rng = generator(1, "class weights")
    x, y = rng.standard_normal((21, 5), np.float32), np.array([0] * 14 + [1] * 6 + [2], np.int32)
    base, batches = read_weights(model).vector, plan_batches(21, 8, 2, rng)

    def train(class_weighting, learning_rate):
        config = RunConfig(class_weighting=class_weighting, learning_rate=learning_rate)
        sgd = LocalSgd(model, DataSpec((5,), is_image=False, classes=3), config)
        return sgd.train(base, sgd.place(Examples(x, y)), batches, generator(1))

    ours = train("balanced", 0.05).vector
    model.compile(keras.optimizers.SGD(0.05, 0.9), keras.losses.SparseCategoricalCrossentropy(True))
    for rows, weights in zip(*batches, strict=True):
        used = rows[weights > 0]
        model.train_on_batch(x[used], y[used], class_weight={0: 21 / 42, 1: 21 / 18, 2: 21 / 3})

    assert ours == pytest.approx(read_weights(model).vector, abs=2e-6)
    assert np.abs(ours - train("none", 0.05).vector).max() > 1e-3
    assert train("balanced", 1e-9).loss == pytest.approx(train("none", 1e-9).loss)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings(KERAS_READS_A_VARIABLE)
def test_the_rare_digits_of_a_skewed_part_are_found_more_often(tmp_path):
    def recall_of_rare_digits(class_weighting):
        config = RunConfig(
            dataset="digits",
            clients=2,
            partition="dirichlet",
            class_weighting=class_weighting,
            local_epochs=4,
        )
        counts = np.bincount(load_part(config, 0).y, minlength=10)
        (rare,) = np.nonzero((counts > 0) & (counts < 10))
        assert rare.tolist() == [0, 4]
        evaluator = open_evaluator(config)
        base = evaluator.initial_weights().vector
        delta = np.empty_like(base)
        open_trainer(config, client="1", part=0).train(base, client="1", round_number=1, delta=delta)
        evaluator.save_model(base + delta, str(tmp_path / "trained.keras"))
        x, y = load_held_out(config)
        answers = keras.models.load_model(tmp_path / "trained.keras").predict(x, verbose=0).argmax(axis=1)
        return np.mean([np.mean(answers[y == digit] == digit) for digit in rare])

    assert recall_of_rare_digits("balanced") > recall_of_rare_digits("none") + 0.2
