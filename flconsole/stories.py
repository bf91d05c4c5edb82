"""Which entry of the timeline each record deserves. Pure.

Several records may tell one story: a round is opened, closed and finished; a client's process exits and the
server notices that the client is gone; an operator asks for a pause and there is one. A story has one entry,
which says the most that is known of it.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from engine import telemetry
from flconsole.feed import Record
from flconsole.figures import number, seconds
from flconsole.narration import about, counted_updates, describe, on_interval
from flconsole.state import RunState, ended_badly, outcome_verb
from flconsole.text import visible
from flconsole.timeline import Entry, Kind, Level, Timeline


def tell(timeline: Timeline, record: Record, before: RunState, state: RunState) -> Timeline:
    """The timeline after one more record; most of them deserve no entry.

    Args:
        timeline: what is told so far.
        record: what was recorded.
        before: the run without the record.
        state: the run with the record folded in.
    """
    teller = _TELLERS.get(type(record.event))
    entry = None if teller is None else teller(record.event, before, state)
    if entry is None:
        return timeline
    return timeline.add(replace(entry, text=visible(entry.text), ts=record.envelope.ts))


def _info(kind: Kind, text: str, **more: Any) -> Entry:
    return Entry(level=Level.INFO, kind=kind, text=text, **more)


def _warning(kind: Kind, text: str, **more: Any) -> Entry:
    return Entry(level=Level.WARNING, kind=kind, text=text, **more)


def _error(kind: Kind, text: str, **more: Any) -> Entry:
    return Entry(level=Level.ERROR, kind=kind, text=text, **more)


# --- the run


def _run_started(event: telemetry.RunStarted, before: RunState, state: RunState) -> Entry:
    verb = f"resumed after round {state.rounds_done}" if event.resumed else "started"
    if before.started is not None and before.outcome is None:
        cut_off = "the supervisor before was gone without a word"
        return _warning(Kind.RUN, f"run {verb}; {cut_off}: {about(event)}", process="supervisor")
    return _info(Kind.RUN, f"run {verb}: {about(event)}", process="supervisor")


def _federation_ended(event: telemetry.FederationEnded, _before: RunState, _state: RunState) -> Entry:
    return _info(Kind.RUN, f"no further round: {event.reason}", process="server", stories=("end",))


def _run_ended(event: telemetry.RunEnded, _before: RunState, state: RunState) -> Entry:
    because = f": {event.reason}" if event.reason else ""
    text = f"run {outcome_verb(event)} after {event.rounds} rounds in {seconds(event.seconds)}{because}"
    cause = event.reason.partition(":")[0]  # `server: exit code 5: ...`
    if not isinstance(event, telemetry.RunFailed):
        return _info(Kind.RUN, text, process="supervisor", stories=("end",), part=2)
    culprit = state.processes.get(cause)
    return _error(
        Kind.RUN,
        text,
        process="supervisor" if culprit is None else culprit.name,
        is_failure=True,
        log_start=None if culprit is None else culprit.log_start,
        stories=("end",),
        part=2,
    )


def _disk_low(event: telemetry.DiskLow, _before: RunState, state: RunState) -> Entry:
    return _warning(Kind.RUN, describe(event, state) or "", process="supervisor")


def _command(event: telemetry.Command, _before: RunState, state: RunState) -> Entry:
    words = [event.command, *filter(None, map(_argument, event.arguments.items()))]
    client = event.arguments.get("client")
    is_about_one = isinstance(client, str)
    return Entry(
        level=Level.INFO if event.ok else Level.WARNING,
        kind=Kind.OPERATOR,
        text=f"operator: {' '.join(words)}: {'' if event.ok else 'refused: '}{event.answer or 'done'}",
        client=client if is_about_one else None,
        process=_log_of(str(client), state) if is_about_one else "supervisor",
        stories=_effects(event) if event.ok else (),
        part=2,
    )


def _argument(item: tuple[str, Any]) -> str:
    name, value = item
    if value is None or value is False or value == []:
        return ""
    if value is True:
        return name
    return f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"


def _effects(event: telemetry.Command) -> tuple[str, ...]:
    """The stories of what the server recorded when it carried the command out."""
    if event.command == "set":
        return ("rules",)
    if event.command not in ("pause", "unpause"):
        return ()
    clients = event.arguments.get("clients")
    return tuple(f"{event.command} {client}" for client in clients or [""])


def _paused(event: Any, _before: RunState, state: RunState) -> Entry:
    """The federation or a client is paused, or is so no longer."""
    client = getattr(event, "client", "")
    is_pause = isinstance(event, telemetry.FederationPaused | telemetry.ClientPaused)
    story = f"{'pause' if is_pause else 'unpause'} {client}"
    return _info(Kind.OPERATOR, describe(event, state) or "", client=client or None, stories=(story,))


def _rules_changed(event: telemetry.RulesChanged, _before: RunState, state: RunState) -> Entry:
    text = describe(event, state) or ""
    return _info(Kind.OPERATOR, text, round=event.round, process="server", stories=("rules",))


# --- rounds


def _round_opened(event: telemetry.RoundOpened, _before: RunState, state: RunState) -> Entry:
    opened = describe(event, state)
    if opened is None:
        rules = "".join(f", {rule}" for rule in _rules_of(event, state.mode))
        opened = f"round {event.round} opened: {len(event.cohort)} clients{rules}"
    return _round(event, opened, part=1)


def _rules_of(event: telemetry.RoundOpened, mode: str) -> list[str]:
    """What says when the round closes, beyond that all of its clients are waited for."""
    if event.interval_s is not None:
        return [f"closes {on_interval(event.interval_s, event.quorum)}"]
    if mode == "buffered":
        return [f"closes with {counted_updates(event.quorum)}"]
    rules = [] if event.goal is None else [f"{counted_updates(event.goal)} wanted"]
    if event.quorum < (len(event.cohort) if event.goal is None else event.goal):
        rules.append(f"quorum {event.quorum}")
    if event.deadline_s is not None:
        rules.append(f"deadline {seconds(event.deadline_s)}")
    return rules


def _round_closed(event: telemetry.RoundClosed, _before: RunState, _state: RunState) -> Entry:
    return _round(event, f"round {event.round} closed with {counted_updates(event.updates)}", part=2)


def _round_finished(event: telemetry.RoundFinished, _before: RunState, state: RunState) -> Entry:
    of = "" if state.rounds is None else f"/{state.rounds}"
    measured = f"accuracy {number(event.accuracy)}, loss {number(event.loss)}"
    if event.accuracy is None and event.loss is None:
        measured = "not evaluated"
    took = "" if event.seconds is None else f", {seconds(event.seconds)}"
    text = f"round {event.round}{of} finished: {measured}, {counted_updates(event.updates)}{took}"
    return _round(event, text, part=3)


def _round(
    event: telemetry.RoundOpened | telemetry.RoundClosed | telemetry.RoundFinished, text: str, *, part: int
) -> Entry:
    stories = (f"round {event.round}",)
    return _info(Kind.ROUND, text, round=event.round, process="server", stories=stories, part=part)


def _client_late(event: telemetry.ClientLate, _before: RunState, state: RunState) -> Entry | None:
    """All who are late for one round, in one entry that grows; of those not needed there is none."""
    if state.round is not None and state.round.number == event.round and state.round.has_its_goal:
        return None
    late = [event.client]
    if state.round is not None and state.round.number == event.round:
        members = map(state.clients.get, state.round.cohort)
        late = [client.id for client in members if client is not None and client.membership == "late"]
    who = f"client {late[0]} is" if len(late) == 1 else f"clients {', '.join(late)} are"
    return _warning(
        Kind.CLIENT,
        f"{who} late for round {event.round}",
        client=event.client,
        process=_log_of(event.client, state),
        round=event.round,
        stories=(f"late {event.round}",),
        part=len(late),
    )


# --- clients


def _client_joined(event: telemetry.ClientJoined, _before: RunState, state: RunState) -> Entry:
    return _client(event, state, Level.INFO)


def _client_refused(event: telemetry.ClientRefused, _before: RunState, state: RunState) -> Entry:
    return _client(event, state, Level.WARNING)


def _client_lost(event: telemetry.ClientLost, _before: RunState, state: RunState) -> Entry | None:
    if event.reason == telemetry.TOLD_TO_END and event.client in state.process_names:
        return None  # the supervisor, who told it so, says why
    return _client(event, state, Level.WARNING, stories=(_gone(event.client, event.reason),))


def _client_left(event: telemetry.ClientLeft, _before: RunState, state: RunState) -> Entry:
    level = Level.ERROR if event.failed else Level.WARNING
    if event.reason == telemetry.KILLED_BY_OPERATOR:
        level = Level.INFO
    process = state.process_of(event.client)
    return _client(
        event,
        state,
        level,
        is_failure=event.failed and process is not None,
        log_start=None if process is None else process.log_start,
        stories=(_gone(event.client, event.reason),),
    )


def _client_back(event: telemetry.ClientBack, _before: RunState, state: RunState) -> Entry:
    away = "" if event.away_s is None else f" after {seconds(event.away_s)}"
    restarted = state.process_names.get(event.client, event.client)
    return _client(event, state, Level.INFO, away, stories=(f"restart {restarted}",), part=2)


def _update_rejected(event: telemetry.UpdateRejected, _before: RunState, state: RunState) -> Entry:
    return replace(_client(event, state, Level.WARNING), kind=Kind.UPDATE, round=event.round)


def _client(event: Any, state: RunState, level: Level, suffix: str = "", **more: Any) -> Entry:
    return Entry(
        level=level,
        kind=Kind.CLIENT,
        text=f"{describe(event, state)}{suffix}",
        client=event.client,
        process=_log_of(event.client, state),
        **more,
    )


def _gone(client: str, reason: str) -> str:
    return f"client {client}: {reason}"


def _log_of(client: str, state: RunState) -> str:
    """The process whose log tells of a client: its own, or the server's where that runs elsewhere."""
    return state.process_names.get(client, "server")


