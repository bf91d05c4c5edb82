"""Which round comes next: who takes part, and whether it can be opened now."""

from collections.abc import Callable

from engine.config import RunConfig
from engine.errors import TooFewClients
from engine.server.history import History
from engine.server.message_loop import MessageLoop
from engine.server.round import Round
from engine.server.selection import draw_cohort


class RoundPlanner:
    """Plans rounds from the membership, the pauses and the rules in force.

    Args:
        config: who is drawn, and how long clients are waited for.
        history: of the run; tells of a round that an earlier server opened.
        loop: knows the members and what operators want.
        has_begun: whether an earlier server has opened a round.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        history: History,
        loop: MessageLoop,
        *,
        has_begun: bool,
        clock: Callable[[], float],
    ) -> None:
        self._config, self._history, self._loop, self._clock = config, history, loop, clock
        self._is_fresh = not has_begun
        self._patient_until = clock() + config.start_timeout_s
        """Until then a run waits for its first clients, or, where it was taken over, for help."""

    def next_round(self, number: int, base_digest: str, last_tick: float | None) -> Round | None:
        """The round to open, or to go on with; None while it has to wait.

        It waits for the clients that were started with the run, for the end of a pause, and, where the run
        was taken over, for help: clients that are added, or a lower quorum.

        Args:
            number: of the round.
            base_digest: of the model that it starts from.
            last_tick: when the timed round before it closed (`Round.last_tick`).

        Raises:
            TooFewClients: the members, paused or not, do not reach the quorum.
        """
        if self.awaits_the_first():
            return None
        members, pauses = self._loop.members.clients(), self._loop.operators.pauses
        interrupted = self._history.cohort_of(number)
        drawn = draw_cohort(self._config, pauses.cohort(members), number)
        if interrupted and self._config.mode != "sync":  # where whoever joins takes part at once
            interrupted = tuple(dict.fromkeys((*interrupted, *drawn)))

        def plan(cohort: tuple[str, ...]) -> Round:
            return Round(
                number=number,
                base_digest=base_digest,
                cohort=cohort,
                rule=self._loop.operators.rules.closing_rule(),
                last_tick=last_tick,
                resumed=interrupted is not None,
            )

        planned = plan(interrupted or drawn)
        if not interrupted and pauses.of_federation:
            return None
        if planned.is_reachable():
            return planned
        is_only_paused = not interrupted and plan(members).is_reachable()
        may_be_helped = not self._is_fresh and self._clock() < self._patient_until
        if is_only_paused or may_be_helped:
            return None
        raise TooFewClients(
            f"round {number} needs {max(1, planned.required)} clients and {len(interrupted or members)} are "
            f"there; resume, then add clients or lower the quorum within {self._config.start_timeout_s:g} s"
        )

    def awaits_the_first(self) -> bool:
        """Before round 1: until all `--clients` have joined, or the start timeout."""
        is_before = self._is_fresh and self._history.opened is None
        return is_before and self._clock() < self._patient_until and self._loop.is_somebody_awaited()


def require_reachable(current: Round) -> None:
    """Makes sure that an open round can still close; an interrupted one, once all it held is read again.

    Raises:
        TooFewClients: so many left that it never can.
    """
    if current.is_open and not current.is_reachable():
        raise TooFewClients(
            f"round {current.number} can no longer reach {max(1, current.required)} updates: "
            f"of its {len(current.cohort)} clients {len(current.waited_for())} are left"
        )
