"""Follows the broker's health: one event when it goes, one when it is back, an end when it stays away."""

from engine import telemetry
from engine.errors import BrokerLost
from engine.server.journal import Journal
from engine.transport.base import Transport

_PATIENCE_S = 1.0


class BrokerWatch:
    """Turns a transport's health into events.

    Args:
        timeout_s: seconds after which a silent broker ends the run.
    """

    def __init__(self, transport: Transport, journal: Journal, timeout_s: float) -> None:
        self._transport, self._journal, self._timeout_s = transport, journal, timeout_s
        self._longest_s = 0.0
        self.is_lost = False

    def check(self) -> None:
        """Looks once.

        Raises:
            BrokerLost: silent for longer than the timeout.
        """
        health = self._transport.health()
        if health.lost_for_s is None:
            self._back(reset=False)
            return
        self._longest_s = max(self._longest_s, health.lost_for_s)
        if health.lost_for_s > self._timeout_s:
            raise BrokerLost(f"the broker has been silent for {health.lost_for_s:.0f} s: {health.reason}")
        if not self.is_lost and health.lost_for_s > _PATIENCE_S:
            self.is_lost = True
            self._journal.record(telemetry.BrokerLost(reason=health.reason))

    def note_reset(self) -> None:
        """Another, empty broker is there."""
        self.is_lost = True
        self._back(reset=True)

    def _back(self, *, reset: bool) -> None:
        if self.is_lost:
            away_s = round(self._longest_s, 3) if self._longest_s else None
            self._journal.record(telemetry.BrokerBack(away_s=away_s, reset=reset))
        self.is_lost, self._longest_s = False, 0.0
