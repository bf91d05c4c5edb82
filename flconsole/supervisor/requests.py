"""What an operator can ask of a supervisor: one JSON line each, answered by one `Answer` line."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.commands import Rule


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", forbid_unknown_fields=True):
    """Base: `command` names the request, the other keys are its arguments."""

    def arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Status(Request, frozen=True, tag="status"):
    """Processes with pid, state, restarts and uptime; the run's id, round and accuracy."""


class AddClient(Request, frozen=True, tag="add-client"):
    """Start more clients under the next free numbers."""

    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    part: Annotated[int, Meta(ge=0)] | None = None
    """Of the data, for the first; the others get those after it. None: any that is free."""
    gpu: Annotated[int, Meta(ge=0)] | None = None
    """For all of them; None: dealt out in turn."""


class KillClient(Request, frozen=True, tag="kill-client"):
    """End a client for good: TERM, or at once KILL. A process that it shares with others goes on."""

    client: str
    hard: bool = False


class RestartClient(Request, frozen=True, tag="restart-client"):
    """Start a client anew, whatever has become of it, and with it whoever shares its process."""

    client: str


class Stop(Request, frozen=True, tag="stop"):
    """End the run now, or when the open round is finished."""

    after_round: bool = False


class SetRules(Request, frozen=True, tag="set"):
    """Change the rules of the open round and of all after it; None leaves a rule as it is."""

    quorum: Annotated[int, Meta(ge=1)] | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None
    aggregation_interval_seconds: Annotated[float, Meta(gt=0)] | None = None
    min_updates_per_aggregation: Annotated[int, Meta(ge=1)] | None = None
    clear: list[Rule] = []
    """Rules to do without."""


class Pause(Request, frozen=True, tag="pause"):
    """Leave clients out of every round after the open one; None: open no round at all."""

    clients: list[str] | None = None


class Unpause(Request, frozen=True, tag="unpause"):
    """Let clients take part again; None: open rounds again."""

    clients: list[str] | None = None


class Save(Request, frozen=True, tag="save"):
    """Keep the newest checkpoint for good."""


ProcessRequest = AddClient | KillClient | RestartClient
"""What the supervisor carries out."""

FederationRequest = Stop | SetRules | Pause | Unpause | Save
"""What the server carries out."""

AnyRequest = Status | ProcessRequest | FederationRequest
