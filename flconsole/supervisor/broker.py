"""The embedded broker: started with a fresh cluster id each time, on a port that is fixed for the run."""

import asyncio
import random
import socket
import uuid
from asyncio.subprocess import Process
from typing import Any

from engine.errors import BrokerError
from flconsole.supervisor.daemon import Daemon
from flconsole.supervisor.programs import Programs, broker_command

HOST = "127.0.0.1"
_PROBE_S = 0.02
_PORTS = range(20_000, 32_768)
"""Below the ports that systems give to outgoing connections: a client that retries against a dead port out of
that range can be given the very same number, connect to itself, and keep the broker from coming back."""


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


def free_port() -> int:
    """A port of the loopback interface that nobody listens on.

    Raises:
        BrokerError: none of a hundred tries is free.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise BrokerError(f"no free port for the embedded broker between {_PORTS.start} and {_PORTS.stop - 1}")


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
