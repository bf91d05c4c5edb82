"""Asks for the quorum and the deadline."""

from collections.abc import Mapping
from typing import Any

from flconsole.settings import find_setting
from flconsole.tui.dialogs.form import Form, Line
from flconsole.tui.view import View


class SetRules(Form[dict[str, Any]]):
    """Quorum and deadline in force, to be changed; the result is the arguments of the request `set`.

    Only what was changed is in it: a rule that nobody touched goes on following the cohort.

    Args:
        view: the run.
    """

    def __init__(self, view: View) -> None:
        self._before = rules_in_force(view)
        lines = (
            Line("quorum", "Quorum", self._before["quorum"], "updates that suffice; empty: all"),
            Line("deadline_s", "Deadline", self._before["deadline_s"], "seconds for a round; empty: no end"),
        )
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
        return asked | ({"clear": cleared} if cleared else {})


def rules_in_force(view: View) -> dict[str, str]:
    """Quorum and deadline as the server applies them; empty where there is none."""
    current = view.snapshot.state.round
    quorum = current.quorum if current else view.config.quorum
    deadline_s = current.deadline_s if current else view.config.deadline_s
    if current and current.quorum == len(current.cohort) and view.config.quorum is None:
        quorum = None
    return {
        "quorum": "" if quorum is None else str(quorum),
        "deadline_s": "" if deadline_s is None else f"{deadline_s:g}",
    }
