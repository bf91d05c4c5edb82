"""Trainer and evaluator on the digits."""

import keras
import numpy as np
import pytest

from engine.config import RunConfig
from engine.data import load_held_out
from engine.errors import ConfigError, LayoutMismatch, TrainingError
from engine.training.factory import open_evaluator, open_trainer, open_trainers
from engine.training.flat_model import read_weights
from engine.training.models import create_cnn_model

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own reading of a variable, under numpy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]

CONFIG = RunConfig(dataset="digits", clients=4)
BROKEN_MODEL = """
import itertools
import keras
import tensorflow as tf

batches = itertools.count(1)


def count(images):
    if next(batches) == 3:
        raise RuntimeError("the third batch is one too many")
    return images


class Counting(keras.layers.Layer):
    def call(self, images, training=False):
        if training:
            return 0 * images + tf.ensure_shape(tf.numpy_function(count, [images], tf.float32), images.shape)
        return images


def model(input_shape, classes):
    layers = [keras.Input(input_shape), Counting(), keras.layers.Flatten(), keras.layers.Dense(classes)]
    return keras.Sequential(layers)
"""


@pytest.fixture(scope="module")
def evaluator():
    return open_evaluator(CONFIG)


def test_four_clients_learn_the_digits_in_ten_rounds(evaluator):
    open_one = open_trainers(CONFIG)
    trainers = [open_one(str(part), part) for part in range(4)]
    vector = evaluator.initial_weights().vector
    before = evaluator.evaluate(vector)
    delta = np.empty_like(vector)
    total = sum(trainer.num_examples for trainer in trainers)

    for number in range(1, 11):
        mean = np.zeros(vector.size)
        for part, trainer in enumerate(trainers):
            result = trainer.train(vector, client=str(part), round_number=number, delta=delta)
            mean += delta * (result.num_examples / total)
        vector = (vector + mean).astype(np.float32)

    after = evaluator.evaluate(vector)
    assert total == 1437
    assert before.accuracy < 0.3
    assert after.accuracy >= 0.9
    assert after.loss < before.loss
    assert after.num_examples == 360


def test_the_base_is_left_alone_and_the_metrics_are_given(evaluator):
    config = RunConfig(dataset="digits", clients=4, local_test_fraction=0.25, subset_size=80)
    trainer = open_trainer(config, client="1", part=0)
    base = evaluator.initial_weights().vector
    copy, delta = base.copy(), np.empty_like(base)

    result = trainer.train(base, client="1", round_number=1, delta=delta)

    assert np.array_equal(base, copy)
    assert result.num_examples == trainer.num_examples == 15
    assert result.metrics.train_loss > 0
    assert 0 <= result.metrics.train_accuracy <= 1
    assert result.metrics.test_accuracy in [correct / 5 for correct in range(6)]


def test_without_a_local_test_set_there_is_no_test_accuracy(evaluator):
    trainer = open_trainer(RunConfig(dataset="digits", clients=4, subset_size=40), client="1", part=0)
    base = evaluator.initial_weights().vector

    result = trainer.train(base, client="1", round_number=1, delta=np.empty_like(base))

    assert result.metrics.test_accuracy is None


def test_the_evaluator_knows_the_size_of_each_part(evaluator):
    sizes = {part: open_trainer(CONFIG, client="1", part=part).num_examples for part in (0, 3)}

    assert sizes.items() <= evaluator.examples_by_part().items()
    assert sum(evaluator.examples_by_part().values()) == 1437


def test_a_saved_model_is_complete_for_anyone_with_keras(evaluator, tmp_path):
    vector = evaluator.initial_weights().vector
    path = str(tmp_path / "final.keras")

    assert evaluator.save_model(vector, path)

    x, y = load_held_out(CONFIG)
    logits = keras.models.load_model(path).predict(x, verbose=0)
    assert (logits.argmax(axis=1) == y).mean() == pytest.approx(evaluator.evaluate(vector).accuracy)


def start_from(path, **settings):
    return open_evaluator(RunConfig(dataset="digits", init_from=str(path), **settings)).initial_weights()


def test_a_run_starts_from_a_saved_model(evaluator, tmp_path):
    stored = open_evaluator(RunConfig(dataset="digits", seed=9)).initial_weights()
    evaluator.save_model(stored.vector, str(tmp_path / "start.keras"))

    assert np.array_equal(start_from(tmp_path / "start.keras").vector, stored.vector)


def test_a_saved_model_of_another_layout_is_adapted_only_when_asked(tmp_path):
    create_cnn_model().save(tmp_path / "cnn.keras")

    with pytest.raises(LayoutMismatch, match="conv1/kernel"):
        start_from(tmp_path / "cnn.keras")

    stored = read_weights(keras.models.load_model(tmp_path / "cnn.keras"))
    values = dict(zip((tensor.name for tensor in stored.layout.tensors), stored.views(), strict=True))
    adapted = start_from(tmp_path / "cnn.keras", adapt=True)
    names = [tensor.name for tensor in adapted.layout.tensors]
    assert np.array_equal(adapted.views()[names.index("logits/bias")], values["logits/bias"])


def test_a_file_that_is_no_model_is_a_configuration_error(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"not a model")

    with pytest.raises(ConfigError, match=r"init_from = .*broken\.keras"):
        start_from(tmp_path / "broken.keras")


def test_what_a_model_of_ones_own_raises_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_model.py").write_text(BROKEN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    config = RunConfig(dataset="digits", clients=1, model="broken_model:model")
    vector = open_evaluator(config).initial_weights().vector
    trainer = open_trainer(config, client="1", part=0)

    with pytest.raises(
        TrainingError, match=r"1: UnknownError: RuntimeError: the third batch is one too many$"
    ):
        trainer.train(vector, client="1", round_number=1, delta=np.empty_like(vector))
