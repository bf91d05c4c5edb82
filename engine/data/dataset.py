"""Labelled examples, images or features, and what every source of them must offer."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import DataError

Images = NDArray[np.uint8]
"""Shape (examples, height, width, channels), 0 to 255; normalised in the model's graph."""
Features = NDArray[np.float32]
"""Shape (examples, ...), finite: a table's columns, sequences of them, or whatever else; never scaled."""
Labels = NDArray[np.int32]
"""Shape (examples,), 0 to classes - 1."""
Indices = NDArray[np.int64]


class Examples(NamedTuple):
    """Images or features, and their labels, row by row."""

    x: Images | Features
    y: Labels


class DataSpec(NamedTuple):
    """What a model must be built for."""

    input_shape: tuple[int, ...]
    """Of one example."""
    is_image: bool
    """Whether examples are images (uint8) or features (float32)."""
    classes: int

    def __str__(self) -> str:
        kind = "images" if self.is_image else "features"
        return f"{kind} of shape {self.input_shape} in {self.classes} classes"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A training and a test set. What a user's `data(part, parts, seed)` returns.

    Arrays are converted with `preprocess_data`.

    Raises:
        DataError: the shapes, lengths or values do not fit together.
    """

    x_train: Images | Features
    y_train: Labels
    x_test: Images | Features
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
        train, test = (_describe(x, self.classes) for x in (self.x_train, self.x_test))
        if train != test:
            raise DataError(f"{self.name}: the training set has {train}, the test set {test}")

    @property
    def spec(self) -> DataSpec:
        return _describe(self.x_train, self.classes)


def _describe(x: Images | Features, classes: int) -> DataSpec:
    return DataSpec(tuple(x.shape[1:]), x.dtype == np.uint8, classes)


class Source(Protocol):
    """A data set that is read in pieces: labels first, then the rows that a part consists of."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> DataSpec: ...

    def train_labels(self) -> Labels: ...

    def train_rows(self, indices: Indices) -> Images | Features:
        """The training examples at `indices`, in that order."""
        ...

    def held_out(self) -> Examples:
        """The server's test set, which no client ever sees."""
        ...


def preprocess_data(X: ArrayLike, y: ArrayLike) -> Examples:  # noqa: N803 - the specification's name
    """Brings examples and labels into the form that the engine keeps. Nothing is scaled.

    Integers are images: kept as uint8 NHWC, one byte a value, and normalised in the model's graph; where
    there is no channel axis they get one. Floating numbers are features of any shape: kept as float32, as
    they are. Labels become int32; of shape (n, 1) they are flattened. What is in its form is not copied.

    Raises:
        DataError: integers that are no images from 0 to 255, features that are not finite, lengths that
            differ, labels that are not whole numbers from 0.
    """
    inputs, labels = np.asarray(X), np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if inputs.ndim < 2 or 0 in inputs.shape[1:] or labels.ndim != 1 or len(inputs) != len(labels):
        raise DataError(
            f"examples of shape {inputs.shape} and labels of shape {labels.shape}; expected (n, ...) and (n,)"
        )
    if labels.dtype.kind not in "iu" or (len(labels) and not 0 <= labels.min() <= labels.max() < 2**31):
        raise DataError(f"labels of type {labels.dtype}; expected whole numbers from 0")
    kept = _as_features(inputs) if inputs.dtype.kind == "f" else _as_images(inputs)
    return Examples(kept, labels.astype(np.int32, copy=False))


def _as_images(pixels: NDArray[np.generic]) -> Images:
    if pixels.dtype.kind not in "iu" or pixels.ndim not in (3, 4):
        raise DataError(
            f"examples of type {pixels.dtype} and shape {pixels.shape}; expected images as whole numbers of "
            "shape (n, height, width[, channels]), or features as floating numbers of any shape"
        )
    if pixels.dtype != np.uint8 and pixels.size and not 0 <= pixels.min() <= pixels.max() <= 255:
        raise DataError(
            f"image values from {pixels.min()} to {pixels.max()}; expected 0 to 255, "
            "or features as floating numbers"
        )
    images = pixels.astype(np.uint8, copy=False)
    return images[..., np.newaxis] if images.ndim == 3 else images


def _as_features(values: NDArray[np.generic]) -> Features:
    with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, and is refused below
        features = values.astype(np.float32, copy=False)
    if features.size and not (np.isfinite(features.min()) and np.isfinite(features.max())):
        raise DataError("features that are NaN or Inf in float32; leave these out, or fill in a number")
    return features
