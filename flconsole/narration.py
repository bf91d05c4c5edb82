"""What a run's records say to people, one line each, and its closing summary."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import telemetry
from engine.telemetry import AnyEvent
from flconsole.figures import UNKNOWN, byte_size, number, seconds
from flconsole.state import Round, RunState, ended_badly, outcome_verb
from flconsole.text import visible

_RESULTS = {
    "final.keras": "the global model",
    "metrics.csv": "accuracy and loss by round",
    "partition.csv": "who held which examples",
    "events.jsonl": "everything that happened in the federation",
    "processes.jsonl": "everything that happened to the processes",
    "checkpoints": "the model after the latest rounds and the best one",
    "logs": "what each process wrote",
}


def describe(event: AnyEvent | None, state: RunState) -> str | None:
    """One line for people about an event that deserves it; None for the others.

    Args:
        event: what was recorded.
        state: the run with the event folded in.
    """
    say = _SENTENCES.get(type(event))
    line = None if say is None else say(event, state)
    return None if line is None else visible(line)


def progress(state: RunState) -> str:
    """Where the run stands, in one line."""
    current = state.round
    if current is None:
        joined = sum(client.membership == "joined" for client in state.clients.values())
        return (
            f"waiting for clients: {joined} of {state.started.clients if state.started else '?'} have joined"
        )
    parts = [
        f"round {of_all(current.number, state)}",
        updates(current, state.mode),
        f"accuracy {number(state.accuracy)}",
    ]
    if state.paused:
        parts.append("paused")
    if state.broker.lost_since is not None:
        parts.append("broker lost")
    if state.disk_low is not None:
        parts.append("disk nearly full")
    if state.seconds_left is not None:
        parts.append(f"about {seconds(state.seconds_left)} left")
    return " · ".join(parts)


def updates(current: Round, mode: str) -> str:
    """How many updates the round has, and how many it takes: what closes it is another thing in each mode."""
    there = len(current.accepted)
    if mode == "timed":
        return f"updates {there} ({current.quorum} needed)"
    if mode == "buffered":
        return f"updates {there}/{current.quorum}"
    if current.goal is not None:
        return f"updates {there}/{current.goal} of {len(current.cohort)}"
    return f"updates {there}/{len(current.cohort)}"


def summary(state: RunState, run_dir: Path) -> list[str]:
    """How the run ended, what it reached, where the results are, and how it goes on."""
    outcome = state.outcome
    if outcome is None:
        lines = ["the run ended without saying why; its logs may"]
    else:
        because = f": {outcome.reason}" if outcome.reason else ""
        lines = [
            f"{outcome_verb(outcome)} after {outcome.rounds} rounds in {seconds(outcome.seconds)}{because}"
        ]
        lines.append(f"accuracy {number(outcome.accuracy)}, loss {number(outcome.loss)}")
        lines.append(f"model digest {outcome.digest or '-'}")
    lines.append(f"results in {run_dir}")
    lines += [f"  {name:<16} {what}" for name, what in _RESULTS.items() if _has_content(run_dir / name)]
    cut_short = state.rounds is not None and state.rounds_done < state.rounds
    if cut_short or not isinstance(outcome, telemetry.RunFinished):
        lines.append(f"continue with: flconsole resume {run_dir.name}")
    return [visible(line) for line in lines]


def _has_content(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.is_file()


def about(started: telemetry.RunStarted) -> str:
    """What is trained on what; a stand-in is always named as one."""
    data = started.dataset + (f" (a stand-in: {started.stand_in})" if started.stand_in else "")
    if started.dataset == "auto":  # the null trainer asks for none, so none was chosen
        data = "none, nothing is trained"
    rounds = "as many rounds as it takes" if started.rounds is None else f"{started.rounds} rounds"
    return f"data {data}, model {started.model}, {started.clients} clients, {rounds}"


def _run_started(event: telemetry.RunStarted, state: RunState) -> str:
    again = f", resumed after round {state.rounds_done}" if event.resumed else ""
    return f"{about(event)}{again}; run {Path(event.run_dir).name}"


def _round_finished(event: telemetry.RoundFinished, state: RunState) -> str:
    took = "" if event.seconds is None else f", {seconds(event.seconds)}"
    left = "" if not state.seconds_left else f", about {seconds(state.seconds_left)} left"
    measured = f"accuracy {number(event.accuracy)}, loss {number(event.loss)}"
    return f"round {of_all(event.round, state)}: {measured}, {counted_updates(event.updates)}{took}{left}"


def _round_opened(event: telemetry.RoundOpened, _state: RunState) -> str | None:
    if not event.reopened:
        return None
    return (
        f"round {event.round} goes on after a restart of the server, {counted_updates(len(event.held))} held"
    )


def _rules_changed(event: telemetry.RulesChanged, _state: RunState) -> str:
    if event.interval_s is not None:
        return f"round {event.round} now closes {on_interval(event.interval_s, event.quorum)}"
    after = "" if event.deadline_s is None else f" or after {seconds(event.deadline_s)}"
    return f"round {event.round} now closes with {counted_updates(event.quorum)}{after}"


def on_interval(interval_s: float, minimum: int) -> str:
    """When a timed round closes."""
    return f"every {interval_s:g} s with at least {counted_updates(minimum)}"


def of_all(number: int, state: RunState) -> str:
    """A round and of how many: `3/10`; `3` where time or accuracy decide."""
    if state.started is not None and state.rounds is None:
        return f"{number}"
    return f"{number}/{state.rounds or '?'}"


def counted_updates(count: int) -> str:
    """`1 update`, `3 updates`."""
    return f"{count} update{'' if count == 1 else 's'}"


def _process_exited(event: telemetry.ProcessExited, _state: RunState) -> str | None:
    is_client = event.name.startswith(("client-", "clients-"))
    if not event.will_restart and not (is_client and ended_badly(event)):
        return None  # the run ends with any other process, and says why
    return f"{event.name} ended: {event.reason}{'; it is restarted' if event.will_restart else ''}"


def _command(event: telemetry.Command, _state: RunState) -> str:
    given = {key: value for key, value in event.arguments.items() if value not in (None, [])}
    arguments = " ".join(f"{key}={value}" for key, value in given.items())
    return (
        f"operator: {event.command} {arguments}".rstrip()
        + f": {event.answer or ('done' if event.ok else 'no')}"
    )


def _disk_low(event: telemetry.DiskLow, _state: RunState) -> str:
    return (
        f"the disk is getting full: {byte_size(event.free_bytes)} free, the run ends below "
        f"{byte_size(event.limit_bytes)}; make room, for example with `flconsole prune --keep 10`"
    )


def _update_rejected(event: telemetry.UpdateRejected, _state: RunState) -> str:
    """The detail often begins with the reason's short name, for files and logs."""
    detail = event.detail.removeprefix(f"{event.reason}: ")
    why = event.reason.replace("_", " ")
    return f"update of client {event.client or UNKNOWN} rejected: {why}{f' ({detail})' if detail else ''}"


