"""Asks for the rules of a round: those that its mode has."""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from engine.commands import Rule
from engine.config import MODES_OF_KEY
from engine.errors import ConfigError
from flconsole.settings import find_setting
from flconsole.tui.dialogs.form import Form, Line
from flconsole.tui.view import View


class _Field(NamedTuple):
    """How a rule is asked for."""

    label: str
    hint: str


_FIELDS = {
    "quorum": _Field("Quorum", "updates that suffice; empty: all"),
    "deadline_s": _Field("Deadline", "seconds for a round; empty: no end"),
    "aggregation_interval_seconds": _Field("Interval", "seconds between aggregations"),
    "min_updates_per_aggregation": _Field("Minimum", "updates that an aggregation needs"),
}


class SetRules(Form[dict[str, Any]]):
    """The rules in force, to be changed; the result is the arguments of the request `set`.

    Only what was changed is in it: a rule that nobody touched goes on following the cohort.

    Args:
        view: the run.
    """

    def __init__(self, view: View) -> None:
        self._before = rules_in_force(view)
        lines = [
            Line(key, _FIELDS[key].label, value, _FIELDS[key].hint) for key, value in self._before.items()
        ]
        note = "They hold for the open round and for all after it."
        super().__init__("Rules of a round", lines, note=note)

    def accept(self, values: Mapping[str, str]) -> dict[str, Any]:
        changed = {key: value for key, value in values.items() if value != self._before[key]}
        asked: dict[str, Any] = {
            key: find_setting(key, where=key).check(value, where=key, strict=False)
            for key, value in changed.items()
            if value
        }
        cleared = [key for key, value in changed.items() if not value]
        for key in cleared:
            if key not in get_args(Rule):
                raise ConfigError(f"{_FIELDS[key].label}: there is none to do without; write a number")
        return asked | ({"clear": cleared} if cleared else {})


def rules_in_force(view: View) -> dict[str, str]:
    """The rules of the run's mode by their keys, as the server applies them; empty where there is none."""
    current, config = view.snapshot.state.round, view.config
    values: dict[str, float | None] = {
        "quorum": config.quorum,
        "deadline_s": config.deadline_s,
        "aggregation_interval_seconds": config.interval_s,
        "min_updates_per_aggregation": config.min_updates,
    }
    if current is not None:
        whole = len(current.cohort) if current.goal is None else current.goal
        is_everyone = current.quorum == whole and config.quorum is None
        values = {
            "quorum": None if is_everyone else current.quorum,
            "deadline_s": current.deadline_s,
            "aggregation_interval_seconds": current.interval_s,
            "min_updates_per_aggregation": current.quorum,
        }
    return {
        key: "" if value is None else f"{value:g}"
        for key, value in values.items()
        if config.mode in MODES_OF_KEY[key]
    }
