"""When rounds close: as configured, and as operators have changed it since."""

import math
from typing import Any, NamedTuple

from engine import telemetry
from engine.commands import Answer, SetRound
from engine.config import MAX_INTERVAL_S, MAX_KEPT_UPDATES, MIN_INTERVAL_S, MODES_OF_KEY, RunConfig
from engine.server.closing import ClosingRule, OnInterval, WaitForCohort, WhenFull
from engine.server.journal import Journal
from engine.server.round import Round


class _Values(NamedTuple):
    """The rules of all modes by their keys; None is a rule that is not set."""

    quorum: int | None
    deadline_s: float | None
    aggregation_interval_seconds: float
    min_updates_per_aggregation: int


class Rules:
    """The closing rule of the open round and of all after it.

    Args:
        config: the rules at the start.
        journal: told of a change during a round.
    """

    def __init__(self, config: RunConfig, journal: Journal) -> None:
        self._config, self._journal = config, journal
        self._values = _Values(config.quorum, config.deadline_s, config.interval_s, config.min_updates)

    def closing_rule(self) -> ClosingRule:
        """The rule in force."""
        return self._rule(self._values)

    def in_force(self) -> dict[str, int | float | None]:
        """The rules of this mode by their keys; None is a rule that is not set."""
        values = self._values._asdict()
        return {key: value for key, value in values.items() if self._config.mode in MODES_OF_KEY[key]}

    def change(self, command: SetRound, current: Round | None) -> Answer:
        """Changes all the rules that are named, or none where one of them is impossible."""
        given = {key: value for key in _Values._fields if (value := getattr(command, key)) is not None}
        changes: dict[str, Any] = dict.fromkeys(command.clear) | given
        changed = self._values._replace(**changes)
        if refusal := self._why_impossible(command) or self._why_unreachable(changed, current):
            return Answer(ok=False, text=refusal)
        self._values = changed
        if current is not None:
            self._apply(current)
        told = ", ".join(f"{key} {value or 'none'}" for key, value in self.in_force().items())
        return Answer(ok=True, text=f"from now on: {told}")

    def _rule(self, values: _Values) -> ClosingRule:
        match self._config.mode:
            case "sync":
                return WaitForCohort(values.quorum, values.deadline_s, self._config.clients_per_round)
            case "timed":
                return OnInterval(values.aggregation_interval_seconds, values.min_updates_per_aggregation)
            case "buffered":
                return WhenFull(values.min_updates_per_aggregation)

    def _why_impossible(self, command: SetRound) -> str:
        mode, parts = self._config.mode, self._config.num_parts
        limits: dict[str, tuple[float, float]] = {
            "quorum": (1, self._config.clients_per_round or parts),
            "min_updates_per_aggregation": (1, MAX_KEPT_UPDATES * parts),
            "aggregation_interval_seconds": (MIN_INTERVAL_S, MAX_INTERVAL_S),
        }
        for key in _Values._fields:
            value, is_asked = getattr(command, key), key in command.clear
            if (value is not None or is_asked) and mode not in MODES_OF_KEY[key]:
                return f"{key} belongs to mode {' or '.join(MODES_OF_KEY[key])}; this run's is {mode}"
            if value is None:
                continue
            if key in limits and not limits[key][0] <= value <= limits[key][1]:
                return f"{key} must be from {limits[key][0]} to {limits[key][1]}"
            if not 0 < value < math.inf:
                return f"{key} must be above 0"
        return ""

    def _why_unreachable(self, changed: _Values, current: Round | None) -> str:
        """An operator who asks for too much does not mean the end of the run."""
        rule = self._rule(changed)
        if current is None or not current.is_open or rule.is_reachable(current):
            return ""
        left = f"{len(current.waited_for())} of its clients are left"
        return f"round {current.number} could not come to {rule.required(current)} updates: {left}"

    def _apply(self, current: Round) -> None:
        before, current.rule = current.rule, self.closing_rule()
        if current.is_open and _told(current, current.rule) != _told(current, before):
            quorum, deadline_s, interval_s = _told(current, current.rule)
            event = telemetry.RulesChanged(
                round=current.number, quorum=quorum, deadline_s=deadline_s, interval_s=interval_s
            )
            self._journal.record(event)


def _told(current: Round, rule: ClosingRule) -> tuple[int, float | None, float | None]:
    return rule.required(current), rule.deadline_s, rule.interval_s
