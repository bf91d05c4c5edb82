"""The same (seed, client, round) gives the same bits in any process; another one gives others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow

PROGRAM = Path(__file__).parent / "programs" / "train_rounds.py"


def start(config, *arguments):
    settings = {"dataset": "digits", "clients": 2, "subset_size": 70, "batch_size": 16} | config
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), json.dumps(settings), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd()), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def output(process):
    answer, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return answer.split()[::3], answer.split()[1::3], answer.split()[2::3]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="deterministic operations"),
        pytest.param({"threads": 2}, id="two threads"),
        pytest.param({"jit": True}, id="XLA"),
        pytest.param({"model": "cnn", "batch_size": 8}, id="with dropout"),
        pytest.param({"augmentation": "flip_crop", "class_weighting": "balanced"}, id="augmented, balanced"),
    ],
)
def test_two_processes_compute_the_same_bits_whatever_they_trained_before(config):
    first, second = start(config, "1", "1", "2"), start(config, "1", "2", "1")

    (one, two), counts, finite = output(first)
    assert output(second)[0] == [two, one]
    assert one != two
    assert counts == ["35", "35"]
    assert finite == ["True", "True"]


def test_seed_and_client_decide_the_bits():
    processes = [start({}, "1", "1"), start({}, "2", "1"), start({"seed": 2}, "1", "1")]

    assert len({output(process)[0][0] for process in processes}) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_after_the_import_computes_the_same_bits():
    plain, forked = start({}, "1", "1"), start({}, "1", "1", "--fork")

    assert output(plain) == output(forked)
