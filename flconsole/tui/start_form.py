"""What the start screen asks: one line a setting, and one for each run that goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.config import (
    CODECS,
    DATASETS,
    DEFAULT_INTERVAL_S,
    DEFAULT_ROUNDS,
    MODELS,
    MODES_OF_KEY,
    RunConfig,
)
from engine.errors import ConfigError
from flconsole import plan
from flconsole.last_choices import CHOSEN
from flconsole.settings import find_setting
from flconsole.text import visible
from flconsole.tui.line_view import LineView
from flconsole.tui.style import BOLD, DIM

SPARE_PARTS = 2
"""Parts of the data beyond one for each client, unless the operator wants another number."""
OFFERED_ROUNDS = 20
"""Rounds where neither the operator nor her own defaults say when to end: enough to watch and to act in."""
_MOST_DIGITS = 10
"""Enough for every seed; more would be no number that anybody means."""
_LABEL_WIDTH, _VALUE_WIDTH = 12, 18
_LABELS = {
    "deadline_s": "deadline",
    "aggregation_interval_seconds": "interval",
    "min_updates_per_aggregation": "minimum",
}
"""What a line calls a key, where that is not its name."""
_HINTS = {
    "dataset": "auto: CIFAR-10, or digits",
    "model": "or module:function",
    "clients": "on this machine",
    "rounds": f"until the end; empty: {DEFAULT_ROUNDS}",
    "quorum": "updates; empty: all",
    "deadline_s": "seconds; empty: no end",
    "aggregation_interval_seconds": f"seconds; empty: {DEFAULT_INTERVAL_S:g}",
    "min_updates_per_aggregation": "empty: half of the clients",
    "codec": "of updates on the wire",
    "seed": "the same, the same result",
}
_MODE_HINTS = {
    "sync": "a round waits for all",
    "timed": "a round ends by the clock",
    "buffered": "by the number of updates",
}
_CAN_BE_EMPTY = ("rounds", "quorum", *_LABELS)


class GoingOn(NamedTuple):
    """A run that goes on."""

    run_dir: Path
    about: str
    """Where it stands, in a few words."""


class StartForm(LineView):
    """The settings, and below them the runs that can be attached to instead.

    Args:
        choices: what the settings are at first, over the user's own defaults.
    """

    BINDINGS: ClassVar[list[BindingType]] = [  # `on_key` would run ahead of what was typed before
        *(Binding(digit, f"write_digit('{digit}')", show=False) for digit in "0123456789"),
        Binding("backspace", "take_back", show=False),
    ]

    class Changed(Message):
        """A setting has another value."""

    def __init__(self, choices: Mapping[str, Any]) -> None:
        super().__init__(id="form")
        self.values = _texts(plan.resolve({}, None), choices)
        self.runs: Sequence[GoingOn] = ()
        self._is_fresh = True
        """Whether the next digit begins another number."""

    # --- what it says

    @property
    def options(self) -> dict[str, str]:
        """What was chosen, as options of `flconsole run`."""
        return {key: self.values[key] for key in self.keys if self.values[key]}

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that the chosen mode has, in their order."""
        mode = self.values["mode"]
        return tuple(key for key in CHOSEN if mode in MODES_OF_KEY.get(key, (mode,)))

    @property
    def choices(self) -> dict[str, Any]:
        """What was chosen, in the types of the configuration, to be remembered."""
        return {
            key: find_setting(key, where="form").check(value, where=key, strict=False)
            for key, value in self.values.items()
            if value
        }

    @property
    def problem(self) -> str:
        """Why no run can be started like this; empty where one can."""
        try:
            plan.resolve(self.options, None)
        except ConfigError as error:
            return str(error)
        return ""

    @property
    def chosen_run(self) -> GoingOn | None:
        """The run at the cursor, to be attached to; None where the cursor is at a setting."""
        return self.runs[self.cursor - len(self.keys)] if self.cursor >= len(self.keys) else None

    @property
    def chosen_key(self) -> str | None:
        """The setting at the cursor."""
        return self.keys[self.cursor] if self.cursor < len(self.keys) else None

    # --- changing it

    def set(self, key: str, value: str) -> None:
        """Changes a setting. The parts follow the clients while they are as many as is offered."""
        before = self.values["clients"]
        self.values[key] = value
        if key == "clients" and self.values["parts"] == _offered_parts(before):
            self.values["parts"] = _offered_parts(value)
        self.lines_changed()
        self.post_message(self.Changed())

    def step(self, step: int) -> None:
        """The next value of the setting at the cursor, or the one before."""
        key = self.chosen_key
        if key is None:
            return
        value, values, number = self.values[key], _known_values(key), _number(self.values[key])
        if values:
            place = values.index(value) if value in values else 0
            self.set(key, values[(place + step) % len(values)])
        elif number is not None or not value:
            self.set(key, _stepped(key, (number or 0) + step))

    def action_write_digit(self, digit: str) -> None:
        """Writes a number where it stands; the first digit begins another."""
        key = self.chosen_key
        if key is not None and not _known_values(key):
            self.set(key, (("" if self._is_fresh else self.values[key]) + digit)[:_MOST_DIGITS])
            self._is_fresh = False

    def action_take_back(self) -> None:
        """Takes the last digit back."""
        key = self.chosen_key
        if key is not None and not _known_values(key):
            self.set(key, self.values[key][:-1])
            self._is_fresh = False

    def move_cursor(self, index: int) -> None:
        super().move_cursor(index)
        self._is_fresh = True

    def show_runs(self, runs: Sequence[GoingOn]) -> None:
        self.runs = runs
        self.lines_changed()

    # --- drawing

    @property
    def num_lines(self) -> int:
        return len(self.keys) + len(self.runs)

    @property
    def shows_cursor(self) -> bool:
        return True

    def draw_line(self, index: int, _width: int) -> Text:
        pointer = "> " if index == self.cursor else "  "
        if index >= len(self.keys):
            run = self.runs[index - len(self.keys)]
            return Text(f"{pointer}attach to   {visible(run.run_dir.name)}  {run.about}")
        key = self.keys[index]
        value = self.values[key]
        shown = f"< {value} >" if _known_values(key) else f"  {value}"
        line = Text(f"{pointer}{label_of(key):<{_LABEL_WIDTH}}")
        line.append(f"{visible(shown):<{_VALUE_WIDTH}}", BOLD)
        if len(shown) < _VALUE_WIDTH:
            line.append(self._hint(key), DIM)
        return line

    def _hint(self, key: str) -> str:
        if key == "parts":
            return self._parts_hint()
        return _MODE_HINTS.get(self.values[key], "") if key == "mode" else _HINTS[key]

    def _parts_hint(self) -> str:
        clients, parts = _number(self.values["clients"]), _number(self.values["parts"])
        if clients is None or parts is None:
            return ""
        left = parts - clients
        if left < 1:
            return "none spare: no client can be added"
        return f"{left} spare, for clients added later"


