"""Which modules a run consists of, and the command line of each."""

import os
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from engine.commands import Spawn
from engine.config import RunConfig
from flconsole.supervisor.placement import ClientProcess

NURSERY_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Numpy's thread pool would be there before the fork, once for each core, and serve nobody here.
    "OPENBLAS_NUM_THREADS": "1",
    # Else glibc keeps heaps for threads that came and went with a broker: a third of the memory, and more.
    "MALLOC_ARENA_MAX": "2",
}
"""Set in the nursery, and so in the server and the clients, unless the operator has set it."""
_SERVER_AND_CLIENT = ("engine.server.federated_server", "engine.client.client_group")
_TRAINING = ("engine.training.keras",)


@dataclass(frozen=True)
class Programs:
    """The modules that are started with `python -m`; tests put their own in their place."""

    broker: str = "engine.broker"
    nursery: str = "engine.nursery"
    server: str = "engine.server"
    client: str = "engine.client"
    preload: tuple[str, ...] | None = None
    """What the nursery imports before it forks; by default what they would import themselves."""
    env: dict[str, str] = field(default_factory=dict)
    """Added to the environment of the server and the clients."""

    def preload_for(self, config: RunConfig) -> tuple[str, ...]:
        if self.preload is not None:
            return self.preload
        return (*_SERVER_AND_CLIENT, *(_TRAINING if config.trainer == "keras" else ()))


def broker_command(programs: Programs, *, port: int, cluster_id: str) -> list[str]:
    """The command line of the embedded broker."""
    arguments = ["--port", str(port), "--cluster-id", cluster_id]
    return [sys.executable, "-m", programs.broker, *arguments, *_parent()]


def nursery_command(programs: Programs, config: RunConfig) -> list[str]:
    """The command line of the nursery."""
    preload = [word for module in programs.preload_for(config) for word in ("--preload", module)]
    return [sys.executable, "-m", programs.nursery, *preload, *_parent()]


@dataclass(frozen=True)
class EngineCommands:
    """Builds what the nursery is asked to start.

    Args:
        programs: the modules.
        config: the run's configuration.
        run_dir: absolute path of the run directory.
        bootstrap_servers: HOST:PORT of the broker.
        server_socket: where the server listens for the supervisor.
    """

    programs: Programs
    config: RunConfig
    run_dir: Path
    bootstrap_servers: str
    server_socket: Path

    def server(self) -> Spawn:
        arguments = [*self._common(), "--socket", str(self.server_socket)]
        return self._spawn("server", self.programs.server, arguments)

    def clients(self, process: ClientProcess, without: Collection[str] = ()) -> Spawn:
        """Starts the clients of a process, but for those that are out."""
        arguments = self._common()
        for number, client in enumerate(process.clients):
            if client not in without:
                part = self._part_of(client, number, process.placement.part)
                arguments += ["--client", client, *([] if part is None else ["--part", str(part)])]
        if process.placement.part is not None:
            arguments += ["--insist"]
        if process.placement.gpu is not None:
            arguments += ["--gpu", str(process.placement.gpu)]
        return self._spawn(process.name, self.programs.client, arguments)

    def _part_of(self, client: str, number: int, first: int | None) -> int | None:
        """The part that a client asks for: where an operator wants it, or its own; None for any."""
        if first is not None:
            return first + number
        return int(client) - 1 if int(client) <= self.config.num_parts else None

    def _common(self) -> list[str]:
        embedded = ["--embedded"] if self.config.embedded_broker else []
        return ["--run-dir", str(self.run_dir), "--bootstrap-servers", self.bootstrap_servers, *embedded]

    def _spawn(self, name: str, module: str, arguments: list[str]) -> Spawn:
        log = self.run_dir / log_path(name)
        return Spawn(name=name, module=module, args=arguments, log=str(log), env=self.programs.env)


def log_path(name: str) -> str:
    """The log of a process, relative to the run directory."""
    return f"logs/{name}.log"


def _parent() -> list[str]:
    return ["--parent", str(os.getpid())]