def _broker_back(event: telemetry.BrokerBack, _state: RunState) -> str:
    away = "" if event.away_s is None else f" after {seconds(event.away_s)}"
    return f"broker is back{away}{', empty: open transfers are sent again' if event.reset else ''}"


_SENTENCES: dict[type[Any], Callable[[Any, RunState], str | None]] = {
    telemetry.RunStarted: _run_started,
    telemetry.RoundFinished: _round_finished,
    telemetry.RoundOpened: _round_opened,
    telemetry.RulesChanged: _rules_changed,
    telemetry.ProcessExited: _process_exited,
    telemetry.Command: _command,
    telemetry.DiskLow: _disk_low,
    telemetry.UpdateRejected: _update_rejected,
    telemetry.BrokerBack: _broker_back,
    telemetry.BrokerLost: lambda event, _: f"broker lost: {event.reason}",
    telemetry.BrokerRecycled: lambda event, _: f"broker restarted as planned: {event.reason}",
    telemetry.ClientJoined: lambda event, _: (
        f"client {event.client} joined from {event.host}, part {event.part}"
    ),
    telemetry.ClientRefused: lambda event, _: f"client {event.client} refused: {event.reason}",
    telemetry.ClientLate: lambda event, _: f"client {event.client} is late for round {event.round}",
    telemetry.ClientLost: lambda event, _: f"client {event.client} lost: {event.reason}",
    telemetry.ClientBack: lambda event, _: f"client {event.client} is back",
    telemetry.ClientLeft: lambda event, _: f"client {event.client} left: {event.reason}",
    telemetry.FederationPaused: lambda _event, _: "the federation is paused: no other round is opened",
    telemetry.FederationResumed: lambda _event, _: "the federation goes on",
    telemetry.ClientPaused: lambda event, _: f"client {event.client} is paused: left out of new rounds",
    telemetry.ClientResumed: lambda event, _: f"client {event.client} takes part again",
    telemetry.Failure: lambda event, _: f"{event.process}: {event.line}",
}
