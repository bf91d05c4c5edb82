"""When rounds close: as configured, and as operators have changed it since."""

from engine import telemetry
from engine.commands import Answer, SetRound
from engine.config import RunConfig
from engine.server.journal import Journal
from engine.server.round import Round


class Rules:
    """The quorum and the deadline of the open round and of all after it.

    Args:
        config: the rules at the start.
        journal: told of a change during a round.
    """

    def __init__(self, config: RunConfig, journal: Journal) -> None:
        self._num_parts, self._journal = config.num_parts, journal
        self.quorum, self.deadline_s = config.quorum, config.deadline_s

    def change(self, command: SetRound, current: Round | None) -> Answer:
        """Changes both rules, or neither where one of them is impossible."""
        if command.quorum is not None and not 1 <= command.quorum <= self._num_parts:
            return Answer(ok=False, text=f"quorum must be from 1 to {self._num_parts}")
        if command.deadline_s is not None and command.deadline_s <= 0:
            return Answer(ok=False, text="deadline_s must be above 0")
        self.quorum = command.quorum or (None if "quorum" in command.clear else self.quorum)
        self.deadline_s = command.deadline_s or (None if "deadline_s" in command.clear else self.deadline_s)
        if current is not None:
            self._apply(current)
        return Answer(
            ok=True,
            text=f"from now on: quorum {self.quorum or 'none'}, deadline_s {self.deadline_s or 'none'}",
        )

    def _apply(self, current: Round) -> None:
        before = current.required, current.deadline_s
        current.quorum, current.deadline_s = self.quorum, self.deadline_s
        if current.is_open and (current.required, current.deadline_s) != before:
            event = telemetry.RulesChanged(
                round=current.number, quorum=current.required, deadline_s=current.deadline_s
            )
            self._journal.record(event)
