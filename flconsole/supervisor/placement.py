"""Which clients share a process, and where an operator wants them: on which data, on which GPU. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.config import RunConfig
from flconsole.supervisor.requests import AddClient


class Placement(NamedTuple):
    """A wish for the clients of a process; what is None is left to the federation.

    Attributes:
        part: of the first client; the others have those after it.
        gpu: of all of them.
    """

    part: int | None = None
    gpu: int | None = None


ANYWHERE = Placement()


class ClientProcess(NamedTuple):
    """A process of one client or several."""

    clients: tuple[str, ...]
    placement: Placement = ANYWHERE

    @property
    def name(self) -> str:
        """`client-3` of one client, `clients-1-4` of those from 1 to 4."""
        if len(self.clients) == 1:
            return f"client-{self.clients[0]}"
        return f"clients-{self.clients[0]}-{self.clients[-1]}"


def deal(
    clients: Sequence[str], per_process: int, placements: Sequence[Placement] = ()
) -> list[ClientProcess]:
    """Deals clients to processes in their order, so many to each; the last one gets what is left.

    Args:
        clients: their ids.
        per_process: at most so many share one.
        placements: one for each client; none for anywhere.
    """
    return [
        ClientProcess(
            tuple(clients[first : first + per_process]), placements[first] if placements else ANYWHERE
        )
        for first in range(0, len(clients), per_process)
    ]


def placements(request: AddClient) -> list[Placement]:
    """One for each client: the parts count up from the one named, the GPU is shared."""
    return [
        Placement(None if request.part is None else request.part + number, request.gpu)
        for number in range(request.count)
    ]


def why_impossible(request: AddClient, config: RunConfig, *, holders: Mapping[int, str], gpus: int) -> str:
    """The reason to refuse a request; empty where there is none.

    A part that somebody has is refused: who names one wants that one, not another that happens to be free.

    Args:
        request: what an operator wants.
        config: of the run.
        holders: part -> the client that has it, as far as the server says.
        gpus: GPUs of this machine.
    """
    for part, gpu in placements(request):
        if part is not None and part >= config.num_parts:
            return f"part {part} does not exist; the parts are 0 to {config.num_parts - 1}"
        if part is not None and part in holders:
            return f"part {part} is taken by client {holders[part]}"
        if gpu is not None and config.trainer == "null":
            return "no client of this run trains, and none can use a GPU"
        if gpu is not None and gpu >= gpus:
            return f"GPU {gpu} does not exist; this machine has {gpus or 'none'}"
    return ""
