"""Talks to the supervisor of a run: one request, one answer. Blocking, for command lines and viewers."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from engine.commands import MAX_LINE, Answer
from engine.errors import EngineError
from flconsole.supervisor.lock import VERSION, read_lock


class SupervisorGone(EngineError):  # named as all of `engine.errors`
    """No supervisor answers for the run: it has ended, or was killed."""


class SupervisorClient:
    """A connection to a supervisor, usable as a context manager."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("rb")

    def request(self, command: str, **arguments: Any) -> Answer:
        """Sends one command and waits for its answer.

        Args:
            command: `status`, or one of those that `docs/events.md` lists under `command`.
            arguments: the command's own, see `flconsole.supervisor.requests`.

        Raises:
            SupervisorGone: the supervisor went away before it answered.
        """
        try:
            self._socket.sendall(msgspec.json.encode({"command": command, **arguments}) + b"\n")
            line = self._lines.readline(MAX_LINE)
        except TimeoutError:
            raise SupervisorGone(
                f"the supervisor has not answered {command!r} for {self._socket.gettimeout():g} s; "
                "its process is there, but does nothing"
            ) from None
        except OSError as error:
            raise SupervisorGone(f"the supervisor went away during {command!r}: {error}") from error
        if not line.endswith(b"\n"):
            raise SupervisorGone(f"the supervisor went away during {command!r}")
        return msgspec.json.decode(line, type=Answer)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(run_dir: Path, *, timeout_s: float = 15.0) -> SupervisorClient:
    """Connects to the supervisor of a run.

    Raises:
        SupervisorGone: there is none, or it speaks another version.
    """
    info = read_lock(run_dir)
    if info is None:
        raise SupervisorGone(f"{run_dir}: no supervisor is running; continue the run with `flconsole resume`")
    if info.version != VERSION:
        raise SupervisorGone(
            f"{run_dir}: its supervisor speaks version {info.version}, this is version {VERSION}"
        )
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(info.socket)
    except OSError as error:
        connection.close()
        raise SupervisorGone(
            f"{run_dir}: its supervisor (pid {info.pid}) does not answer: {error}"
        ) from error
    return SupervisorClient(connection)
