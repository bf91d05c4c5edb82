"""What `flconsole runs` and `flconsole status` write."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.telemetry import ProcessSample
from flconsole.figures import UNKNOWN, byte_size, number
from flconsole.narration import about, progress
from flconsole.runs import RunSummary
from flconsole.state import Client, Process, RunState
from flconsole.text import table, visible

_MIB = 1 << 20


def as_json(value: Any) -> list[str]:
    """One JSON document, indented."""
    return [msgspec.json.format(msgspec.json.encode(value), indent=2).decode()]


def runs_table(runs: Sequence[RunSummary]) -> list[str]:
    """One line for each run, under headings."""
    rows = [
        (
            run.id,
            run.status,
            f"{run.rounds_done}/{run.rounds or '?'}",
            number(run.accuracy),
            run.model or UNKNOWN,
            run.dataset or UNKNOWN,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_at)) if run.started_at else UNKNOWN,
            byte_size(run.size_bytes),
        )
        for run in runs
    ]
    return table(("run", "status", "rounds", "accuracy", "model", "data", "started", "size"), rows)


def status_json(state: RunState, status: str) -> list[str]:
    """The whole state, with what is derived from it."""
    derived = {
        "status": status,
        "rounds_done": state.rounds_done,
        "accuracy": state.accuracy,
        "loss": state.loss,
        "seconds_left": state.seconds_left,
        "client_states": {client: state.client_state(client) for client in state.client_ids},
    }
    return as_json({**derived, **msgspec.structs.asdict(state)})


def status_lines(state: RunState, status: str, run_dir: Path) -> list[str]:
    """The state for people: the run, its clients, its processes."""
    lines = [f"run {run_dir.name}: {status}"]
    if state.started is not None:
        lines.append(about(state.started))
    if status == "running":
        lines.append(progress(state))
    lines.append(
        f"{state.rounds_done} rounds done, accuracy {number(state.accuracy)}, loss {number(state.loss)}"
    )
    if state.outcome is not None and state.outcome.reason:
        lines.append(state.outcome.reason)
    clients = [_client_row(state, client_id) for client_id in state.client_ids]
    headings = ("client", "state", "host", "part", "updates", "rejected", "accuracy", "loss", "train s")
    processes = [_process_row(process, state) for process in state.processes.values()]
    return [
        *map(visible, lines),
        "",
        *table(headings, clients),
        "",
        *table(("process", "pid", "starts", "cpu %", "memory MiB", "last exit"), processes),
    ]


def _client_row(state: RunState, client_id: str) -> tuple[str, ...]:
    client = state.clients.get(client_id) or Client(id=client_id, membership="joined")
    update = client.last_update
    return (
        client_id,
        state.client_state(client_id),
        client.host or UNKNOWN,
        UNKNOWN if client.part is None else str(client.part),
        str(client.updates),
        str(client.rejected),
        number(update.accuracy if update else None),
        number(update.loss if update else None),
        number(update.train_s if update else None, 2),
    )


def _process_row(process: Process, state: RunState) -> tuple[str, ...]:
    samples = state.sample.processes if state.sample and process.pid is not None else {}
    sample = samples.get(process.name, ProcessSample())
    return (
        process.name,
        UNKNOWN if process.pid is None else str(process.pid),
        str(process.starts),
        number(sample.cpu_percent, 0),
        number(None if sample.rss_bytes is None else sample.rss_bytes / _MIB, 0),
        process.exit.reason if process.exit else "",
    )
