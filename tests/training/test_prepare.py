"""What the supervisor asks before a run starts: one line of JSON, or one line of error and its exit code."""

import json
import socket
import subprocess
import sys

import pytest

from engine.config import RunConfig
from engine.errors import ConfigError, DataError
from engine.training.fetch import fetch_cifar10
from engine.training.prepare import prepare as prepare_here


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Runs the entry point on a machine without CIFAR-10 and without leave to download it."""
    monkeypatch.delenv("FLCONSOLE_DATA", raising=False)
    monkeypatch.setenv("FLCONSOLE_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def run(config):
        path = tmp_path / "config.toml"
        path.write_text(config)
        command = [sys.executable, "-m", "engine.training.prepare", "--config", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_auto_without_cifar10_is_the_digits_and_says_so(prepare):
    answer = prepare("clients = 3\n")

    told = json.loads(answer.stdout)
    assert (answer.returncode, told["dataset"], told["examples"]) == (0, "digits", 1437)
    assert told["num_parameters"] == 62_006
    assert "FLCONSOLE_OFFLINE" in told["stand_in"]
    assert answer.stderr == ""  # the run's first line says it


def test_a_null_trainer_needs_no_data(prepare):
    answer = prepare('trainer = "null"\nmodel = "vector:123"\nclients = 2\ndataset = "cifar10"\n')

    told = json.loads(answer.stdout)
    assert (told["num_parameters"], told["examples"]) == (123, 2001)
    assert "noise stands in for training" in told["stand_in"]


@pytest.mark.parametrize(
    ("config", "code", "expected"),
    [
        ('dataset = "cifar10"\n', 4, "FLCONSOLE_DATA"),
        ('dataset = "digits"\nclients = 2000\n', 4, "1437 examples are too few for 2000 parts"),
        ('dataset = "digits"\ntest_size = 1000\n', 4, "test_size = 1000, but there are 360"),
        ('dataset = "missing_module:load"\n', 2, "No module named 'missing_module'"),
        ('model = "lennet"\n', 2, "did you mean 'lenet'?"),
        (
            'trainer = "null"\nmodel = "vector:3000000000"\n',
            2,
            "12,000,000,000 bytes; a frame carries at most",
        ),
    ],
)
def test_what_cannot_run_is_one_line_and_an_exit_code(prepare, config, code, expected):
    answer = prepare(config)

    assert (answer.returncode, answer.stdout) == (code, "")
    assert expected in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


NOISY_DATA = """
import os
import keras
import numpy as np
from engine.data import Dataset

def load(part, parts, seed):
    print("loading", end=" ")
    os.write(1, b"native code ")
    images, labels = np.zeros((4, 32, 32, 3), np.uint8), np.zeros(4, np.int32)
    return Dataset(images, labels, images, labels)
"""


@pytest.mark.tensorflow
def test_what_the_operators_own_code_prints_is_narration(prepare, tmp_path, monkeypatch):
    (tmp_path / "noisy_data.py").write_text(NOISY_DATA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = prepare('dataset = "noisy_data:load"\nclients = 2\n')

    assert json.loads(answer.stdout)["examples"] == 8
    # of each of two parts, once, and nothing of TensorFlow's own
    assert sorted(answer.stderr.split()) == sorted(2 * ["loading", "native", "code"])


def test_mirrored_digits_are_warned_of_in_one_line(prepare):
    answer = prepare('dataset = "digits"\naugmentation = "flip_crop"\n')

    assert json.loads(answer.stdout)["examples"] == 1437
    assert answer.stderr.startswith("warning: augmentation = 'flip_crop' mirrors digits")
    assert len(answer.stderr.splitlines()) == 1


FEATURES = """
import numpy as np
from engine.data import Dataset

def load(part, parts, seed):
    x = np.zeros((4, 5))
    return Dataset(x, [0, 1, 0, 1], x, [0, 1, 0, 1], classes=2)
"""


@pytest.mark.tensorflow
def test_a_model_for_images_does_not_start_on_features(tmp_path, monkeypatch):
    (tmp_path / "features.py").write_text(FEATURES)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(
        ConfigError, match=r"^model = 'lenet' is for images; for features of shape \(5,\) in 2 classes"
    ):
        prepare_here(RunConfig(dataset="features:load"))


@pytest.mark.tensorflow
def test_a_model_that_cannot_be_imported_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"^model = 'missing_module:create': ModuleNotFoundError"):
        prepare_here(RunConfig(dataset="digits", model="missing_module:create"))


def test_offline_forbids_the_download(monkeypatch):
    monkeypatch.setenv("FLCONSOLE_OFFLINE", "1")

    with pytest.raises(DataError, match="FLCONSOLE_OFFLINE forbids the download"):
        fetch_cifar10()


def test_a_server_that_does_not_answer_ends_the_download_before_it_starts(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.delenv("FLCONSOLE_OFFLINE", raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")

    with pytest.raises(DataError, match=rf"cannot be downloaded: 127.0.0.1:{port}: Connection refused"):
        fetch_cifar10()
