"""The socket that operators talk to: reads one request a line, writes one answer a line, and nothing else."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from engine import untrusted_json
from engine.commands import MAX_LINE, Answer, encode
from flconsole.supervisor.requests import AnyRequest

_decoder = msgspec.json.Decoder(AnyRequest)


class ControlServer:
    """Listens on a unix socket that only this user can reach.

    Args:
        path: where to listen.
        handle: answers one request.
    """

    def __init__(self, path: Path, handle: Callable[[AnyRequest], Awaitable[Answer]]) -> None:
        self._path = path
        self._handle = handle
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self._path, limit=MAX_LINE)
        os.chmod(self._path, 0o600)  # noqa: PTH101  # the directory is private already; this says so twice

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(encode(await self._answer(line)))
                await writer.drain()
        except ValueError:  # a line longer than the limit: there is no telling where the next one begins
            writer.write(encode(Answer(ok=False, text=f"a request of more than {MAX_LINE} bytes")))
        except ConnectionError:
            return  # the operator went away; whatever was asked has been done
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = untrusted_json.decode(_decoder, line)
        except msgspec.DecodeError as error:
            return Answer(ok=False, text=f"not a request: {error}")
        return await self._handle(request)
