"""The connection to the server's socket; a server that was restarted is told again what still holds."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.commands import MAX_LINE, Answer, ServerCommand, ServerLine, ServerRequest, encode

_decoder = msgspec.json.Decoder(ServerLine)
_RETRY_S = 0.05
_NOT_CONNECTED = Answer(ok=False, text="the server is not running; try again in a moment")
_WENT_AWAY = Answer(ok=False, text="the server went away before it answered")


class ServerLink:
    """Commands to the server and requests from it.

    Args:
        path: the server's socket.
        on_request: called with what the server asks for.
    """

    def __init__(
        self,
        path: Path,
        on_request: Callable[[ServerRequest], None],
    ) -> None:
        self._path = path
        self._on_request = on_request
        self._writer: asyncio.StreamWriter | None = None
        self._unanswered: deque[asyncio.Future[Answer]] = deque()

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def keep(self, desired: Callable[[], list[ServerCommand]]) -> None:
        """Connects, serves until the server goes away, and connects again, for ever.

        Args:
            desired: the commands that a new server must be told first.
        """
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_LINE)
            except (FileNotFoundError, ConnectionError):
                await asyncio.sleep(_RETRY_S)
                continue
            self._writer = writer
            try:
                for command in desired():
                    self.tell(command)
                await self._serve(reader)
            finally:
                self._disconnect(writer)

    def tell(self, command: ServerCommand) -> "asyncio.Future[Answer]":
        """Sends a command; the future is its answer, a refusal where the server is not there."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            answer.set_result(_NOT_CONNECTED)
        else:
            self._writer.write(encode(command))
            self._unanswered.append(answer)
        return answer

    async def ask(
        self,
        command: ServerCommand,
        *,
        timeout_s: float = 5.0,
        when_done: Callable[[], None] | None = None,
    ) -> Answer:
        """Sends a command and waits for its answer.

        Args:
            command: what is asked.
            timeout_s: how long to wait.
            when_done: called once the server has carried it out, even where it says so too late.

        Returns:
            The answer; a refusal where the server does not give one in time.
        """
        answer = self.tell(command)
        if when_done is not None:
            answer.add_done_callback(lambda given: when_done() if given.result().ok else None)
        done, _ = await asyncio.wait({answer}, timeout=timeout_s)
        return (
            answer.result()
            if done
            else Answer(ok=False, text=f"the server has not answered for {timeout_s:g} s")
        )

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(_decoder.decode(line))
        except ConnectionError:
            return

    def _take(self, line: ServerLine) -> None:
        if isinstance(line, Answer):
            if self._unanswered:
                self._unanswered.popleft().set_result(line)
        else:
            self._on_request(line)

    def _disconnect(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        writer.close()
        while self._unanswered:
            self._unanswered.popleft().set_result(_WENT_AWAY)
