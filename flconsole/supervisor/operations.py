"""What an operator can do to a run; every command and its answer are recorded."""

from collections.abc import Callable
from typing import Any

from engine import telemetry
from engine.commands import Answer, ClientExited, ServerCommand, Spawn
from flconsole.supervisor.children import ALIVE, Child, Children
from flconsole.supervisor.exits import State
from flconsole.supervisor.federation import Federation
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

KILLED = "killed by the operator"
RESTARTED = "restarted by the operator"


class Operations:
    """Carries out operators' requests.

    Args:
        children: the server and the clients.
        link: the server's socket.
        records: where commands are written.
        spawn_client: the command that starts a client of a given id.
        stop_run: ends the run now.
        status: what `status` answers.
    """

    def __init__(
        self,
        children: Children,
        link: ServerLink,
        records: Records,
        *,
        spawn_client: Callable[[str], Spawn],
        stop_run: Callable[[], None],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._children, self._records = children, records
        self._federation = Federation(link)
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
            case AddClient(count=count):
                return self._add(count)
            case KillClient(client=client, hard=hard):
                return self._kill(client, hard=hard)
            case RestartClient(client=client):
                return self._restart(client)
            case Stop(after_round=False):
                self._stop_run()
                return Answer(ok=True, text="the run is being stopped")
            case _:
                return await self._federation.ask(request)

    def _add(self, count: int) -> Answer:
        highest = max((int(child.client) for child in self._children.clients() if child.client), default=0)
        added = [str(number) for number in range(highest + 1, highest + 1 + count)]
        for client in added:
            self._children.add(self._spawn_client(client), "client", client)
        return Answer(ok=True, text=f"started client {', '.join(added)}", data={"clients": added})

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
