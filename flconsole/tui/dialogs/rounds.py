"""Asks how far a finished run is to go on."""

from collections.abc import Mapping

from flconsole.settings import find_setting
from flconsole.tui.dialogs.form import Form, Line


class MoreRounds(Form[str]):
    """Rounds in all, for a run that has nothing left to do; the result is that number, as it was written.

    Args:
        done: rounds that are done.
        more: how many more are offered.
    """

    def __init__(self, done: int, more: int) -> None:
        hint = f"in all; {done} are done"
        super().__init__("Go on", (Line("rounds", "Rounds", str(done + more), hint),))

    def accept(self, values: Mapping[str, str]) -> str:
        find_setting("rounds", where="Rounds").check(values["rounds"], where="Rounds", strict=False)
        return values["rounds"]
