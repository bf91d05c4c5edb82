"""What an operator can do to a run; every command and its answer are recorded."""

from collections.abc import Callable
from typing import Any

from engine import telemetry
from engine.commands import Answer, ClientExited, ServerCommand, SetRound, Spawn, StopAfterRound
from flconsole.supervisor.children import ALIVE, Child, Children
from flconsole.supervisor.exits import State
from flconsole.supervisor.records import Records
from flconsole.supervisor.requests import (
    AddClient,
    AnyRequest,
    KillClient,
    RestartClient,
    SetRules,
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
        self._children, self._link, self._records = children, link, records
        self._spawn_client = spawn_client
        self._stop_run = stop_run
        self._status = status
        self._rules = SetRound()
        self.stop_after_round = False

    def desired(self) -> list[ServerCommand]:
        """What a server that has just started must be told: who is out for good, and the rules in force."""
        commands: list[ServerCommand] = [
            client_exited(child, will_restart=False)
            for child in self._children.clients()
            if child.state is State.OUT
        ]
        if self._rules != SetRound():
            commands.append(self._rules)
        if self.stop_after_round:
            commands.append(StopAfterRound())
        return commands

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

    async def _carry_out(self, request: AnyRequest) -> Answer:
        match request:
            case AddClient(count=count):
                return self._add(count)
            case KillClient(client=client, hard=hard):
                return self._kill(client, hard=hard)
            case RestartClient(client=client):
                return self._restart(client)
            case Stop(after_round=True):
                self.stop_after_round = True
                self._link.tell(StopAfterRound())
                return Answer(ok=True, text="the run ends when the open round is finished")
            case Stop():
                self._stop_run()
                return Answer(ok=True, text="the run is being stopped")
            case SetRules():
                return await self._set_rules(request)
            case _:
                raise AssertionError(request)

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

    async def _set_rules(self, request: SetRules) -> Answer:
        change = SetRound(quorum=request.quorum, deadline_s=request.deadline_s)
        answer = await self._link.ask(change)
        if answer.ok:
            self._rules = SetRound(
                quorum=self._rules.quorum if change.quorum is None else change.quorum,
                deadline_s=self._rules.deadline_s if change.deadline_s is None else change.deadline_s,
            )
        return answer

    def _unknown(self, client: str) -> Answer:
        known = ", ".join(child.client or "" for child in self._children.clients())
        return Answer(ok=False, text=f"there is no client {client!r}; there are {known}")


def client_exited(child: Child, *, will_restart: bool) -> ClientExited:
    """The message that tells the server about a client's end."""
    return ClientExited(client=child.client or child.name, will_restart=will_restart, reason=child.reason)
