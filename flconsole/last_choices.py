"""What the operator chose last on the start screen, remembered for the next time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.config import nearest, read_toml
from engine.errors import ConfigError
from flconsole.files import keep_for_the_user, user_state_file
from flconsole.settings import find_setting

CHOSEN = (
    "dataset",
    "model",
    "clients",
    "parts",
    "rounds",
    "mode",
    "quorum",
    "deadline_s",
    "aggregation_interval_seconds",
    "min_updates_per_aggregation",
    "codec",
    "seed",
)
"""The keys of the configuration that the start screen asks for, in its order; some belong to a mode."""


def choices_file() -> Path:
    """Where they are kept; need not exist."""
    return user_state_file("last_choices.toml")


def load() -> dict[str, Any]:
    """The choices by key, in the types of the configuration; empty before the first.

    Raises:
        ConfigError: the file is unreadable, or holds what nobody chose; names it.
    """
    path = choices_file()
    if not path.exists():
        return {}
    choices = {}
    for key, value in read_toml(path).items():
        if key not in CHOSEN:
            raise ConfigError(f"{path}: {key!r} is not asked for; {nearest(key, CHOSEN)}")
        choices[key] = find_setting(key, where=str(path)).check(value, where=f"{path}: {key}")
    return choices


def save(choices: Mapping[str, Any]) -> None:
    """Keeps the choices.

    Raises:
        ConfigError: the file cannot be written; names it.
    """
    keep_for_the_user(choices_file(), choices)
