"""From a run's configuration to the examples that one process needs, and no more of them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.data import cifar10
from engine.data.cifar10 import Cifar10
from engine.data.dataset import Dataset, DataSpec, Examples, Indices, Labels, Source
from engine.data.digits import Digits
from engine.data.partition import check_total, count_labels, draw, split
from engine.data.randomness import generator
from engine.data.user import DataFunction, UserData, open_user_data
from engine.errors import DataError


class Resolution(NamedTuple):
    """The data set that a run uses, and why it is not the one hoped for (empty where it is)."""

    dataset: str
    stand_in_reason: str


def resolve_dataset(name: str, *, fetch: Callable[[], Path] | None = None) -> Resolution:
    """Decides what `auto` means here: CIFAR-10 on disk, else downloaded by `fetch`, else the digits.

    Args:
        name: a configuration's `dataset`.
        fetch: downloads CIFAR-10 or raises `DataError`; None where that is not wanted.

    Raises:
        DataError: `cifar10` was asked for by name and is neither here nor can be downloaded.
    """
    if name not in ("auto", "cifar10"):
        return Resolution(name, "")
    reason = "it is not on disk"
    if cifar10.find() is not None:
        return Resolution("cifar10", "")
    if fetch is not None:
        try:
            fetch()
        except DataError as error:
            reason = f"it is not on disk and {error}"
        else:
            return Resolution("cifar10", "")
    if name == "auto":
        return Resolution("digits", f"CIFAR-10: {reason}; scikit-learn's digits stand in for it")
    raise DataError(f"CIFAR-10: {reason}; put {cifar10.FOLDER} into a folder and name it in FLCONSOLE_DATA")


def load_part(config: RunConfig, part: int, own: DataFunction | None = None) -> Examples:
    """One client's examples. Reads everything, keeps its own rows only.

    Args:
        config: says which data set, which part of it and how it is divided.
        part: 0 to `config.num_parts` - 1.
        own: makes the data instead of what `config.dataset` names.

    Raises:
        DataError: no such part, data missing or malformed, or more examples than a round can weigh.
    """
    if not 0 <= part < config.num_parts:
        raise DataError(f"part {part} of {config.num_parts}: they are numbered from 0")
    if (user := _user_data(config, own)) is not None:
        dataset = user.load(part)
        return Examples(dataset.x_train, dataset.y_train)
    source = open_source(config)
    labels = source.train_labels()
    rows = _divide(config, labels)[part]
    return Examples(source.train_rows(rows), labels[rows])


def load_labels(config: RunConfig, own: DataFunction | None = None) -> list[Labels]:
    """The labels of every part; `own` as in `load_part`.

    Raises:
        DataError: data missing or malformed, or more examples than a round can weigh.
    """
    if (user := _user_data(config, own)) is not None:
        return user.labels_by_part()
    labels = open_source(config).train_labels()
    return [labels[rows] for rows in _divide(config, labels)]


def load_held_out(config: RunConfig, own: DataFunction | None = None) -> Examples:
    """The server's test set, which no client ever sees: `test_size` of it, drawn with the seed, or all.

    `own` as in `load_part`.

    Raises:
        DataError: data missing or malformed, or `test_size` is larger than the set.
    """
    if (user := _user_data(config, own)) is not None:
        dataset = user.load(0)
        x, y = dataset.x_test, dataset.y_test
    else:
        x, y = open_source(config).held_out()
    if config.test_size is None:
        return Examples(x, y)
    rows = draw(len(y), config.test_size, generator(config.seed, "test_size"), what="test_size")
    return Examples(x[rows], y[rows])


def partition_table(config: RunConfig) -> NDArray[np.int64]:
    """How many examples of each label each part holds; shape (parts, classes)."""
    by_part = load_labels(config)
    return count_labels(by_part, data_spec(config).classes)


def data_spec(config: RunConfig, own: DataFunction | None = None) -> DataSpec:
    """What the run's models are built for. Of the user's own data any part that was loaded here tells it.

    `own` as in `load_part`.

    Raises:
        DataError: the user's data cannot be loaded.
    """
    user = _user_data(config, own)
    return open_source(config).spec if user is None else user.spec()


def open_source(config: RunConfig) -> Source:
    """The built-in data set of a run.

    Raises:
        DataError: CIFAR-10 is not on disk.
    """
    if resolve_dataset(config.dataset).dataset == "digits":
        return Digits()
    folder = cifar10.find()
    if folder is None:
        raise DataError(f"{cifar10.FOLDER} has gone; it was found a moment ago")
    return Cifar10(folder)


def split_local_test(num_examples: int, fraction: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Indices that a client trains on and those it keeps apart, at least one for training; both ascend."""
    apart = min(int(num_examples * fraction), num_examples - 1)
    order = rng.permutation(num_examples)
    return np.sort(order[apart:]), np.sort(order[:apart])


def load_cifar10_data(
    subset_size: int | None = None,
    test_size: int | None = None,
    logger: logging.Logger | None = None,
    *,
    seed: int = 1,
) -> Dataset:
    """CIFAR-10 from disk, whole in memory.

    Args:
        subset_size: training images to draw with `seed`; None for all 50,000.
        test_size: test images to draw with `seed`; None for all 10,000.
        logger: told what was read from where.
        seed: of the draws.

    Raises:
        DataError: it is not on disk, malformed, or smaller than asked for.
    """
    config = RunConfig(dataset="cifar10", clients=1, subset_size=subset_size, test_size=test_size, seed=seed)
    train, test = load_part(config, 0), load_held_out(config)
    if logger is not None:
        logger.info("%d training and %d test images from %s", len(train.y), len(test.y), cifar10.find())
    return Dataset(train.x, train.y, test.x, test.y, name="cifar10", classes=cifar10.CLASSES)


def _user_data(config: RunConfig, own: DataFunction | None) -> UserData | None:
    """The user's own data; None where the run's are built in."""
    return open_user_data(config, own) if own is not None or ":" in config.dataset else None


def _divide(config: RunConfig, labels: Labels) -> list[Indices]:
    """Rows of each part, after `subset_size` has been drawn."""
    rows = np.arange(len(labels))
    if config.subset_size is not None:
        rows = draw(
            len(labels), config.subset_size, generator(config.seed, "subset_size"), what="subset_size"
        )
    check_total(len(rows))
    parts = split(
        labels[rows],
        config.num_parts,
        generator(config.seed, "partition"),
        scheme=config.partition,
        dirichlet_alpha=config.dirichlet_alpha,
        shards_per_client=config.shards_per_client,
    )
    return [rows[part] for part in parts]
