"""Asks which clients to add."""

from collections.abc import Mapping
from typing import Any

from engine.errors import ConfigError
from flconsole.text import listed
from flconsole.tui.dialogs.form import Form, Line
from flconsole.tui.view import View

_MOST = 1000
"""Clients that one request may add."""


def free_parts(view: View) -> list[int]:
    """The parts of the data that no member works on."""
    members = view.snapshot.state.clients.values()
    taken = {client.part for client in members if client.membership not in ("left", "refused")}
    return [part for part in range(view.config.num_parts) if part not in taken]


class AddClients(Form[dict[str, Any]]):
    """How many clients, on which part and GPU; the result is the arguments of the request `add-client`.

    Args:
        view: the run, whose free parts are shown.
    """

    def __init__(self, view: View) -> None:
        self._free, self._num_parts = free_parts(view), view.config.num_parts
        lines = (
            Line("count", "How many", "1", "clients, on this machine"),
            Line("part", "Data part", "", f"of the first; {self._parts()}; empty: any"),
            Line("gpu", "GPU", "", "its number; empty: in turn"),
        )
        super().__init__("Add clients", lines, note=self._warning())

    def _parts(self) -> str:
        free = listed([str(part) for part in self._free]) or "none"
        return f"free: {free}"

    def _warning(self) -> str:
        if self._free:
            return ""
        return (
            f"All {self._num_parts} parts of the data are taken, so the server will refuse another client. "
            "A run leaves room for clients that come later with --parts N, N above --clients."
        )

    def accept(self, values: Mapping[str, str]) -> dict[str, Any]:
        count = _whole("How many", values["count"], 1, _MOST)
        asked: dict[str, Any] = {"count": count}
        if values["part"]:
            asked["part"] = _whole("Data part", values["part"], 0, self._num_parts - 1)
            if asked["part"] not in self._free:
                raise ConfigError(f"Data part: {asked['part']} is taken; {self._parts()}")
        if values["gpu"]:
            asked["gpu"] = _whole("GPU", values["gpu"], 0, 1023)
        return asked


def _whole(label: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
        raise ConfigError(f"{label}: {value!r} will not do; a whole number from {least} to {most}")
    return int(value)
