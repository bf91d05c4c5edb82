"""Files that a reader finds whole or not at all."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w

from engine.errors import ConfigError


def replace_file(path: Path, text: str, *, durable: bool = False) -> None:
    """Writes a file over the one that is there, if one is: a reader sees the old one or the new one.

    Args:
        path: the file.
        text: all of it.
        durable: whether it must outlive a power failure, for which the disk is waited for.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def user_state_file(name: str) -> Path:
    """Where one console leaves something for the user's next one; need not exist."""
    return Path(platformdirs.user_state_dir("flconsole")) / name


def keep_for_the_user(path: Path, values: Mapping[str, Any]) -> None:
    """Replaces a file in the user's state directory.

    Args:
        path: the file.
        values: what it holds, written as TOML.

    Raises:
        ConfigError: it cannot be written; names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, tomli_w.dumps(values))
    except OSError as error:
        raise ConfigError(f"{path}: this is not kept for the next console: {error.strerror}") from error
