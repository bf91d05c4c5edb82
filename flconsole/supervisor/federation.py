"""What operators want of the federation: passed on to the server, and told again to each successor of it."""

from collections.abc import Callable

import msgspec

from engine import commands
from engine.commands import (
    Answer,
    Inspect,
    SaveCheckpoint,
    ServerCommand,
    SetPaused,
    SetRound,
    StopAfterRound,
)
from engine.errors import ConfigError
from flconsole.supervisor.requests import FederationRequest, Pause, Save, SetRules, Stop, Unpause
from flconsole.supervisor.server_link import ServerLink

_SAVING_S = 10.0
"""Where a checkpoint has to be copied, that takes its time."""


class Federation:
    """The wishes in force: those that the server has carried out.

    Args:
        link: the server's socket.
        keep_rules: writes a change of the rules where a server that is started again finds it.
    """

    def __init__(self, link: ServerLink, keep_rules: Callable[[SetRound], None]) -> None:
        self._link, self._keep_rules = link, keep_rules
        self._is_paused = False
        self._paused_clients: set[str] = set()
        self.is_stopping = False
        """Whether the run ends with the open round."""

    def desired(self) -> list[ServerCommand]:
        """What a server that has just started must be told; that nothing is paused too, for it remembers."""
        wishes: list[ServerCommand] = [
            SetPaused(federation=self._is_paused, clients=tuple(sorted(self._paused_clients)))
        ]
        if self.is_stopping:
            wishes.append(StopAfterRound())
        return wishes

    async def holders(self) -> dict[int, str]:
        """Part of the data -> the client that has it; empty where the server does not say so now."""
        answer = await self._link.ask(Inspect())
        try:
            parts = msgspec.convert(answer.data.get("parts", {}), dict[str, int])
        except msgspec.ValidationError:  # a server of another version; it refuses on its own
            return {}
        return {part: client for client, part in parts.items()}

    async def ask(self, request: FederationRequest) -> Answer:
        """Passes a request on to the server; the answer is the server's."""
        match request:
            case Stop():
                return self._stop_after_round()
            case SetRules():
                return await self._set_rules(request)
            case Pause() | Unpause():
                return await self._pause(request)
            case Save():
                return await self._link.ask(SaveCheckpoint(), timeout_s=_SAVING_S)

    def _stop_after_round(self) -> Answer:
        self.is_stopping = True
        self._link.tell(StopAfterRound())
        return Answer(ok=True, text="the run ends when the open round is finished")

    async def _set_rules(self, request: SetRules) -> Answer:
        change = SetRound(**request.arguments() | {"clear": tuple(request.clear)})
        failures: list[OSError | ConfigError] = []

        def note() -> None:
            try:
                self._keep_rules(change)
            except (OSError, ConfigError) as error:
                failures.append(error)

        answer = await self._link.ask(change, when_done=note)
        if failures:
            return Answer(ok=True, text=f"{answer.text}; but only until the server restarts: {failures[0]}")
        return answer

    async def _pause(self, request: Pause | Unpause) -> Answer:
        is_pause = isinstance(request, Pause)
        clients = None if request.clients is None else tuple(request.clients)
        command = commands.Pause(clients=clients) if is_pause else commands.Unpause(clients=clients)

        def note() -> None:
            if clients is None:
                self._is_paused = is_pause
            elif is_pause:
                self._paused_clients.update(clients)
            else:
                self._paused_clients.difference_update(clients)

        return await self._link.ask(command, when_done=note)
