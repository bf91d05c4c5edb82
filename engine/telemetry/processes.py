"""What happened to the processes: the events of `processes.jsonl`, written by the supervisor."""

from typing import Any

import msgspec

from engine.telemetry.envelope import Event

STOPPED_WITH_RUN = "stopped with the run"
"""Reason in `process_exited` of an end that the supervisor asked for, whatever code or signal came of it."""
KILLED_BY_OPERATOR = "killed by the operator"
"""Reason in `process_exited` of a client that an operator has ended for good."""
RESTARTED_BY_OPERATOR = "restarted by the operator"
"""Reason in `process_exited` of a client that an operator starts anew."""
RECYCLED = "recycled"
"""How the reason in `process_exited` of a broker begins that was replaced as planned."""


class RunStarted(Event, frozen=True, tag="run_started"):
    """A supervisor has taken over the run; once more at each resume."""

    pid: int
    run_dir: str
    resumed: bool
    clients: int
    rounds: int | None
    model: str
    dataset: str
    stand_in: str
    mode: str


class ProcessStarted(Event, frozen=True, tag="process_started"):
    """A process was started."""

    name: str
    """`server`, `broker`, `nursery`, `client-<id>`, or `clients-<first>-<last>` of several."""
    role: str
    pid: int
    create_time: float | None
    log: str
    """Path of the log, relative to the run directory."""
    host: str
    client: str | None = None
    """The client in it; the first, where there are several."""
    clients: list[str] = msgspec.field(default_factory=list)
    """All the clients in it, where there are several; without those that an operator has ended."""
    part: int | None = None
    """The part of the data that an operator wants its first client to have, the others those after it."""
    gpu: int | None = None
    """The GPU that an operator wants it to use."""
    log_bytes: int | None = None
    """Size of its log when it was started: its own words begin there."""


class ProcessExited(Event, frozen=True, tag="process_exited"):
    """A process ended."""

    name: str
    pid: int
    code: int | None
    signal: str | None
    will_restart: bool
    reason: str


class Command(Event, frozen=True, tag="command"):
    """An operator's command and its answer."""

    command: str
    arguments: dict[str, Any]
    ok: bool
    answer: str


class DiskLow(Event, frozen=True, tag="disk_low"):
    """The disk of the run directory is getting full: once for each supervisor."""

    free_bytes: int
    limit_bytes: int
    """With less than this the run ends."""


class RunEnded(Event, frozen=True, tag="run_ended"):
    """Common shape of the three last lines; see the subclasses."""

    rounds: int
    accuracy: float | None
    loss: float | None
    digest: str | None
    seconds: float
    run_dir: str
    reason: str
    exit_code: int


class RunFinished(RunEnded, frozen=True, tag="run_finished"):
    """The run did what it was asked to do."""


class RunFailed(RunEnded, frozen=True, tag="run_failed"):
    """Something ended it that should not have."""


class RunStopped(RunEnded, frozen=True, tag="run_stopped"):
    """An operator or a signal ended it; it can be resumed."""
