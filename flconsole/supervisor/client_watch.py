"""What the clients do, asked of the server once for each sample."""

import asyncio

import msgspec

from engine.commands import Answer, Inspect
from engine.telemetry import ClientSample
from flconsole.supervisor.server_link import ServerLink

_PATIENCE_S = 0.5


class ClientWatch:
    """Asks, waits briefly, and asks nothing more while a question is open: a busy server is left in peace.

    Args:
        link: the server's socket.
    """

    def __init__(self, link: ServerLink) -> None:
        self._link = link
        self._question: asyncio.Future[Answer] | None = None

    async def look(self) -> dict[str, ClientSample]:
        """What the server has heard of each client; empty where it does not say so now."""
        if not self._link.connected or (self._question is not None and not self._question.done()):
            return {}
        self._question = self._link.tell(Inspect())
        done, _ = await asyncio.wait({self._question}, timeout=_PATIENCE_S)
        return _samples(self._question.result()) if done else {}


def _samples(answer: Answer) -> dict[str, ClientSample]:
    try:
        return msgspec.convert(answer.data.get("members", {}), dict[str, ClientSample])
    except msgspec.ValidationError:  # a server of another version: what it says is unknown here
        return {}
