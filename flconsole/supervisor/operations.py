"""What an operator can do to a run; every command and its answer are recorded."""

from collections.abc import Callable, Collection
from typing import Any

from engine import telemetry
from engine.commands import Answer, ClientExited, DismissClient, ServerCommand, SetRound, Spawn
from engine.config import RunConfig
from flconsole.supervisor.children import ALIVE, Child, Children
from flconsole.supervisor.exits import State
from flconsole.supervisor.federation import Federation
from flconsole.supervisor.placement import ClientProcess, deal, placements, why_impossible
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
from flconsole.text import counted

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
        keep_rules: writes a change of the rules where a server that is started again finds it.
        spawn_clients: the command that starts a process of clients, without some of them.
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
        keep_rules: Callable[[SetRound], None],
        spawn_clients: Callable[[ClientProcess, Collection[str]], Spawn],
        stop_run: Callable[[], None],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._children, self._link, self._records = children, link, records
        self._federation = Federation(link, keep_rules)
        self._config, self._gpus = config, gpus
        self._spawn_clients = spawn_clients
        self._stop_run = stop_run
        self._status = status

    @property
    def stop_after_round(self) -> bool:
        """Whether the run ends with the open round."""
        return self._federation.is_stopping

    def desired(self) -> list[ServerCommand]:
        """What a server that has just started must be told: who is out for good, and what operators want."""
        return [
            *(word for child in self._children.of_clients() for word in _who_is_out(child)),
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
        highest = max(int(client) for child in self._children.of_clients() for client in child.clients)
        added = [str(highest + number) for number in range(1, request.count + 1)]
        for process in deal(added, self._config.clients_per_process, placements(request)):
            self._children.add(self._spawn_clients(process, ()), process)
        return Answer(ok=True, text=f"started client {', '.join(added)}", data={"clients": added})

    def _kill(self, client: str, *, hard: bool) -> Answer:
        child = self._children.of(client)
        if child is None:
            return self._unknown(client)
        if child.state is State.OUT or client in child.killed:
            reason = KILLED if client in child.killed else child.reason
            return Answer(ok=False, text=f"client {client} is out already: {reason}")
        self._take_out(child, client)
        if child.present:
            others = counted(child.present)
            return Answer(
                ok=True, text=f"client {client} is out; the process it shared goes on with {others}"
            )
        self._children.stop(child, KILLED, hard=hard)
        return Answer(ok=True, text=f"client {client} is being {'killed' if hard else 'stopped'}")

    def _take_out(self, child: Child, client: str) -> None:
        """A client is not started again with its process; one that is not alone there is told to end."""
        child.killed.add(client)
        if child.present:
            child.spawn = self._spawn_clients(_process_of(child), child.killed)
            self._link.tell(_is_out(child, client))

    def _restart(self, client: str) -> Answer:
        child = self._children.of(client)
        if child is None:
            return self._unknown(client)
        is_alive = child.state in ALIVE
        if client in child.killed:
            child.killed.remove(client)
            if not is_alive:  # no process of it will be said to end
                self._link.tell(ClientExited(client=client, will_restart=True, reason=RESTARTED))
        child.spawn = self._spawn_clients(_process_of(child), child.killed)
        self._children.restart(child, RESTARTED)
        text = f"client {client} is being {'re' if is_alive else ''}started"
        if others := [other for other in child.present if other != client]:
            text += f", and so {'is' if len(others) == 1 else 'are'} {counted(others)} in the same process"
        return Answer(ok=True, text=text)

    def _unknown(self, client: str) -> Answer:
        known = ", ".join(client for child in self._children.of_clients() for client in child.clients)
        return Answer(ok=False, text=f"there is no client {client!r}; there are {known}")


def clients_exited(child: Child, *, will_restart: bool) -> list[ClientExited]:
    """What the server is told when a process has ended: one message for each client that was in it."""
    return [
        ClientExited(
            client=client,
            will_restart=will_restart and client in child.present,
            reason=KILLED if client in child.killed else child.reason,
        )
        for client in child.clients
    ]


def _who_is_out(child: Child) -> list[ServerCommand]:
    """What a server must be told that knows nothing of those of a process who are out for good."""
    if child.state is State.OUT:
        return [*clients_exited(child, will_restart=False)]
    return [_is_out(child, client) for client in child.clients if client in child.killed]


def _is_out(child: Child, client: str) -> ServerCommand:
    """Of a client that an operator has ended, and whose process goes on or will be started again."""
    if child.state in ALIVE:
        return DismissClient(client=client, reason=KILLED)
    return ClientExited(client=client, will_restart=False, reason=KILLED)


def _process_of(child: Child) -> ClientProcess:
    return ClientProcess(child.clients, child.placement)
