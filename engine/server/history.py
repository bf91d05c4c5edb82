"""What an earlier server of this run has already recorded, read back from its events."""

from dataclasses import dataclass, field
from pathlib import Path

from engine import telemetry
from engine.config import MAX_STALENESS
from engine.event_log import read_events
from engine.telemetry import UpdateId

MOST_BASES = MAX_STALENESS + 1


@dataclass(slots=True)
class History:
    """The facts in `events.jsonl` that a restarted server needs, to record nothing twice."""

    closed: int = 0
    """Highest round with a `round_closed`."""
    finished: int = 0
    """Highest round with a `round_finished`."""
    best_round: int | None = None
    best_accuracy: float = -1.0
    last_accuracy: float | None = None
    opened: telemetry.RoundOpened | None = None
    """The newest `round_opened`."""
    accepted: set[UpdateId] = field(default_factory=set)
    """Updates accepted since the newest round was closed."""
    bases: dict[int, str] = field(default_factory=dict)
    """Round -> digest of the model that it starts from, of the newest rounds."""
    bytes_up: dict[str, int] = field(default_factory=dict)
    """Client -> bytes of its accepted updates."""
    parts: dict[str, int] = field(default_factory=dict)
    """Client -> part, of everyone who joined and has not left."""
    left: set[str] = field(default_factory=set)
    """Clients that left and did not join again."""
    is_paused: bool = False
    """Whether an operator has paused the federation."""
    paused_clients: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> "History":
        history = cls()
        for _, event in read_events(path):
            if event is not None:
                history.note(event)
        return history

    def note(self, event: telemetry.Event) -> None:
        """Folds one event in; the live server keeps its history current with the same code."""
        self._note_members(event)
        match event:
            case telemetry.RoundOpened():
                self.opened = event
                self._note_base(event)
            case telemetry.UpdateAccepted():
                self.accepted.add(UpdateId(event.client, event.round - event.staleness, event.repeat))
                self.bytes_up[event.client] = self.bytes_up.get(event.client, 0) + event.bytes
            case telemetry.RoundClosed():
                self.closed = event.round
                self.accepted.clear()
            case telemetry.RoundFinished():
                self.finished, self.last_accuracy = event.round, event.accuracy
                if event.accuracy is not None and event.accuracy > self.best_accuracy:
                    self.best_round, self.best_accuracy = event.round, event.accuracy
            case _:
                pass

    def _note_members(self, event: telemetry.Event) -> None:
        match event:
            case telemetry.ClientJoined():
                self.parts[event.client] = event.part
                self.left.discard(event.client)
            case telemetry.ClientLeft():
                self.parts.pop(event.client, None)
                self.left.add(event.client)
            case telemetry.FederationPaused() | telemetry.FederationResumed():
                self.is_paused = isinstance(event, telemetry.FederationPaused)
            case telemetry.ClientPaused():
                self.paused_clients.add(event.client)
            case telemetry.ClientResumed():
                self.paused_clients.discard(event.client)
            case _:
                pass

    def cohort_of(self, round_number: int) -> tuple[str, ...] | None:
        """Who takes part in a round that was opened and not closed, without those that left unheard."""
        if self.opened is None or self.opened.round != round_number:
            return None
        return tuple(
            client
            for client in self.opened.cohort
            if client not in self.left or UpdateId(client, round_number) in self.accepted
        )

    def _note_base(self, event: telemetry.RoundOpened) -> None:
        self.bases[event.round] = event.base
        while len(self.bases) > MOST_BASES:
            del self.bases[min(self.bases)]
