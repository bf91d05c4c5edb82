"""What an operator wants to be called for: clients that fail or are lost, and the end of a run."""

from typing import Literal

import msgspec

from engine import telemetry
from flconsole.state import ClientState, RunState
from flconsole.text import counted, visible
from flconsole.tui.view import Liveness, View

Severity = Literal["information", "warning", "error"]
_NAMED = 5
"""Clients that are named one by one; of more, the rest is counted."""


class News(msgspec.Struct, frozen=True):
    """One thing to call for."""

    text: str
    """Fit for a terminal: made `visible`."""
    severity: Severity


class Watch:
    """Compares each view with the one before; what happened before the first whole one is no news."""

    def __init__(self) -> None:
        self._before: View | None = None

    def news(self, view: View) -> list[News]:
        """What has happened since the last call; nothing in a replay."""
        if view.loading is not None or view.liveness is Liveness.REPLAY:
            return []
        before, self._before = self._before, view
        if before is None or (before.snapshot is view.snapshot and before.liveness is view.liveness):
            return []
        old, new = before.snapshot.state, view.snapshot.state
        found = [_failed(old, new), _lost(old, new)]
        if new.outcome is not None and old.outcome is None:
            found.append(_end(new))
        elif view.liveness is Liveness.GONE and before.liveness is not Liveness.GONE:
            found.append(News("the supervisor is gone, and the run with it; it can be resumed", "error"))
        return [item for item in found if item is not None]


def _failed(old: RunState, new: RunState) -> News | None:
    failed = [client for client in new.client_ids if new.client_state(client) is ClientState.FAILED]
    fresh = [client for client in failed if old.client_state(client) is not ClientState.FAILED]
    return News(f"{counted(fresh, _NAMED)} failed", "error") if fresh else None


def _lost(old: RunState, new: RunState) -> News | None:
    """Also of clients that are back already; not of those that an operator has killed."""
    before = {name: client.losses for name, client in old.clients.items()}
    lost = [name for name, client in new.clients.items() if client.losses > before.get(name, 0)]
    fresh = [name for name in lost if name not in new.killed]
    return News(f"{counted(fresh, _NAMED)} lost", "warning") if fresh else None


def _end(state: RunState) -> News:
    outcome = state.outcome
    reason = f": {visible(outcome.reason)}" if outcome is not None and outcome.reason else ""
    if isinstance(outcome, telemetry.RunFailed):
        return News(f"the run has failed{reason}", "error")
    if isinstance(outcome, telemetry.RunStopped):
        return News(f"the run was stopped{reason}", "warning")
    return News(f"the run has finished{reason}", "information")
