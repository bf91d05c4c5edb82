"""The types of everything a run records about itself. `docs/events.md` is their specification.

Three files follow them: `events.jsonl` (written by the server), `processes.jsonl` and `samples.jsonl`
(written by the supervisor). A reader tolerates unknown fields and types; a number that nobody knows is null.
"""

from typing import Any, ClassVar

import msgspec

from engine import untrusted_json

VERSION = 1

STOPPED_WITH_RUN = "stopped with the run"
"""Reason in `process_exited` of an end that the supervisor asked for, whatever code or signal came of it."""
KILLED_BY_OPERATOR = "killed by the operator"
"""Reason in `process_exited` of a client that an operator has ended for good."""
RESTARTED_BY_OPERATOR = "restarted by the operator"
"""Reason in `process_exited` of a client that an operator starts anew."""
RECYCLED = "recycled"
"""How the reason in `process_exited` of a broker begins that was replaced as planned."""
TOLD_TO_END = "its process was told to end"
"""Reason in `client_lost` of a client that says so itself; why it was told, its `process_exited` says."""

SecondsByPart = dict[str, float]
"""Round time by part: `waiting`, `training`, `transfer`, `aggregation`, `publishing`, `evaluation`."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every line carries. `(origin, incarnation, seq)` is unique and orders the lines of one writer."""

    v: int
    ts: float
    """Wall-clock seconds since the epoch, for display; never used to decide anything."""
    run: str
    origin: str
    """`server` or `supervisor`."""
    incarnation: int
    """1 for the first process that wrote this file, one more for each successor."""
    seq: int
    type: str
    prev: str = ""
    """BLAKE3 (hex) of the line before, without its newline; empty in the first line and outside the chain."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Base of everything that is recorded."""

    chained: ClassVar[bool] = True


# --- events.jsonl: what happened to the federation


class ServerStarted(Event, frozen=True, tag="server_started"):
    """A server leads the run, the first or a successor."""

    epoch: int
    round: int
    """Rounds already finished: 0 in a new run."""
    model_digest: str
    parameters: int


class ClientJoined(Event, frozen=True, tag="client_joined"):
    """A client has its data part and takes part from the next round on."""

    client: str
    host: str
    pid: int
    part: int
    examples: int | None = None


class ClientRefused(Event, frozen=True, tag="client_refused"):
    """A client asked to join and got no part."""

    client: str
    host: str
    reason: str


class ClientLate(Event, frozen=True, tag="client_late"):
    """The round closed without this member of its cohort."""

    client: str
    round: int


class ClientLost(Event, frozen=True, tag="client_lost"):
    """Silent, or exited and about to be restarted: it still belongs to the federation."""

    client: str
    reason: str


class ClientBack(Event, frozen=True, tag="client_back"):
    """A client that was lost is heard again."""

    client: str
    away_s: float | None = None


class ClientLeft(Event, frozen=True, tag="client_left"):
    """Out of the federation for good: it left, an operator removed it, or it was given up on."""

    client: str
    reason: str


class FederationPaused(Event, frozen=True, tag="federation_paused"):
    """No round is opened after the open one until the federation goes on."""


class FederationResumed(Event, frozen=True, tag="federation_resumed"):
    """Rounds are opened again."""


class ClientPaused(Event, frozen=True, tag="client_paused"):
    """A client is left out of every round after the open one; it stays a member and keeps its part."""

    client: str


class ClientResumed(Event, frozen=True, tag="client_resumed"):
    """A client takes part again, from the next round on."""

    client: str


class RoundOpened(Event, frozen=True, tag="round_opened"):
    """The cohort is told to train from the base; once more, after a restart of the server."""

    round: int
    cohort: list[str]
    quorum: int
    deadline_s: float | None
    base: str
    """Digest of the global model that the round starts from."""
    reopened: bool = False
    held: list[str] = []
    """Clients whose update the server already holds (after a restart)."""


class RulesChanged(Event, frozen=True, tag="rules_changed"):
    """An operator has changed when the open round closes."""

    round: int
    quorum: int
    deadline_s: float | None


class UpdateAccepted(Event, frozen=True, tag="update_accepted"):
    """An update is in the round's sum."""

    client: str
    round: int
    examples: int
    loss: float | None
    accuracy: float | None
    test_accuracy: float | None
    train_s: float | None
    transfer_s: float | None
    bytes: int
    norm: float
    """L2 norm of the delta."""