def label_of(key: str) -> str:
    """What the form calls a setting."""
    return _LABELS.get(key, key)


def _known_values(key: str) -> tuple[str, ...]:
    """The values to step through; none for a number."""
    open_lists = {"dataset": DATASETS, "model": MODELS, "codec": CODECS}
    return open_lists.get(key) or find_setting(key, where="form").choices


def _stepped(key: str, number: int) -> str:
    """A number after a step; below the least is nothing, where a setting may be without a value."""
    least = 0 if key == "seed" else 1
    return "" if number < least and key in _CAN_BE_EMPTY else str(max(least, number))


def _offered_parts(clients: str) -> str:
    number = _number(clients)
    return "" if number is None else str(number + SPARE_PARTS)


def _number(text: str) -> int | None:
    """The number that was written; None where that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _text(value: Any) -> str:
    """A value as an operator would write it."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _texts(config: RunConfig, choices: Mapping[str, Any]) -> dict[str, str]:
    """Every setting as it is written: as chosen last, else by the user's own default."""
    values = {**{key: getattr(config, key) for key in CHOSEN}, **choices}
    if values["rounds"] is None and config.round_limit is not None:
        values["rounds"] = OFFERED_ROUNDS
    texts = {key: _text(value) for key, value in values.items()}
    return texts | {"parts": texts["parts"] or _offered_parts(texts["clients"])}
