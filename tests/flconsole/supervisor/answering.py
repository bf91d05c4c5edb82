"""The server's end of its socket, in this process, answering when a test says so."""

import asyncio
import contextlib

from engine.commands import Answer, encode
from flconsole.supervisor.server_link import ServerLink


class Server:
    """Answers when it is told to."""

    def __init__(self, path):
        self.path = path
        self.questions = []
        self.answers = asyncio.Queue()
        self.has_ended = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                self.questions.append(line)
                writer.write(encode(await self.answers.get()))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self.has_ended.set()


@contextlib.asynccontextmanager
async def connected(path):
    """A server, and a link to it."""
    server = Server(path)
    listener = await asyncio.start_unix_server(server.serve, path)
    link = ServerLink(path, lambda _: None)
    is_connected = asyncio.Event()

    def desired():
        is_connected.set()
        return []

    keeping = asyncio.ensure_future(link.keep(desired))
    async with asyncio.timeout(20):
        await is_connected.wait()
        yield server, link
    keeping.cancel()
    listener.close()
    await asyncio.gather(keeping, return_exceptions=True)
    server.answers.put_nowait(Answer(ok=True))  # to a question that was left open
    await server.has_ended.wait()
