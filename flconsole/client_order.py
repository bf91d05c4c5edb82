"""The order of the table of clients, kept from one console to the next."""

from pathlib import Path

import msgspec

from engine.config import read_toml
from engine.errors import ConfigError
from flconsole.client_rows import BY_NAME
from flconsole.files import keep_for_the_user, user_state_file


class Order(msgspec.Struct, frozen=True):
    """By which column, and whether the other way around."""

    column: str = "id"
    reverse: bool = False


def order_file() -> Path:
    """Where the user's order is kept."""
    return user_state_file("clients.toml")


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
    """Keeps the order.

    Raises:
        ConfigError: the file cannot be written; names it.
    """
    keep_for_the_user(path, msgspec.to_builtins(order))
