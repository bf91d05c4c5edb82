"""CIFAR-10 in its official python layout (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html).

Five training batches and a test batch of 10,000 images each; a batch is a pickled dict with `data`
(uint8, 10000 x 3072, channel-major rows) and `labels`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import restricted_pickle
from engine.data.dataset import DataSpec, Examples, Images, Indices, Labels
from engine.data.restricted_pickle import PickledArray
from engine.errors import DataError

FOLDER = "cifar-10-batches-py"
TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
CLASSES = 10
SPEC = DataSpec((32, 32, 3), is_image=True, classes=CLASSES)
_ROW = 3 * 32 * 32


def find() -> Path | None:
    """The folder of the batches: in `$FLCONSOLE_DATA` or below, then in Keras' cache; None if absent.

    Raises:
        DataError: `FLCONSOLE_DATA` names a folder that does not exist.
    """
    candidates = []
    if given := os.environ.get("FLCONSOLE_DATA"):
        root = Path(given).expanduser()
        if not root.is_dir():
            raise DataError(f"FLCONSOLE_DATA = {root}: no such folder")
        candidates += [root, root / FOLDER]
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"
    candidates += [cache / FOLDER, cache / f"{FOLDER}-target" / FOLDER]
    return next((folder for folder in candidates if (folder / TEST_BATCH).is_file()), None)


@dataclass(frozen=True, slots=True)
class Cifar10:
    """The data set in `folder`, read batch by batch: one is held at a time, beside the rows wanted."""

    folder: Path
    name: str = "cifar10"
    spec: DataSpec = SPEC

    def train_labels(self) -> Labels:
        return np.concatenate([read_batch(self.folder / batch)[1] for batch in TRAIN_BATCHES])

    def train_rows(self, indices: Indices) -> Images:
        images = np.empty((len(indices), 32, 32, 3), np.uint8)
        first, found = 0, 0
        for batch in TRAIN_BATCHES:
            rows, _ = read_batch(self.folder / batch)
            wanted = np.flatnonzero((indices >= first) & (indices < first + len(rows)))
            images[wanted] = rows[indices[wanted] - first]
            first, found = first + len(rows), found + len(wanted)
        if found != len(indices):
            raise DataError(f"{self.folder}: has {first} training images, rows beyond that were asked for")
        return images

    def held_out(self) -> Examples:
        x, y = read_batch(self.folder / TEST_BATCH)
        return Examples(np.ascontiguousarray(x), y)


def read_batch(path: Path) -> tuple[Images, Labels]:
    """Reads one batch file; the images are an NHWC view of its channel-major rows.

    Raises:
        DataError: missing, truncated, or not of the official layout; names the path and what was expected.
    """
    content = restricted_pickle.load(path)
    rows, labels = (_field(path, content, name) for name in ("data", "labels"))
    if not isinstance(rows, PickledArray) or rows.values.shape[1:] != (_ROW,):
        raise DataError(f"{path}: data is {_kind(rows)}; expected bytes of shape (n, {_ROW})")
    if not isinstance(labels, list) or not all(type(y) is int and 0 <= y < CLASSES for y in labels):
        raise DataError(
            f"{path}: labels are {_kind(labels)}; expected a list of numbers from 0 to {CLASSES - 1}"
        )
    if len(labels) != len(rows.values):
        raise DataError(f"{path}: {len(rows.values)} images and {len(labels)} labels; expected as many")
    return rows.values.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int32)


def _field(path: Path, content: Any, name: str) -> Any:
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds {_kind(content)}; expected a dict with data and labels")
    for key in (name.encode(), name):  # written by Python 2, or rewritten by Python 3
        if key in content:
            return content[key]
    raise DataError(f"{path}: has no {name!r}; expected the official python layout of CIFAR-10")


def _kind(value: Any) -> str:
    if isinstance(value, PickledArray):
        return f"of shape {value.values.shape}"
    return f"a {type(value).__name__}"
