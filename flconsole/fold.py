"""Folds what a run records into a `RunState`, one record after the other.

This is the one path for a live run, a re-attached one and a replay. What was folded before is ignored, and
so is a type this software does not know. How the records of the server and those of the supervisor
interleave makes no difference: each has fields of its own in the state, joined when they are read.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from engine import telemetry
from engine.telemetry import AnyEvent, Envelope, UpdateId
from flconsole.state import Client, Process, Round, RunState, Staleness

_ROUNDS_TIMED = 5
"""Rounds whose mean length foretells the next ones'."""
_FAILURES_KEPT = 20


def fold(state: RunState, envelope: Envelope, event: AnyEvent | None) -> RunState:
    """The state after one more record."""
    # samples are numbered by their own writer, although it is the same process
    writer = f"{envelope.origin}/samples" if isinstance(event, telemetry.Sample) else envelope.origin
    number = (envelope.incarnation, envelope.seq)
    if event is None or number <= state.seen.get(writer, (0, 0)):
        return state
    recorded_at = envelope.ts if state.recorded_at is None else max(state.recorded_at, envelope.ts)
    state = replace(state, run=envelope.run, recorded_at=recorded_at, seen={**state.seen, writer: number})
    handler = _HANDLERS.get(type(event))
    return state if handler is None else handler(state, envelope, event)


def fold_all(state: RunState, records: Iterable[tuple[Envelope, AnyEvent | None]]) -> RunState:
    """The state after some more records."""
    for envelope, event in records:
        state = fold(state, envelope, event)
    return state


# --- one handler for each type of event


def _run_started(state: RunState, envelope: Envelope, event: telemetry.RunStarted) -> RunState:
    """A new supervisor: whatever ran before it is gone."""
    processes = {name: replace(process, pid=None, exit=None) for name, process in state.processes.items()}
    return replace(
        state,
        started=event,
        started_at=envelope.ts,
        outcome=None,
        processes=processes,
        server_told_at=None,
        disk_low=None,
    )


def _process_started(state: RunState, _envelope: Envelope, event: telemetry.ProcessStarted) -> RunState:
    before = state.processes.get(event.name)
    first = () if event.client is None else (event.client,)
    clients = tuple(event.clients) or first
    process = Process(
        name=event.name,
        role=event.role,
        pid=event.pid,
        log=event.log,
        log_start=event.log_bytes,
        starts=before.starts + 1 if before else 1,
        clients=clients,
    )
    return replace(
        state,
        processes={**state.processes, event.name: process},
        process_names={**state.process_names, **dict.fromkeys(clients, event.name)},
    )


def _process_exited(state: RunState, _envelope: Envelope, event: telemetry.ProcessExited) -> RunState:
    process = state.processes.get(event.name)
    if process is None:
        return state
    ended = replace(process, pid=None, exit=event)
    return replace(state, processes={**state.processes, event.name: ended})


def _command(state: RunState, _envelope: Envelope, event: telemetry.Command) -> RunState:
    client = event.arguments.get("client")
    if not event.ok or not isinstance(client, str):
        return state
    if event.command == "kill-client":
        return replace(state, killed=state.killed | {client})
    if event.command == "restart-client":
        return replace(state, killed=state.killed - {client})
    return state


def _disk_low(state: RunState, _envelope: Envelope, event: telemetry.DiskLow) -> RunState:
    return replace(state, disk_low=event)


def _sample(state: RunState, envelope: Envelope, event: telemetry.Sample) -> RunState:
    told = {
        client: heard.bytes_down for client, heard in event.clients.items() if heard.bytes_down is not None
    }
    before, sums = state.bytes_down_told, dict(state.bytes_down)
    for client, now in told.items():
        gain = now - before.get(client, 0)
        sums[client] = sums.get(client, 0) + (gain if gain >= 0 else now)
    return replace(
        state,
        sample=event,
        sample_at=envelope.ts,
        server_told_at=envelope.ts if event.clients else state.server_told_at,
        bytes_down=sums,
        bytes_down_told={**before, **told},
    )


def _run_ended(state: RunState, _envelope: Envelope, event: telemetry.RunEnded) -> RunState:
    return replace(state, outcome=event)


def _server_started(state: RunState, envelope: Envelope, event: telemetry.ServerStarted) -> RunState:
    return replace(
        state, server=event, server_at=envelope.ts, finished_at=()
    )  # the time without a server foretells nothing


