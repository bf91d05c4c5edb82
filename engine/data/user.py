"""The operator's own code: `module:function`, found from the working directory."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.data.dataset import Dataset
from engine.errors import ConfigError, DataError


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


def load_user_part(name: str, *, part: int, parts: int, seed: int) -> Dataset:
    """Calls the user's `data(part, parts, seed)`.

    Raises:
        ConfigError: it cannot be imported.
        DataError: it raised, or returned something else than a `Dataset`.
    """
    function = import_function(name, key="dataset")
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
