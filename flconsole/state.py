"""A run as its files tell it: a frozen snapshot made by `flconsole.fold`. What nothing has told is None."""

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

import msgspec

from engine import telemetry
from engine.telemetry import UpdateId
from flconsole.text import natural


class ClientState(StrEnum):
    """What a client is doing, as far as the run has recorded it."""

    JOINING = "joining"
    TRAINING = "training"
    SENDING = "sending"
    IDLE = "idle"
    PAUSED = "paused"
    LATE = "late"
    LOST = "lost"
    FAILED = "failed"
    STOPPED = "stopped"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the federation, as the server sees it."""

    id: str
    membership: Literal["joined", "late", "lost", "left", "refused"]
    host: str | None = None
    part: int | None = None
    examples: int | None = None
    reason: str = ""
    """Why it is lost, has left or was refused."""
    failed: bool = False
    """Whether it left because of an error, as it says."""
    losses: int = 0
    """Times it was lost so far."""
    updates: int = 0
    """Updates accepted so far."""
    rejected: int = 0
    bytes_up: int = 0
    """Bytes of its accepted updates."""
    last_update: telemetry.UpdateAccepted | None = None
    last_update_at: float | None = None
    """When that was accepted, in wall-clock seconds since the epoch."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the run, as the supervisor sees it."""

    name: str
    role: str
    pid: int | None
    """None while it is not running."""
    log: str
    log_start: int | None = None
    """Where in its log its own words begin, in bytes; what stands before is of earlier starts."""
    starts: int = 1
    clients: tuple[str, ...] = ()
    """The clients in it."""
    exit: telemetry.ProcessExited | None = None
    """How it ended last; None if it never did."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The round that was opened last."""

    number: int
    cohort: tuple[str, ...]
    quorum: int
    """Updates without which it does not close."""
    deadline_s: float | None
    goal: int | None = None
    """Updates that close it at once, where more clients than wanted take part."""
    interval_s: float | None = None
    """With `timed`, from one moment at which it may close to the next."""
    opened_at: float
    """Wall-clock seconds since the epoch."""
    accepted: tuple[UpdateId, ...] = ()
    """Updates that the server holds, in the order of arrival."""
    heard: frozenset[str] = frozenset()
    """Clients that those are from."""
    closed: bool = False

    @property
    def missing(self) -> list[str]:
        """Clients of the cohort without an update."""
        return [client for client in self.cohort if client not in self.heard]

    @property
    def has_its_goal(self) -> bool:
        """Whether all the updates are there that were wanted, from more clients than that."""
        return self.goal is not None and len(self.accepted) >= self.goal