def _client_joined(state: RunState, _envelope: Envelope, event: telemetry.ClientJoined) -> RunState:
    return _set_client(
        state,
        event.client,
        membership="joined",
        host=event.host,
        part=event.part,
        examples=event.examples,
        reason="",
        failed=False,
    )


def _client_refused(state: RunState, _envelope: Envelope, event: telemetry.ClientRefused) -> RunState:
    return _set_client(state, event.client, membership="refused", host=event.host, reason=event.reason)


def _client_late(state: RunState, _envelope: Envelope, event: telemetry.ClientLate) -> RunState:
    """One that was not needed, of more clients than wanted, is not late."""
    if state.round is not None and state.round.number == event.round and state.round.has_its_goal:
        return state
    return _set_client(state, event.client, membership="late")


def _client_lost(state: RunState, _envelope: Envelope, event: telemetry.ClientLost) -> RunState:
    losses = _client(state, event.client).losses + 1
    return _set_client(state, event.client, membership="lost", reason=event.reason, losses=losses)


def _client_back(state: RunState, _envelope: Envelope, event: telemetry.ClientBack) -> RunState:
    return _set_client(state, event.client, membership="joined", reason="")


def _client_left(state: RunState, _envelope: Envelope, event: telemetry.ClientLeft) -> RunState:
    return _set_client(state, event.client, membership="left", reason=event.reason, failed=event.failed)


def _federation_paused(state: RunState, _envelope: Envelope, _event: telemetry.FederationPaused) -> RunState:
    return replace(state, paused=True)


def _federation_resumed(
    state: RunState, _envelope: Envelope, _event: telemetry.FederationResumed
) -> RunState:
    return replace(state, paused=False)


def _client_paused(state: RunState, _envelope: Envelope, event: telemetry.ClientPaused) -> RunState:
    return replace(state, paused_clients=state.paused_clients | {event.client})


def _client_resumed(state: RunState, _envelope: Envelope, event: telemetry.ClientResumed) -> RunState:
    return replace(state, paused_clients=state.paused_clients - {event.client})


def _round_opened(state: RunState, envelope: Envelope, event: telemetry.RoundOpened) -> RunState:
    clients = {
        name: replace(client, membership="joined")
        if client.membership == "late" and name in event.cohort
        else client
        for name, client in state.clients.items()
    }
    held = _held(state.round, event)
    opened = Round(
        number=event.round,
        cohort=tuple(event.cohort),
        quorum=event.quorum,
        deadline_s=event.deadline_s,
        goal=event.goal,
        interval_s=event.interval_s,
        opened_at=envelope.ts,
        accepted=held,
        heard=frozenset(update.client for update in held),
    )
    return replace(state, round=opened, clients=clients)


def _held(before: Round | None, event: telemetry.RoundOpened) -> tuple[UpdateId, ...]:
    """The updates of a round that goes on: those recorded before come again, and are not recorded again."""
    recorded = before.accepted if before is not None and before.number == event.round else ()
    unrecorded = Counter(event.held) - Counter(update.client for update in recorded)
    made_up = (
        UpdateId(client, event.round, repeat) for client in unrecorded for repeat in range(unrecorded[client])
    )
    return (*recorded, *made_up)


def _rules_changed(state: RunState, _envelope: Envelope, event: telemetry.RulesChanged) -> RunState:
    if state.round is None or state.round.number != event.round:
        return state
    ruled = replace(
        state.round, quorum=event.quorum, deadline_s=event.deadline_s, interval_s=event.interval_s
    )
    return replace(state, round=ruled)


def _update_accepted(state: RunState, envelope: Envelope, event: telemetry.UpdateAccepted) -> RunState:
    client = _client(state, event.client)
    state = _set_client(
        state,
        event.client,
        updates=client.updates + 1,
        bytes_up=client.bytes_up + event.bytes,
        last_update=event,
        last_update_at=envelope.ts,
    )
    current, update = state.round, _id_of(event)
    if current is None or current.number != event.round:
        return state
    if event.client in current.heard and update in current.accepted:
        return state
    accepted, heard = (*current.accepted, update), current.heard | {event.client}
    return replace(state, round=replace(current, accepted=accepted, heard=heard))


