"""Carries out what an operator asks of the server, through the supervisor."""

from pathlib import Path

from engine.commands import (
    Answer,
    ClientExited,
    DismissClient,
    Inspect,
    Pause,
    RecycleBroker,
    SaveCheckpoint,
    ServerCommand,
    SetPaused,
    SetRound,
    StopAfterRound,
    Unpause,
)
from engine.config import RunConfig
from engine.errors import RunDirectoryError
from engine.server.checkpoint import CheckpointStore
from engine.server.inspection import inspect
from engine.server.journal import Journal
from engine.server.operator_socket import OperatorSocket
from engine.server.pauses import Pauses
from engine.server.round import Round
from engine.server.rules import Rules
from engine.server.telemetry_handler import TelemetryHandler


class Operators:
    """The rules that can change while the run goes on, and who changes them.

    Args:
        socket_path: where commands are taken; None for a server on its own.
        config: the rules at the start.
        telemetry_handler: told of clients whose process ended.
        journal: remembers what is paused and what has been accepted.
        store: the checkpoints.
    """

    def __init__(
        self,
        socket_path: Path | None,
        config: RunConfig,
        *,
        telemetry_handler: TelemetryHandler,
        journal: Journal,
        store: CheckpointStore,
    ) -> None:
        self._socket = OperatorSocket(socket_path) if socket_path else None
        self._telemetry, self._journal, self._store = telemetry_handler, journal, store
        self.pauses = Pauses(journal)
        self.rules = Rules(config, journal)
        self.stop_after_round = False
        self.given_up: set[str] = set()
        """Clients whose process will not come back."""

    def obey(self, current: Round | None, now: float) -> None:
        """Carries out the commands that have come, in order."""
        if self._socket is None:
            self.pauses.set(federation=False, clients=())  # nobody could ever end them
            return
        for command, reply in self._socket.poll():
            reply(self._carry_out(command, current, now))

    def request_recycling(self, reason: str) -> bool:
        """Asks the supervisor for a fresh embedded broker; False where nobody listens."""
        return self._socket is not None and self._socket.request(RecycleBroker(reason=reason))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _carry_out(self, command: ServerCommand, current: Round | None, now: float) -> Answer:
        match command:
            case ClientExited():
                self._client_exited(command, now)
            case DismissClient():
                self.given_up.add(command.client)
                self._telemetry.expel(command.client, command.reason)
            case StopAfterRound():
                self.stop_after_round = True
                return Answer(ok=True, text="the run ends after this round")
            case SetRound():
                return self.rules.change(command, current)
            case Pause() | Unpause():
                return self.pauses.change(command, self._telemetry.members.clients())
            case SetPaused():
                self.pauses.set(federation=command.federation, clients=command.clients)
            case SaveCheckpoint():
                return self._save()
            case Inspect():
                view = inspect(current, self._telemetry.members, self._journal.history, now)
                return Answer(ok=True, data={**view, **self.rules.in_force()})
        return Answer(ok=True)

    def _client_exited(self, exited: ClientExited, now: float) -> None:
        self._telemetry.note_exit(exited.client)
        if exited.will_restart:
            self._telemetry.lose(exited.client, exited.reason, now)
        else:
            self.given_up.add(exited.client)
            self._telemetry.dismiss(exited.client, exited.reason)

    def _save(self) -> Answer:
        try:
            saved = self._store.save()
        except RunDirectoryError as error:
            return Answer(ok=False, text=str(error))
        if saved is None:
            return Answer(ok=False, text="there is no checkpoint yet")
        return Answer(ok=True, text=f"saved {saved}", data={"path": str(saved)})