class Staleness(msgspec.Struct, frozen=True, gc=False):
    """How far the models that a round's updates were trained from were behind, in rounds."""

    mean: float
    most: int


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """The broker, as the server sees it."""

    lost_since: float | None = None
    """Wall-clock seconds since the epoch; None while it answers."""
    losses: int = 0
    resets: int = 0
    recycles: int = 0
    reason: str = ""


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a viewer shows of a run."""

    run: str | None = None
    started: telemetry.RunStarted | None = None
    started_at: float | None = None
    outcome: telemetry.RunEnded | None = None
    server: telemetry.ServerStarted | None = None
    round: Round | None = None
    clients: dict[str, Client] = {}
    processes: dict[str, Process] = {}
    process_names: dict[str, str] = {}
    """By client, the process that it was started in; several may share one."""
    killed: frozenset[str] = frozenset()
    """Clients that an operator ended for good."""
    paused: bool = False
    """Whether no other round is opened."""
    paused_clients: frozenset[str] = frozenset()
    """Clients that are left out of new rounds."""
    broker: Broker = Broker()
    history: dict[int, telemetry.RoundFinished] = {}
    """Finished rounds by number."""
    round_ends: dict[int, float] = {}
    """When each round finished, in wall-clock seconds since the epoch."""
    staleness: dict[int, Staleness] = {}
    """Of closed rounds, by number; not of those whose updates were not recorded."""
    finished_at: tuple[float, ...] = ()
    """When the latest rounds finished, in wall-clock seconds since the epoch."""
    failures: tuple[telemetry.Failure, ...] = ()
    disk_low: telemetry.DiskLow | None = None
    """The warning of this supervisor that the disk is getting full."""
    sample: telemetry.Sample | None = None
    """What the processes used last, and what the clients did."""
    sample_at: float | None = None
    """When that was, in wall-clock seconds since the epoch."""
    server_at: float | None = None
    """When the newest server started, in wall-clock seconds since the epoch."""
    server_told_at: float | None = None
    """When the server last told the supervisor of its clients, in wall-clock seconds since the epoch."""
    bytes_down: dict[str, int] = {}
    """By client, what it had received when a sample last told; not every sample does."""
    bytes_down_told: dict[str, int] = {}
    """The same as the server of that moment told it; a server that takes over counts from zero."""
    recorded_at: float | None = None
    """When the newest record was written, in wall-clock seconds since the epoch."""
    seen: dict[str, tuple[int, int]] = {}
    """By writer, the incarnation and number of its latest record."""

    @property
    def mode(self) -> str:
        """How rounds close: `sync`, `timed` or `buffered`."""
        return "sync" if self.started is None else self.started.mode

    @property
    def is_sync(self) -> bool:
        """Whether rounds wait for their clients; in the other modes these train at their own pace."""
        return self.mode == "sync"

    @property
    def rounds_done(self) -> int:
        return max(self.history, default=0)

    @property
    def rounds(self) -> int | None:
        """Rounds the run was asked for."""
        return None if self.started is None else self.started.rounds

    @property
    def latest(self) -> telemetry.RoundFinished | None:
        """The round that finished last."""
        return self.history.get(self.rounds_done)

    @property
    def accuracy(self) -> float | None:
        """The latest accuracy that was measured; not every round is evaluated."""
        return next((r.accuracy for r in reversed(self.history.values()) if r.accuracy is not None), None)

    @property
    def loss(self) -> float | None:
        return next((r.loss for r in reversed(self.history.values()) if r.loss is not None), None)

    @property
    def round_s(self) -> float | None:
        """Mean length of the latest rounds, in seconds; None until two have finished."""
        if len(self.finished_at) < 2:
            return None
        return (self.finished_at[-1] - self.finished_at[0]) / (len(self.finished_at) - 1)

    @property
    def seconds_left(self) -> float | None:
        """Foretold from the latest rounds; None until two have finished, or without a number of rounds."""
        if self.rounds is None or self.round_s is None:
            return None
        return max(0.0, self.round_s * (self.rounds - self.rounds_done))

    @property
    def compression(self) -> float | None:
        """Bytes of all accepted updates as plain float32, over those that came; None without a codec."""
        updates = [client.last_update for client in self.clients.values() if client.last_update is not None]
        bytes_up = sum(client.bytes_up for client in self.clients.values())
        if self.server is None or not bytes_up or all(update.codec == "none" for update in updates):
            return None
        values = self.server.parameters * sum(client.updates for client in self.clients.values())
        return 4 * values / bytes_up

    def client_state(self, client_id: str) -> ClientState:
        """What the client is doing: the server's word joined with the supervisor's."""
        client = self.clients.get(client_id)
        process = self.process_of(client_id)
        end = process.exit if process is not None else None
        gone = end is not None and not end.will_restart
        if gone or (client is not None and client.membership in ("left", "refused")):
            has_failed = (client is not None and client.failed) or (end is not None and ended_badly(end))
            is_failure = has_failed and client_id not in self.killed
            return ClientState.FAILED if is_failure else ClientState.STOPPED
        if self.outcome is not None:
            return ClientState.STOPPED
        return ClientState.JOINING if client is None or not self._has_server else self._member_state(client)

    def round_of(self, client_id: str) -> int | None:
        """The round that a client trains for: the open one or, at a pace of its own, the one it tells."""
        current = None if self.round is None else self.round.number
        told = self.told_by(client_id)
        return current if self.is_sync or told is None or told.round is None else told.round

    @property
    def client_ids(self) -> list[str]:
        """All clients that were ever started or joined, in natural order."""
        return sorted(self.process_names.keys() | self.clients.keys(), key=natural)

    def sharing_with(self, client_ids: Collection[str]) -> list[str]:
        """Other clients in the processes of these clients."""
        processes = {process.name: process for process in map(self.process_of, client_ids) if process}
        sharing = {client for process in processes.values() for client in process.clients}
        return sorted(sharing.difference(client_ids), key=natural)

    def process_of(self, client_id: str) -> Process | None:
        """The process that a client is or was in; None where it was started elsewhere."""
        name = self.process_names.get(client_id)
        return None if name is None else self.processes[name]

    @property
    def _has_server(self) -> bool:
        """Whether a server took over since the supervisor started; what one before knew is old."""
        return self.started_at is None or self.server_at is None or self.server_at >= self.started_at

    def _member_state(self, client: Client) -> ClientState:
        if client.membership == "lost":
            return ClientState.LOST
        if not self.is_sync:
            return self._state_at_own_pace(client.id)
        if client.membership == "joined" and self._owes_update(client.id):
            return ClientState.SENDING if self._is_sending(client.id) else ClientState.TRAINING
        if client.id in self.paused_clients:
            return ClientState.PAUSED
        return ClientState.LATE if client.membership == "late" else ClientState.IDLE

    def _state_at_own_pace(self, client_id: str) -> ClientState:
        """Of a client that no round waits for: its own word, and without one, what it is there for."""
        told = self.told_by(client_id)
        word = None if told is None else told.state
        if word in (
            ClientState.TRAINING,
            ClientState.SENDING,
        ):  # even while paused: it ends what it has begun
            return ClientState(word)
        if client_id in self.paused_clients:
            return ClientState.PAUSED
        is_waiting = word == ClientState.IDLE or self.round is None
        return ClientState.IDLE if is_waiting else ClientState.TRAINING

    def told_by(self, client_id: str) -> telemetry.ClientSample | None:
        """What the client says of itself in the newest sample."""
        return None if self.sample is None else self.sample.clients.get(client_id)

    def _is_sending(self, client_id: str) -> bool:
        """Whether the newest sample says so of the open round."""
        told = self.told_by(client_id)
        current = self.round.number if self.round is not None else None
        return told is not None and (told.state, told.round) == (ClientState.SENDING, current)

    def _owes_update(self, client_id: str) -> bool:
        current = self.round
        return (
            current is not None
            and not current.closed
            and client_id in current.cohort
            and client_id not in current.heard
        )


def outcome_verb(outcome: telemetry.RunEnded) -> str:
    """How a run has ended: `finished`, `failed` or `stopped`."""
    return type(outcome).__name__.removeprefix("Run").lower()


def ended_badly(end: telemetry.ProcessExited) -> bool:
    """Whether a process failed, rather than finish or be told to end."""
    if end.reason == telemetry.STOPPED_WITH_RUN:
        return False
    if end.signal is not None:
        return end.signal not in ("SIGTERM", "SIGINT", "SIGHUP")
    return end.code not in (0, 129, 130, 143)