# --- processes


def _process_started(event: telemetry.ProcessStarted, before: RunState, _state: RunState) -> Entry | None:
    earlier = before.processes.get(event.name)
    if earlier is None or earlier.exit is None:  # it is here for the first time, or the run is resumed
        return None
    return _info(
        _kind_of(event.name),
        f"{event.name} was started again",
        client=event.client,
        process=event.name,
        stories=(f"restart {event.name}",),
    )


def _process_exited(event: telemetry.ProcessExited, _before: RunState, state: RunState) -> Entry | None:
    is_planned = event.reason in (telemetry.STOPPED_WITH_RUN, telemetry.RESTARTED_BY_OPERATOR)
    if is_planned or event.code == 0 or event.reason.startswith(telemetry.RECYCLED):
        return None  # what they are part of is told by itself
    level = Level.WARNING if event.will_restart or not ended_badly(event) else Level.ERROR
    text = f"{event.name} ended: {event.reason}{'; it is restarted' if event.will_restart else ''}"
    is_killed = event.reason == telemetry.KILLED_BY_OPERATOR
    if is_killed:
        level = Level.INFO
        text = f"{event.name} was {'killed' if event.signal == 'SIGKILL' else 'stopped'} by the operator"
    process = state.processes.get(event.name)
    clients = () if process is None else process.clients
    ends_run = event.name == "server" and not event.will_restart
    return Entry(
        level=level,
        kind=_kind_of(event.name),
        text=text,
        client=clients[0] if clients else None,
        process=event.name,
        is_failure=ended_badly(event) and not is_killed,
        log_start=None if process is None else process.log_start,
        stories=("end",) if ends_run else tuple(_gone(client, event.reason) for client in clients),
        part=1 if ends_run else 2,
    )


