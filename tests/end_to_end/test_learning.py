"""The model does learn: real TensorFlow, real images, the real command."""

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from engine import telemetry
from engine.config import RunConfig
from engine.data import load_held_out

pytestmark = [pytest.mark.broker, pytest.mark.tensorflow]


def test_digits_are_learnt_and_the_final_model_is_the_one_that_was_measured(
    federation: Callable[..., Any],
) -> None:
    run = federation("--dataset=digits", "--clients=4", "--rounds=10").run()
    last = run.events(telemetry.RoundFinished)[-1]

    assert last.accuracy >= 0.90
    model = keras.models.load_model(run.run_dir / "final.keras")
    images, labels = load_held_out(RunConfig.load(run.run_dir / "config.toml"))
    answers = np.argmax(model.predict(images, verbose=0), axis=1)
    assert np.mean(answers == labels) == pytest.approx(last.accuracy, abs=1e-6)


@pytest.mark.skipif("FLCONSOLE_DATA" not in os.environ, reason="FLCONSOLE_DATA does not name CIFAR-10")
def test_cifar_10_is_learnt(federation: Callable[..., Any]) -> None:
    """A short run; the accuracy of a long one is a benchmark."""
    run = federation("--dataset=cifar10", "--clients=4", "--rounds=2", "--test-size=2000").run()
    before, after = (event.accuracy for event in run.events(telemetry.RoundFinished))

    assert after > before > 0.2
    assert (run.run_dir / "partition.csv").read_text().count("\n") == 5
