"""The model does learn: real TensorFlow, real images, the real command."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from engine import telemetry

pytestmark = [pytest.mark.broker, pytest.mark.tensorflow]

MEASURE = """
import sys
from pathlib import Path
import keras, numpy as np
from engine.config import RunConfig
from engine.data import load_held_out
run_dir = Path(sys.argv[1])
images, labels = load_held_out(RunConfig.load(run_dir / "config.toml"))
answers = np.argmax(keras.models.load_model(run_dir / "final.keras").predict(images, verbose=0), axis=1)
print(np.mean(answers == labels))
"""


def test_digits_are_learnt_and_the_final_model_is_the_one_that_was_measured(
    federation: Callable[..., Any],
) -> None:
    options = ("--dataset=digits", "--clients=2", "--rounds=5", "--learning-rate=0.03")
    run = federation(*options).run()
    last = run.events(telemetry.RoundFinished)[-1]

    assert last.accuracy >= 0.90
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(run.run_dir)], capture_output=True, text=True, check=True
    )
    assert float(measured.stdout.split()[-1]) == pytest.approx(last.accuracy, abs=1e-6)


@pytest.mark.skipif("FLCONSOLE_DATA" not in os.environ, reason="FLCONSOLE_DATA does not name CIFAR-10")
def test_cifar_10_is_learnt(federation: Callable[..., Any]) -> None:
    """A short run; the accuracy of a long one is a benchmark."""
    run = federation("--dataset=cifar10", "--clients=4", "--rounds=2", "--test-size=2000").run()
    before, after = (event.accuracy for event in run.events(telemetry.RoundFinished))

    assert after > before > 0.2
    assert (run.run_dir / "partition.csv").read_text().count("\n") == 5
