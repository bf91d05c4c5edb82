"""Labelled images, and what every source of them must offer."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import DataError

Images = NDArray[np.uint8]
"""Shape (examples, height, width, channels), 0 to 255; normalised in the model's graph."""
Labels = NDArray[np.int32]
"""Shape (examples,), 0 to classes - 1."""
Indices = NDArray[np.int64]


class Examples(NamedTuple):
    """Images and their labels, row by row."""

    x: Images
    y: Labels


@dataclass(frozen=True, slots=True)
class Dataset:
    """A training and a test set. What a user's `data(part, parts, seed)` returns.

    Arrays are converted with `preprocess_data`.

    Raises:
        DataError: the shapes, lengths or values do not fit together.
    """

    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    name: str = "data"
    classes: int = 10

    def __post_init__(self) -> None:
        for which in ("train", "test"):
            try:
                x, y = preprocess_data(getattr(self, f"x_{which}"), getattr(self, f"y_{which}"))
            except DataError as error:
                raise DataError(f"{self.name}, {which} set: {error}") from None
            if len(y) and y.max() >= self.classes:
                raise DataError(
                    f"{self.name}, {which} set: label {y.max()} is not below classes = {self.classes}"
                )
            object.__setattr__(self, f"x_{which}", x)
            object.__setattr__(self, f"y_{which}", y)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.name}: training images of {self.x_train.shape[1:]}, "
                f"test images of {self.x_test.shape[1:]}"
            )


class Source(Protocol):
    """A data set that is read in pieces: labels first, then the rows that a part consists of."""

    @property
    def name(self) -> str: ...

    @property
    def classes(self) -> int: ...

    def train_labels(self) -> Labels: ...

    def train_rows(self, indices: Indices) -> Images:
        """The training images at `indices`, in that order."""
        ...

    def held_out(self) -> Examples:
        """The server's test set, which no client ever sees."""
        ...


def preprocess_data(X: ArrayLike, y: ArrayLike) -> Examples:  # noqa: N803 - the specification's name
    """Brings images and labels into the form that the engine keeps: uint8 NHWC and int32, nothing scaled.

    Images without a channel axis get one; labels of shape (n, 1) are flattened. Scaling to small floats
    happens in the model's graph, so that a client holds one byte per value.

    Raises:
        DataError: another number of dimensions, values outside 0..255, lengths that differ, labels that
            are not whole numbers from 0.
    """
    images, labels = np.asarray(X), np.asarray(y)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.ndim != 4 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"images of shape {images.shape} and labels of shape {labels.shape}; "
            "expected (n, height, width, channels) and (n,)"
        )
    if images.dtype != np.uint8:
        if len(images) and not (images.min() >= 0 and images.max() <= 255):
            raise DataError(f"image values from {images.min()} to {images.max()}; expected 0 to 255")
        images = np.rint(images).astype(np.uint8)
    if labels.dtype.kind not in "iu" or (len(labels) and labels.min() < 0):
        raise DataError(f"labels of type {labels.dtype}; expected whole numbers from 0")
    return Examples(images, labels.astype(np.int32, copy=False))
