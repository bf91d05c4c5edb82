"""What an operator has paused. It is looked at between rounds: the open one goes on with its cohort."""

from collections.abc import Iterable, Sequence

from engine import telemetry
from engine.server.journal import Journal


class Pauses:
    """The federation, some of its clients, or nothing.

    A successor of this server reads it back from the events, so that it opens no round before the supervisor
    has reached it.

    Args:
        journal: remembers what is paused, and records each change.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def of_federation(self) -> bool:
        """Whether no round may be opened."""
        return self._journal.history.is_paused

    @property
    def clients(self) -> frozenset[str]:
        """Who is left out of new rounds."""
        return frozenset(self._journal.history.paused_clients)

    def cohort(self, members: Sequence[str]) -> tuple[str, ...]:
        """Those who would take part in a new round."""
        return tuple(client for client in members if client not in self.clients)

    def set(self, *, federation: bool, clients: Iterable[str]) -> None:
        """Makes this all that is paused; what is so already is not recorded again."""
        before, after = self.clients, frozenset(clients)
        if federation and not self.of_federation:
            self._journal.record(telemetry.FederationPaused())
        for client in sorted(after - before):
            self._journal.record(telemetry.ClientPaused(client=client))
        for client in sorted(before - after):
            self._journal.record(telemetry.ClientResumed(client=client))
        if self.of_federation and not federation:
            self._journal.record(telemetry.FederationResumed())
