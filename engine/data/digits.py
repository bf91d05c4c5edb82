"""scikit-learn's handwritten digits (1,797 images of 8x8, ten classes), scaled to the shape of CIFAR-10.

They come with the package, so they are there without a network. Only the file is read: importing
scikit-learn would cost each client a second and 60 MB.
"""

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data.dataset import DataSpec, Examples, Images, Indices, Labels
from engine.data.randomness import generator
from engine.errors import DataError

CLASSES = 10
SPEC = DataSpec((32, 32, 3), is_image=True, classes=CLASSES)
HELD_OUT = 360
"""About a fifth."""
_SPLIT_SEED = 0
"""Not the run's seed: a model from a run with another seed must not have been trained on held-out digits."""


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits, split once and for all into 1,437 for training and 360 held out."""

    name: str = "digits"
    spec: DataSpec = SPEC

    def train_labels(self) -> Labels:
        _, y = _read()
        return y[_order()[HELD_OUT:]]

    def train_rows(self, indices: Indices) -> Images:
        x, _ = _read()
        return _enlarge(x[_order()[HELD_OUT:][indices]])

    def held_out(self) -> Examples:
        x, y = _read()
        rows = _order()[:HELD_OUT]
        return Examples(_enlarge(x[rows]), y[rows])


def _order() -> Indices:
    return generator(_SPLIT_SEED, "digits", "split").permutation(len(_read()[1]))


@functools.cache
def _read() -> tuple[Images, Labels]:
    """The 8x8 images (values 0 to 16) and their labels."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("scikit-learn is not installed, and its digits with it; pip install scikit-learn")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; expected scikit-learn's digits") from None
    if table.ndim != 2 or table.shape[1] != 65:
        raise DataError(f"{path}: a table of shape {table.shape}; expected 64 pixels and a label in each row")
    return table[:, :64].reshape(-1, 8, 8, 1), table[:, 64].astype(np.int32)


def _enlarge(small: Images) -> Images:
    """(n, 8, 8, 1) of 0..16 to (n, 32, 32, 3) of 0..255, each pixel repeated."""
    grey = (small.astype(np.uint16) * 255 // 16).astype(np.uint8)
    return np.repeat(np.repeat(np.repeat(grey, 4, axis=1), 4, axis=2), 3, axis=3)
