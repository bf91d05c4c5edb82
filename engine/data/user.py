"""The operator's own code and data: `module:function`, found from the working directory."""

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.config import RunConfig
from engine.data.dataset import Dataset, DataSpec, Labels
from engine.data.partition import check_total, draw
from engine.data.randomness import generator
from engine.errors import ConfigError, DataError

DataFunction = Callable[[int, int, int], Dataset]
"""`data(part, parts, seed)`: one part of the training data, and the held-out examples."""
Data = Dataset | DataFunction
"""What one gives to a server or a client: all its data, or what makes them."""


def data_function(data: Data | None) -> DataFunction | None:
    """What makes the data; the same for every part where all of them are given."""
    return (lambda *_: data) if isinstance(data, Dataset) else data


def import_function(name: str, *, key: str) -> Callable[..., Any]:
    """Imports `module:function`, the working directory included.

    Args:
        name: for example `my_experiment.data:load`.
        key: the configuration key it stands in, for the error.

    Raises:
        ConfigError: there is no such module, it fails to import, or it has no such function.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (Exception, SystemExit) as error:  # someone else's module may raise anything; it is reported
        raise ConfigError(f"{key} = {name!r}: {type(error).__name__}: {error}; looked from {here}") from error
    if not callable(function):
        raise ConfigError(f"{key} = {name!r}: {function_name} is not a function")
    return function  # type: ignore[no-any-return] # checked just above


def load_user_part(
    name: str, *, part: int, parts: int, seed: int, function: DataFunction | None = None
) -> Dataset:
    """Calls the user's `data(part, parts, seed)`.

    Args:
        name: `module:function`.
        part: which part of the data.
        parts: how many there are.
        seed: of the run.
        function: itself; None imports it.

    Raises:
        ConfigError: it cannot be imported.
        DataError: it raised, or returned something else than a `Dataset`.
    """
    function = function or import_function(name, key="dataset")
    try:
        dataset = function(part, parts, seed)
    except DataError:
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # the user's function may raise anything; it is reported, not hidden
        raise DataError(f"dataset = {name!r}: part {part}: {type(error).__name__}: {error}") from error
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"dataset = {name!r}: returned a {type(dataset).__name__}; expected engine.data.Dataset"
        )
    if len(dataset.y_train) == 0 or len(dataset.y_test) == 0:
        raise DataError(f"dataset = {name!r}: part {part} has no training or no test examples")
    return dataset


@dataclass(frozen=True, slots=True)
class UserData:
    """The operator's data as one process sees them: each part is asked for once, if it is large or slow.

    What stays in memory of a part that was loaded are its labels and what a model must be built for, never
    its examples: at most 8 MB, as `check_total` bounds all parts together.
    """

    name: str
    parts: int
    seed: int
    subset_size: int | None
    function: DataFunction | None = None
    """What makes them; None for what `name` says."""
    _labels: dict[int, Labels] = field(default_factory=dict)
    _specs: dict[int, DataSpec] = field(default_factory=dict)

    def load(self, part: int) -> Dataset:
        """One part, cut to its share of `subset_size`.

        Raises:
            ConfigError: the function cannot be imported.
            DataError: it does not return a usable part, or one unlike those before it.
        """
        whole = load_user_part(self.name, part=part, parts=self.parts, seed=self.seed, function=self.function)
        dataset = self._cut(whole, part)
        other, known = next(iter(self._specs.items()), (part, dataset.spec))
        if dataset.spec != known:
            raise DataError(
                f"dataset = {self.name!r}: {dataset.spec} in part {part}, {known} in part {other}"
            )
        self._specs[part] = dataset.spec
        self._labels[part] = dataset.y_train.copy()  # it may be a view of all that the function has read
        check_total(sum(map(len, self._labels.values())))
        return dataset

    def labels_by_part(self) -> list[Labels]:
        """The labels of every part; those that were loaded before are not loaded again."""
        return [self._labels[n] if n in self._labels else self.load(n).y_train for n in range(self.parts)]

    def spec(self) -> DataSpec:
        """What a model must be built for; loads part 0 if none was loaded before."""
        return next(iter(self._specs.values())) if self._specs else self.load(0).spec

    def _cut(self, dataset: Dataset, part: int) -> Dataset:
        check_total(len(dataset.y_train))
        if self.subset_size is None:
            return dataset
        share = len(np.array_split(np.arange(self.subset_size), self.parts)[part])
        if share == 0:
            raise DataError(f"subset_size = {self.subset_size} is too few for {self.parts} parts")
        rng = generator(self.seed, "subset_size", part)
        rows = draw(len(dataset.y_train), share, rng, what="subset_size")
        return replace(dataset, x_train=dataset.x_train[rows], y_train=dataset.y_train[rows])


def open_user_data(config: RunConfig, function: DataFunction | None = None) -> UserData:
    """The user's data for a run; asked again for the same run, it remembers what it has learnt.

    Args:
        config: of the run.
        function: what makes them; None for the one that `dataset` names.
    """
    name = config.dataset if function is None else getattr(function, "__qualname__", repr(function))
    return _open(name, config.num_parts, config.seed, config.subset_size, function)


@functools.lru_cache(maxsize=1)
def _open(
    name: str, parts: int, seed: int, subset_size: int | None, function: DataFunction | None
) -> UserData:
    return UserData(name, parts, seed, subset_size, function)