class UpdateRejected(Event, frozen=True, tag="update_rejected"):
    """An update, or a record that should have been part of one, is not used."""

    client: str
    round: int | None
    reason: str
    detail: str = ""
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class RoundClosed(Event, frozen=True, tag="round_closed"):
    """The round's model is durable: its checkpoint is on disk."""

    round: int
    updates: int
    digest: str


class RoundFinished(Event, frozen=True, tag="round_finished"):
    """Exactly once per round, after evaluation."""

    round: int
    updates: int
    examples: int
    accuracy: float | None
    loss: float | None
    digest: str
    seconds: float | None
    """From `round_opened` to the digest; null where the server was restarted in between."""
    parts: SecondsByPart
    bytes_up: int
    bytes_down: int
    similarity: list[list[float | None]] | None = None
    """Cosine of each pair of deltas, estimated; null beside a delta of zeros."""
    similarity_clients: list[str] = []
    """Whose delta each row and column is."""


class BrokerLost(Event, frozen=True, tag="broker_lost"):
    """The broker stopped answering the server."""

    reason: str


class BrokerBack(Event, frozen=True, tag="broker_back"):
    """It answers again."""

    away_s: float | None
    reset: bool
    """True where another, empty broker came back: open transfers are sent again."""


class BrokerRecycled(Event, frozen=True, tag="broker_recycled"):
    """The server asked for a fresh embedded broker between two rounds."""

    reason: str


class FederationEnded(Event, frozen=True, tag="federation_ended"):
    """There will be no further round, unless the run is resumed with more to do."""

    reason: str


class Failure(Event, frozen=True, tag="error"):
    """Something failed that an operator should look at."""

    process: str
    line: str
    log_offset: int | None = None


# --- processes.jsonl: what happened to the processes


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
    """`server`, `broker`, `nursery` or `client-<id>`."""
    role: str
    pid: int
    create_time: float | None
    log: str
    """Path of the log, relative to the run directory."""
    host: str
    client: str | None = None
    part: int | None = None
    """The part of the data that an operator wants it to have."""
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


# --- samples.jsonl: resources, once a second, outside the chain


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """One process at one moment; null where the system does not tell."""

    cpu_percent: float | None = None
    rss_bytes: int | None = None
    private_bytes: int | None = None
    gpu_bytes: int | None = None
    gpu_percent: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


class ClientSample(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the federation at one moment, as the server has heard it; null where it has not."""

    state: str | None = None
    """`joining`, `idle`, `training` or `sending`."""
    round: int | None = None
    """The round that `state` is about."""
    bytes_up: int | None = None
    """Of its accepted updates, in the whole run."""
    bytes_down: int | None = None
    """Of the models that it said it had received, since this server started."""
    silence_s: float | None = None
    """Since it was last heard."""


class Sample(Event, frozen=True, tag="sample"):
    """What the processes use, and what the clients do."""

    chained: ClassVar[bool] = False
    processes: dict[str, ProcessSample]
    clients: dict[str, ClientSample] = {}
    """By client; empty where the server was not there, or too busy to say."""
    disk_free_bytes: int | None = None


AnyEvent = (
    ServerStarted | ClientJoined | ClientRefused | ClientLate | ClientLost | ClientBack | ClientLeft
    | FederationPaused | FederationResumed | ClientPaused | ClientResumed
    | RoundOpened | RulesChanged | UpdateAccepted | UpdateRejected | RoundClosed | RoundFinished
    | BrokerLost | BrokerBack | BrokerRecycled | FederationEnded | Failure
    | RunStarted | ProcessStarted | ProcessExited | Command | RunFinished | RunFailed | RunStopped | Sample
)  # fmt: skip

_envelope_decoder = msgspec.json.Decoder(Envelope)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def decode_line(line: bytes) -> tuple[Envelope, AnyEvent | None]:
    """Reads one line of any of the three files; the event is None where its type is not known.

    Raises:
        msgspec.DecodeError: not JSON in UTF-8, or not an envelope (a torn line).
    """
    return untrusted_json.decode(_envelope_decoder, line), _decode_event(line)


def _decode_event(line: bytes) -> AnyEvent | None:
    try:
        return untrusted_json.decode(_event_decoder, line)
    except msgspec.ValidationError:
        return None
