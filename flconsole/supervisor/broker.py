"""The embedded broker: started with a fresh cluster id each time, on a port that is fixed for the run."""

import asyncio
import uuid
from asyncio.subprocess import Process
from typing import Any

from engine.loopback import HOST, free_port
from flconsole.supervisor.daemon import Daemon
from flconsole.supervisor.programs import Programs, broker_command

_PROBE_S = 0.02


class EmbeddedBroker(Daemon):
    """The broker process.

    Args:
        programs: which module it is.
        **daemon: see `Daemon`.
    """

    name = "broker"

    def __init__(self, programs: Programs, **daemon: Any) -> None:
        super().__init__(**daemon)
        self._programs = programs
        self.port = free_port()
        self.ready = asyncio.Event()
        """Set while the broker accepts connections."""

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        return broker_command(self._programs, port=self.port, cluster_id=uuid.uuid4().hex)

    async def serve(self, process: Process) -> None:
        exited = asyncio.ensure_future(process.wait())
        while not exited.done() and not self.ready.is_set():
            if await _accepts(self.port):
                self.ready.set()
            else:
                await asyncio.wait({exited}, timeout=_PROBE_S)
        await exited
        self.ready.clear()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
