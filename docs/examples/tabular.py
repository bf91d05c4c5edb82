"""A table instead of images: the breast-cancer table that comes with scikit-learn, and a model for it.

    flconsole run --headless --dataset docs.examples.tabular:data --model docs.examples.tabular:model \
        --local-epochs 5

from the folder that holds `docs/`, or `tabular:data` and `tabular:model` from the one that holds this file.

569 biopsies, 30 measurements of each, malignant (0) or benign (1): Street, Wolberg and Mangasarian 1993. The
file is read as it lies in the package; importing scikit-learn would cost each client a second and 60 MB.
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np
from keras import layers

from engine.data import Dataset

HELD_OUT = 114
"""About a fifth, the same whatever the seed: no run may train on what another is measured with."""


def data(part: int, parts: int, seed: int) -> Dataset:
    """The rows of one hospital of `parts`, and the test set that all of them share.

    Each hospital standardises with the mean and the deviation of its own training rows: nothing is computed
    over rows of different parts, which in a federation no one could do. The server tests as part 0 does.
    """
    table, diagnosis = _read()
    order = np.random.default_rng(0).permutation(len(table))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    own = np.array_split(np.random.default_rng(seed).permutation(train), parts)[part]
    mean, deviation = table[own].mean(axis=0), table[own].std(axis=0)
    deviation[deviation == 0] = 1.0

    def standardise(rows: np.ndarray) -> np.ndarray:
        return (table[rows] - mean) / deviation

    return Dataset(
        standardise(own), diagnosis[own], standardise(test), diagnosis[test], name="breast cancer", classes=2
    )


def model(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """One hidden layer; the last one emits logits."""
    return keras.Sequential(
        [
            keras.Input(input_shape, name="measurements"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(classes, name="logits"),
        ]
    )


def _read() -> tuple[np.ndarray, np.ndarray]:
    """The measurements, (569, 30), and the diagnoses, (569,)."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise FileNotFoundError("scikit-learn is not installed, and its table with it")
    path = Path(package.origin).parent / "datasets" / "data" / "breast_cancer.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(int)
