"""What the operator chose last on the start screen, remembered for the next time."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w

from engine.config import nearest, read_toml
from engine.errors import ConfigError, EngineError
from flconsole.settings import find_setting

CHOSEN = ("dataset", "model", "clients", "parts", "rounds", "mode", "seed")
"""The keys of the configuration that the start screen asks for, in its order."""


def choices_file() -> Path:
    """Where they are kept; need not exist."""
    return Path(platformdirs.user_state_dir("flconsole")) / "last_choices.toml"


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
    """Replaces the file, whole or not at all.

    Raises:
        EngineError: it cannot be written; says where.
    """
    path = choices_file()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(tomli_w.dumps(choices), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}; these choices are not remembered") from error
