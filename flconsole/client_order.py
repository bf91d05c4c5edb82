"""The order of the table of clients, kept from one console to the next."""

import os
from pathlib import Path

import msgspec
import platformdirs
import tomli_w

from engine.config import read_toml
from engine.errors import ConfigError
from flconsole.client_rows import BY_NAME

FILE_NAME = "clients.toml"


class Order(msgspec.Struct, frozen=True):
    """By which column, and whether the other way around."""

    column: str = "id"
    reverse: bool = False


def order_file() -> Path:
    """Where the user's order is kept."""
    return Path(platformdirs.user_state_dir("flconsole")) / FILE_NAME


def load_order(path: Path) -> Order:
    """The order that was kept; by id where none was, or where another version kept a column unknown here.

    Raises:
        ConfigError: the file cannot be read; names it.
    """
    if not path.exists():
        return Order()
    try:
        order = msgspec.convert(read_toml(path), Order)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    return order if order.column in BY_NAME else Order()


def save_order(path: Path, order: Order) -> None:
    """Keeps the order; a reader sees the old file or the new one.

    Raises:
        ConfigError: the file cannot be written; names it.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(tomli_w.dumps(msgspec.to_builtins(order)), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: the order of the clients is not kept: {error.strerror}") from None