def _failure(event: telemetry.Failure, _before: RunState, state: RunState) -> Entry:
    text = describe(event, state) or ""
    return _error(_kind_of(event.process), text, process=event.process, is_failure=True)


def _kind_of(process: str) -> Kind:
    if process == "broker":
        return Kind.BROKER
    return Kind.CLIENT if process.startswith(("client-", "clients-")) else Kind.SERVER


def _server_started(event: telemetry.ServerStarted, _before: RunState, _state: RunState) -> Entry:
    text = f"server started: a model of {event.parameters} values"
    if event.epoch > 1:
        text = f"server started again: it goes on after round {event.round}"
    return _info(Kind.SERVER, text, process="server", stories=("restart server",), part=2)


def _broker_lost(event: telemetry.BrokerLost, _before: RunState, state: RunState) -> Entry:
    return _warning(Kind.BROKER, describe(event, state) or "", process="broker")


def _broker_back(event: telemetry.BrokerBack, _before: RunState, state: RunState) -> Entry:
    text = describe(event, state) or ""
    return _info(Kind.BROKER, text, process="broker", stories=("restart broker",), part=2)


def _broker_recycled(event: telemetry.BrokerRecycled, _before: RunState, state: RunState) -> Entry:
    return _info(Kind.BROKER, describe(event, state) or "", process="broker")


_TELLERS: dict[type[Any], Callable[[Any, RunState, RunState], Entry | None]] = {
    telemetry.RunStarted: _run_started,
    telemetry.FederationEnded: _federation_ended,
    telemetry.RunFinished: _run_ended,
    telemetry.RunFailed: _run_ended,
    telemetry.RunStopped: _run_ended,
    telemetry.Command: _command,
    telemetry.DiskLow: _disk_low,
    telemetry.FederationPaused: _paused,
    telemetry.FederationResumed: _paused,
    telemetry.ClientPaused: _paused,
    telemetry.ClientResumed: _paused,
    telemetry.RulesChanged: _rules_changed,
    telemetry.RoundOpened: _round_opened,
    telemetry.RoundClosed: _round_closed,
    telemetry.RoundFinished: _round_finished,
    telemetry.ClientLate: _client_late,
    telemetry.ClientJoined: _client_joined,
    telemetry.ClientRefused: _client_refused,
    telemetry.ClientLost: _client_lost,
    telemetry.ClientLeft: _client_left,
    telemetry.ClientBack: _client_back,
    telemetry.UpdateRejected: _update_rejected,
    telemetry.ProcessStarted: _process_started,
    telemetry.ProcessExited: _process_exited,
    telemetry.Failure: _failure,
    telemetry.ServerStarted: _server_started,
    telemetry.BrokerLost: _broker_lost,
    telemetry.BrokerBack: _broker_back,
    telemetry.BrokerRecycled: _broker_recycled,
}