def _id_of(event: telemetry.UpdateAccepted) -> UpdateId:
    return UpdateId(event.client, event.round - event.staleness, event.repeat)


def _update_rejected(state: RunState, _envelope: Envelope, event: telemetry.UpdateRejected) -> RunState:
    client = state.clients.get(event.client)
    if client is None:  # a stranger: a member is never made by a bad update
        return state
    return _set_client(state, event.client, rejected=client.rejected + 1)


def _round_closed(state: RunState, _envelope: Envelope, event: telemetry.RoundClosed) -> RunState:
    behind = [event.round - update.round for update in event.accepted]
    if behind:
        staleness = Staleness(sum(behind) / len(behind), max(behind))
        state = replace(state, staleness={**state.staleness, event.round: staleness})
    if state.round is None or state.round.number != event.round:
        return state
    return replace(state, round=replace(state.round, closed=True))


def _round_finished(state: RunState, envelope: Envelope, event: telemetry.RoundFinished) -> RunState:
    """Of the similarity of clients, a square for each round, only the latest is kept."""
    history = state.history.copy()
    before = next(reversed(history.values()), None)
    if before is not None and before.similarity is not None:
        history[before.round] = replace(before, similarity=None, similarity_clients=[])
    history[event.round] = event
    return replace(
        state,
        history=history,
        round_ends={**state.round_ends, event.round: envelope.ts},
        finished_at=(*state.finished_at, envelope.ts)[-_ROUNDS_TIMED - 1 :],
    )


def _broker_lost(state: RunState, envelope: Envelope, event: telemetry.BrokerLost) -> RunState:
    broker = replace(
        state.broker, lost_since=envelope.ts, losses=state.broker.losses + 1, reason=event.reason
    )
    return replace(state, broker=broker)


def _broker_back(state: RunState, _envelope: Envelope, event: telemetry.BrokerBack) -> RunState:
    broker = replace(state.broker, lost_since=None, resets=state.broker.resets + event.reset, reason="")
    return replace(state, broker=broker)


def _broker_recycled(state: RunState, _envelope: Envelope, _event: telemetry.BrokerRecycled) -> RunState:
    return replace(state, broker=replace(state.broker, recycles=state.broker.recycles + 1))


def _failure(state: RunState, _envelope: Envelope, event: telemetry.Failure) -> RunState:
    return replace(state, failures=(*state.failures, event)[-_FAILURES_KEPT:])


def _set_client(state: RunState, client_id: str, **changes: Any) -> RunState:
    return replace(state, clients={**state.clients, client_id: replace(_client(state, client_id), **changes)})


def _client(state: RunState, client_id: str) -> Client:
    return state.clients.get(client_id) or Client(id=client_id, membership="joined")


_HANDLERS: dict[type[AnyEvent], Callable[[RunState, Envelope, Any], RunState]] = {
    telemetry.RunStarted: _run_started,
    telemetry.ProcessStarted: _process_started,
    telemetry.ProcessExited: _process_exited,
    telemetry.Command: _command,
    telemetry.DiskLow: _disk_low,
    telemetry.Sample: _sample,
    telemetry.RunFinished: _run_ended,
    telemetry.RunFailed: _run_ended,
    telemetry.RunStopped: _run_ended,
    telemetry.ServerStarted: _server_started,
    telemetry.ClientJoined: _client_joined,
    telemetry.ClientRefused: _client_refused,
    telemetry.ClientLate: _client_late,
    telemetry.ClientLost: _client_lost,
    telemetry.ClientBack: _client_back,
    telemetry.ClientLeft: _client_left,
    telemetry.FederationPaused: _federation_paused,
    telemetry.FederationResumed: _federation_resumed,
    telemetry.ClientPaused: _client_paused,
    telemetry.ClientResumed: _client_resumed,
    telemetry.RoundOpened: _round_opened,
    telemetry.RulesChanged: _rules_changed,
    telemetry.UpdateAccepted: _update_accepted,
    telemetry.UpdateRejected: _update_rejected,
    telemetry.RoundClosed: _round_closed,
    telemetry.RoundFinished: _round_finished,
    telemetry.BrokerLost: _broker_lost,
    telemetry.BrokerBack: _broker_back,
    telemetry.BrokerRecycled: _broker_recycled,
    telemetry.Failure: _failure,
}
