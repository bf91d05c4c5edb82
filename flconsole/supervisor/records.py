"""The run's files as the supervisor sees them: it writes `processes.jsonl` and follows `events.jsonl`."""

import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine import telemetry
from engine.event_log import EventLog, read_events
from flconsole.feed import PIECE_BYTES, LineFollower
from flconsole.supervisor.exits import Exit
from flconsole.supervisor.pids import create_time
from flconsole.supervisor.placement import ANYWHERE, ClientProcess, Placement
from flconsole.supervisor.programs import log_path


class Records:
    """Writes `processes.jsonl`.

    Args:
        run_dir: the run directory.
        run: the run's id.
    """

    def __init__(self, run_dir: Path, run: str) -> None:
        self._log = EventLog(run_dir / "processes.jsonl", run=run, origin="supervisor")
        self._host = socket.gethostname()

    def append(self, event: telemetry.Event) -> None:
        self._log.append(event)

    def started(
        self,
        name: str,
        role: str,
        pid: int,
        *,
        log_bytes: int | None,
        clients: Sequence[str] = (),
        placement: Placement = ANYWHERE,
    ) -> None:
        event = telemetry.ProcessStarted(
            name=name,
            role=role,
            pid=pid,
            create_time=create_time(pid),
            log=log_path(name),
            host=self._host,
            client=clients[0] if clients else None,
            clients=list(clients) if len(clients) > 1 else [],
            part=placement.part,
            gpu=placement.gpu,
            log_bytes=log_bytes,
        )
        self.append(event)

    def exited(self, name: str, pid: int, end: Exit, *, will_restart: bool, reason: str) -> None:
        event = telemetry.ProcessExited(
            name=name, pid=pid, code=end.code, signal=end.signal, will_restart=will_restart, reason=reason
        )
        self.append(event)

    def close(self) -> None:
        self._log.sync()
        self._log.close()


_FOLLOWED = (b'"round_finished"', b'"federation_ended"')
"""Only lines with one of these are decoded: there are many others."""


class ServerFollower:
    """Follows the server's `events.jsonl`; each poll reads only what is new."""

    def __init__(self, run_dir: Path) -> None:
        self._lines = LineFollower(run_dir / "events.jsonl")
        self._last: telemetry.RoundFinished | None = None
        self._end_reason = ""

    def end_reason(self) -> str:
        """Why the server says that the federation has ended; empty before it does.

        Raises:
            RunDirectoryError: the file is there and cannot be read.
        """
        self._poll()
        return self._end_reason

    def last(self) -> telemetry.RoundFinished | None:
        """The last finished round; None before the first.

        Raises:
            RunDirectoryError: the file is there and cannot be read.
        """
        self._poll()
        return self._last

    def finished(self) -> int:
        """Rounds finished since the run was first started."""
        last = self.last()
        return last.round if last else 0

    def close(self) -> None:
        self._lines.close()

    def _poll(self) -> None:
        is_behind = True
        while is_behind:
            for line in self._lines.read(PIECE_BYTES):
                if any(tag in line for tag in _FOLLOWED):
                    self._take(line)
            is_behind = self._lines.is_behind

    def _take(self, line: bytes) -> None:
        try:
            _, event = telemetry.decode_line(line)
        except msgspec.DecodeError:
            return  # a damaged line is the chain's business, not a reason to end the run
        match event:
            case telemetry.RoundFinished():
                self._last = event
            case telemetry.FederationEnded():
                self._end_reason = event.reason
            case _:
                pass


def clients_of_earlier_incarnations(run_dir: Path) -> tuple[list[ClientProcess], set[str]]:
    """Who took part before this supervisor.

    Returns:
        The processes of clients that were ever started, with all the clients that were ever in them; and the
        clients that an operator killed.
    """
    started: dict[str, ClientProcess] = {}
    killed: set[str] = set()
    for _, event in read_events(run_dir / "processes.jsonl"):
        if isinstance(event, telemetry.ProcessStarted) and event.client:
            before = started[event.name].clients if event.name in started else ()
            clients = dict.fromkeys((*before, event.client, *event.clients))
            started[event.name] = ClientProcess(tuple(clients), Placement(event.part, event.gpu))
        if isinstance(event, telemetry.Command) and event.ok and event.command == "kill-client":
            killed.add(event.arguments["client"])
        if isinstance(event, telemetry.Command) and event.ok and event.command == "restart-client":
            killed.discard(event.arguments["client"])
    return list(started.values()), killed
