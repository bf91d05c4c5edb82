"""What an operator can do to a run; every command and its answer are recorded."""

from collections.abc import Callable
from typing import Any

from engine import telemetry
from engine.commands import Answer, ClientExited, ServerCommand, Spawn
from engine.config import RunConfig
from flconsole.supervisor.children import ALIVE, Child, Children
from flconsole.supervisor.exits import State
from flconsole.supervisor.federation import Federation
from flconsole.supervisor.placement import Placement, placements, why_impossible
from flconsole.supervisor.records import Records
from flconsole.supervisor.requests import (
    AddClient,
    AnyRequest,
    FederationRequest,
    KillClient,
    ProcessRequest,
    RestartClient,
    Status,
    Stop,
)
from flconsole.supervisor.server_link import ServerLink

KILLED = telemetry.KILLED_BY_OPERATOR
RESTARTED = telemetry.RESTARTED_BY_OPERATOR


class Operations:
    """Carries out operators' requests.

    Args:
        children: the server and the clients.
        link: the server's socket.
        records: where commands are written.
        config: of the run.
        gpus: how many this machine has.
        spawn_client: the command that starts a client of a given id at a given place.
        stop_run: ends the run now.
        status: what `status` answers.
    """

    def __init__(
        self,
        children: Children,
        link: ServerLink,
        records: Records,
        *,
        config: RunConfig,
        gpus: Callable[[], int],
        spawn_client: Callable[[str, Placement], Spawn],
        stop_run: Callable[[], None],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._children, self._records = children, records
        self._federation = Federation(link)
        self._config, self._gpus = config, gpus
        self._spawn_client = spawn_client
        self._stop_run = stop_run
        self._status = status

    @property
    def stop_after_round(self) -> bool:
        """Whether the run ends with the open round."""
        return self._federation.is_stopping

    def desired(self) -> list[ServerCommand]:
        """What a server that has just started must be told: who is out for good, and what operators want."""
        gone = [child for child in self._children.clients() if child.state is State.OUT]
        return [
            *(client_exited(child, will_restart=False) for child in gone),
            *self._federation.desired(),
        ]

    async def handle(self, request: AnyRequest) -> Answer:
        """Answers one request."""
        if isinstance(request, Status):
            return Answer(ok=True, data=self._status())
        answer = await self._carry_out(request)
        tag = str(request.__struct_config__.tag)
        self._records.append(
            telemetry.Command(command=tag, arguments=request.arguments(), ok=answer.ok, answer=answer.text)
        )
        return answer

    async def _carry_out(self, request: ProcessRequest | FederationRequest) -> Answer:
        match request:
            case AddClient():
                return await self._add(request)
            case KillClient(client=client, hard=hard):
                return self._kill(client, hard=hard)
            case RestartClient(client=client):
                return self._restart(client)
            case Stop(after_round=False):
                self._stop_run()
                return Answer(ok=True, text="the run is being stopped")
            case _:
                return await self._federation.ask(request)

    async def _add(self, request: AddClient) -> Answer:
        holders = {} if request.part is None else await self._federation.holders()
        if refusal := why_impossible(request, self._config, holders=holders, gpus=self._gpus()):
            return Answer(ok=False, text=refusal)
        highest = max((int(child.client) for child in self._children.clients() if child.client), default=0)
        added = {str(highest + number): place for number, place in enumerate(placements(request), 1)}
        for client, placement in added.items():
            self._children.add(self._spawn_client(client, placement), "client", client, placement)
        return Answer(ok=True, text=f"started client {', '.join(added)}", data={"clients": list(added)})

    def _kill(self, client: str, *, hard: bool) -> Answer:
        child = self._children.client(client)
        if child is None:
            return self._unknown(client)
        if child.state is State.OUT:
            return Answer(ok=False, text=f"client {client} is out already: {child.reason}")
        self._children.stop(child, KILLED, hard=hard)
        return Answer(ok=True, text=f"client {client} is being {'killed' if hard else 'stopped'}")

    def _restart(self, client: str) -> Answer:
        child = self._children.client(client)
        if child is None:
            return self._unknown(client)
        self._children.restart(child, RESTARTED)
        return Answer(ok=True, text=f"client {client} is being {'re' if child.state in ALIVE else ''}started")

    def _unknown(self, client: str) -> Answer:
        known = ", ".join(child.client or "" for child in self._children.clients())
        return Answer(ok=False, text=f"there is no client {client!r}; there are {known}")


def client_exited(child: Child, *, will_restart: bool) -> ClientExited:
    """The message that tells the server about a client's end."""
    return ClientExited(client=child.client or child.name, will_restart=will_restart, reason=child.reason)
