"""The tabular example learns, leaks nothing between parts, and runs from a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.config import RunConfig
from engine.data import load_held_out, load_part

ROOT = Path(__file__).parents[2]
CONFIG = RunConfig(
    dataset="docs.examples.tabular:data", model="docs.examples.tabular:model", clients=3, local_epochs=5
)

pytestmark = pytest.mark.tensorflow  # the example's module imports Keras, for its model


def test_the_parts_together_are_the_table_less_what_is_held_out():
    from docs.examples import tabular  # noqa: PLC0415 - loads TensorFlow

    table, _ = tabular._read()
    parts = [tabular.data(part, 3, seed=1) for part in range(3)]

    assert [len(part.y_train) for part in parts] == [152, 152, 151]
    assert {len(part.y_test) for part in parts} == {114}
    assert sum(len(part.y_train) for part in parts) + 114 == len(table) == 569


@pytest.mark.parametrize("part", range(3))
def test_each_part_is_standardised_by_itself(part):
    x, _ = load_part(CONFIG, part)

    assert x.dtype == np.float32
    assert np.abs(x.mean(axis=0)).max() < 1e-5
    assert x.std(axis=0) == pytest.approx(np.ones(30), abs=1e-5)


def test_the_test_set_does_not_depend_on_the_seed():
    labels = [load_held_out(RunConfig(dataset=CONFIG.dataset, clients=3, seed=seed)).y for seed in (1, 2)]

    assert np.array_equal(*labels)


def test_three_hospitals_learn_together(learn):
    before, *_, after = learn(CONFIG, 3)

    assert before < 0.85
    assert after >= 0.92


@pytest.mark.broker
def test_the_command_of_its_docstring_runs_from_a_folder_that_holds_it(tmp_path):
    shutil.copy(ROOT / "docs/examples/tabular.py", tmp_path)
    options = ["--dataset=tabular:data", "--model=tabular:model", "--local-epochs=5", "--rounds=3", "--json"]
    options.append("--clients-per-process=3")  # TensorFlow is loaded once for all
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "flconsole",
            "run",
            "--headless",
            *options,
            "--runs-dir",
            str(tmp_path / "runs"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "FLCONSOLE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert run.returncode == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    accuracies = [event["accuracy"] for event in events if event["type"] == "round_finished"]
    assert len(accuracies) == 3
    assert accuracies[-1] >= 0.9
    assert len(list((tmp_path / "runs").glob("*/final.keras"))) == 1
