"""What happened to the federation: the events of `events.jsonl`, written by the server."""

import msgspec

from engine.telemetry.envelope import Event

TOLD_TO_END = "its process was told to end"
"""Reason in `client_lost` of a client that says so itself; why it was told, its `process_exited` says."""

SecondsByPart = dict[str, float]
"""Round time by part: `waiting`, `training`, `transfer`, `aggregation`, `publishing`, `evaluation`."""


class UpdateId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What makes an update one of its kind: no two with the same id are ever counted."""

    client: str
    round: int
    """The round that it was trained for: its base is the model before that round."""
    repeat: int = 0
    """Updates of this client from the same base that came before it."""


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
    failed: bool = False
    """Whether it says that an error made it leave."""


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
    """Updates without which it does not close."""
    deadline_s: float | None
    base: str
    """Digest of the global model that the round starts from."""
    goal: int | None = None
    """Updates that close it at once, where more clients than wanted take part."""
    interval_s: float | None = None
    """With `timed`: seconds between the moments at which it may close."""
    reopened: bool = False
    held: list[str] = msgspec.field(default_factory=list)
    """Clients whose update the server already holds (after a restart)."""


class RulesChanged(Event, frozen=True, tag="rules_changed"):
    """An operator has changed when the open round closes."""

    round: int
    quorum: int
    deadline_s: float | None
    interval_s: float | None = None


class UpdateAccepted(Event, frozen=True, tag="update_accepted"):
    """An update is in the round's sum."""

    client: str
    round: int
    """The round whose sum it is in."""
    examples: int
    loss: float | None
    accuracy: float | None
    test_accuracy: float | None
    train_s: float | None
    transfer_s: float | None
    bytes: int
    norm: float
    """L2 norm of the delta."""
    codec: str = "none"
    """How the delta was written on the wire; `none` too where compressing it did not pay."""
    staleness: int = 0
    """Rounds since the model that it was trained from."""
    repeat: int = 0
    """See `UpdateId`."""
    scale: float = 1.0
    """What the delta was multiplied by for its staleness."""


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
    accepted: list[UpdateId] = msgspec.field(default_factory=list)
    """The updates in it, each once in the whole run."""


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
    similarity_clients: list[str] = msgspec.field(default_factory=list)
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
