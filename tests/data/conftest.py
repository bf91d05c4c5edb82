"""A small data set in the official layout of CIFAR-10."""

import pickle

import numpy as np
import pytest

PER_BATCH = 20


def dump(path, rows, labels):
    path.write_bytes(pickle.dumps({b"data": rows, b"labels": labels}, protocol=4))


@pytest.fixture
def cifar_folder(tmp_path, monkeypatch):
    """Five batches of 20 random images and a test batch; `FLCONSOLE_DATA` points at it."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8)
        dump(folder / name, rows, [i % 10 for i in range(PER_BATCH)])
    monkeypatch.setenv("FLCONSOLE_DATA", str(folder.parent))
    return folder


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """A machine that has no CIFAR-10 and may not download it."""
    monkeypatch.delenv("FLCONSOLE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("FLCONSOLE_OFFLINE", "1")
