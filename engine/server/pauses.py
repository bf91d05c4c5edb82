"""What an operator has paused. It is looked at between rounds: the open one goes on with its cohort."""

from collections.abc import Iterable, Sequence

from engine import telemetry
from engine.commands import Answer, Pause, Unpause
from engine.server.journal import Journal

_FEDERATION_PAUSED = "no other round is opened until the federation is unpaused"
_FEDERATION_GOES_ON = "rounds are opened again"


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

    def change(self, command: Pause | Unpause, members: Sequence[str]) -> Answer:
        """Pauses or unpauses the named clients, or the federation where none is named."""
        is_pause = isinstance(command, Pause)
        if command.clients is None:
            self.set(federation=is_pause, clients=self.clients)
            return Answer(ok=True, text=_FEDERATION_PAUSED if is_pause else _FEDERATION_GOES_ON)
        known = dict.fromkeys((*members, *sorted(self.clients)))
        for client in command.clients:
            if client not in known:
                return Answer(ok=False, text=f"there is no client {client!r}; there are {', '.join(known)}")
        named = frozenset(command.clients)
        clients = self.clients | named if is_pause else self.clients - named
        self.set(federation=self.of_federation, clients=clients)
        effect = "left out after the open round" if is_pause else "takes part from the next round on"
        return Answer(ok=True, text=f"client {', '.join(command.clients)}: {effect}")

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
