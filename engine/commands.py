"""What the console's processes and the engine's say to each other: JSON lines.

The nursery reads `NurseryCommand` lines on its standard input and writes `NurseryNotice` lines on its
standard output. The server listens on a unix socket: each `ServerCommand` line is answered by one `Answer`
line, and the server may send a `ServerRequest` line at any time. Before there is a run, the program that
looks at its data and its model prints one `Prepared` line; what checks this machine prints `Finding` lines.
"""

from typing import Any, Literal

import msgspec

MAX_LINE = 1 << 20
"""Longest line either side accepts, in bytes."""

HOPELESS_EXIT_CODE = 70
"""Of a server that failed for what another try would meet again, such as a full disk; the run's is then 1."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base: the tag is the class name."""


# --- supervisor -> nursery


class Spawn(Message, frozen=True):
    """Start `module` as `__main__` in a new session, its output appended to `log`."""

    name: str
    module: str
    args: list[str]
    log: str
    env: dict[str, str] = {}


class Signal(Message, frozen=True):
    """Send a signal to the whole process group of a child; nothing happens if it is gone."""

    name: str
    signal: str
    """For example `SIGTERM`."""


NurseryCommand = Spawn | Signal


# --- nursery -> supervisor


class NurseryReady(Message, frozen=True):
    """The preload is done; from now on children are forked."""

    pid: int
    seconds: float
    """Time the preload took."""


class Started(Message, frozen=True):
    """A child is running."""

    name: str
    pid: int


class SpawnFailed(Message, frozen=True):
    """A child could not be started."""

    name: str
    error: str


class Exited(Message, frozen=True):
    """Sent once the child is reaped and its process group is empty."""

    name: str
    pid: int
    code: int | None
    signal: str | None


NurseryNotice = NurseryReady | Started | SpawnFailed | Exited


# --- supervisor -> server


class ClientExited(Message, frozen=True):
    """A client process ended. With `will_restart` false it is out of the federation for good."""

    client: str
    will_restart: bool
    reason: str


class DismissClient(Message, frozen=True):
    """Take a client out of the federation for good; the process that it shares with others goes on."""

    client: str
    reason: str


class StopAfterRound(Message, frozen=True):
    """Finish the open round, then end the run."""


Rule = Literal["quorum", "deadline_s"]
"""What says when a round closes."""


class SetRound(Message, frozen=True):
    """Change the rules of the open round and of all after it; None leaves a rule as it is.

    The first two belong to `sync`, the others to `timed` and `buffered`.
    """

    quorum: int | None = None
    deadline_s: float | None = None
    aggregation_interval_seconds: float | None = None
    min_updates_per_aggregation: int | None = None
    clear: tuple[Rule, ...] = ()
    """Rules to do without: everyone is waited for, for ever. A value above wins."""


class Pause(Message, frozen=True):
    """Leave clients out of every round after the open one; None: open no round at all."""

    clients: tuple[str, ...] | None = None


class Unpause(Message, frozen=True):
    """Let clients take part again; None: open rounds again, with whoever is not paused."""

    clients: tuple[str, ...] | None = None


class SetPaused(Message, frozen=True):
    """What is paused, and nothing else is: what a supervisor tells a server that it has just reached."""

    federation: bool
    clients: tuple[str, ...]


class SaveCheckpoint(Message, frozen=True):
    """Keep the newest checkpoint for good; the answer names its file."""


class Inspect(Message, frozen=True):
    """Ask for the server's view: round, rules, and what each member does (`telemetry.ClientSample`)."""


ServerCommand = (
    ClientExited
    | DismissClient
    | StopAfterRound
    | SetRound
    | Pause
    | Unpause
    | SetPaused
    | SaveCheckpoint
    | Inspect
)


# --- server -> supervisor


class Answer(Message, frozen=True):
    """What became of one command."""

    ok: bool
    text: str = ""
    data: dict[str, Any] = {}


class RecycleBroker(Message, frozen=True):
    """Restart the embedded broker now: it has grown too large, and no round is open."""

    reason: str


ServerRequest = RecycleBroker
ServerLine = Answer | RecycleBroker


# --- preparation -> whoever starts a run


class Prepared(Message, frozen=True):
    """What a run will use."""

    dataset: str
    stand_in: str
    """Why `dataset` is not what was hoped for; empty where it is."""
    examples: int
    """Training examples of all parts together."""
    num_parameters: int


# --- checks -> `flconsole doctor`


class Finding(Message, frozen=True):
    """What one check found."""

    name: str
    level: Literal["ok", "note", "problem"]
    """A problem prevents a run; a note does not."""
    text: str
    remedy: str = ""
    """What to do about it, in one line."""
    exit_code: int = 1
    """Of a run that meets this problem."""


def encode(message: Message) -> bytes:
    """One line, with its newline."""
    return msgspec.json.encode(message) + b"\n"
