"""The table of clients without a screen: what is known of each, in which order, which ones and which columns.

What nobody has told is None in a row and `-` on the screen, and never counts as small or large in an order.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from rich.cells import cell_len

from engine.telemetry import ProcessSample, Sample
from flconsole.figures import UNKNOWN, number, short_bytes, short_seconds
from flconsole.patterns import word_filter
from flconsole.state import Client, ClientState, Process, RunState
from flconsole.text import natural, visible

STALE_S = 3.0
"""Seconds after which a sample, taken once a second, no longer speaks for the present."""
_WIDEST_NAME = 20


class ClientRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one client at one moment. A field is a column of the same name."""

    id: str
    host: str | None = None
    state: ClientState = ClientState.JOINING
    part: int | None = None
    round: int | None = None
    """The round it trains for, or that of its last update."""
    loss: float | None = None
    accuracy: float | None = None
    examples: int | None = None
    age_s: float | None = None
    """Seconds since its last update."""
    updates: int | None = None
    staleness: int | None = None
    """Rounds that its last update's model was behind; None where every update is for the open round."""
    repeat: int | None = None
    """Updates from the same model that came before its last one; None likewise."""
    interval_s: float | None = None
    """Seconds from the start of one training to the next, where it sets its own pace."""
    rejected: int | None = None
    bytes_up: int | None = None
    bytes_down: int | None = None
    process: str | None = None
    """Its name: where several clients share it, what follows is used by all of them together."""
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    """Resident, as the system counts it."""
    gpu_percent: float | None = None
    gpu_bytes: int | None = None
    starts: int | None = None
    """How often its process was started, with the run when that was resumed too."""


def client_rows(state: RunState, now: float, *, is_gone: bool = False) -> list[ClientRow]:
    """One row for each client that was ever started or has joined, in the order of their ids.

    Args:
        state: the run.
        now: the moment that ages count from, in wall-clock seconds since the epoch.
        is_gone: whether the supervisor was killed, and every process of the run with it.
    """
    return [_row(state, client_id, now, is_gone) for client_id in state.client_ids]


def sample_age(state: RunState, now: float) -> float | None:
    """Seconds since the newest sample, where it is too old to speak for the present; None where it is not."""
    if state.sample_at is None or now - state.sample_at <= STALE_S:
        return None
    return now - state.sample_at


def _row(state: RunState, client_id: str, now: float, is_gone: bool) -> ClientRow:
    process = state.process_of(client_id)
    used = ProcessSample() if is_gone else _use(state.sample, process)
    row = ClientRow(
        id=client_id,
        state=_state(state, client_id, process, is_gone),
        bytes_down=state.bytes_down.get(client_id),
        process=None if process is None else process.name,
        cpu_percent=used.cpu_percent,
        memory_bytes=used.rss_bytes,
        gpu_percent=used.gpu_percent,
        gpu_bytes=used.gpu_bytes,
        starts=None if process is None else process.starts,
    )
    client = state.clients.get(client_id)
    return row if client is None else _add_membership(row, client, state, now)


def _add_membership(row: ClientRow, client: Client, state: RunState, now: float) -> ClientRow:
    row = replace(
        row,
        host=client.host,
        part=client.part,
        examples=client.examples,
        updates=client.updates,
        rejected=client.rejected,
        bytes_up=client.bytes_up,
    )
    if client.last_update is not None:
        update = client.last_update
        row = replace(row, round=update.round, loss=update.loss, accuracy=update.accuracy)
        if not state.is_sync:
            row = replace(row, staleness=update.staleness, repeat=update.repeat)
    if client.last_update_at is not None:
        row = replace(row, age_s=max(0.0, now - client.last_update_at))
    if row.state in (ClientState.TRAINING, ClientState.SENDING) and state.round is not None:
        row = replace(row, round=state.round_of(row.id))
    told = state.told_by(row.id)
    return row if told is None else replace(row, interval_s=told.interval_s)


def _use(sample: Sample | None, process: Process | None) -> ProcessSample:
    """What a process used last; nothing of one that has ended: its last use is not its use."""
    if sample is None or process is None or process.pid is None:
        return ProcessSample()
    return sample.processes.get(process.name, ProcessSample())


def _state(state: RunState, client_id: str, process: Process | None, is_gone: bool) -> ClientState:
    told = state.client_state(client_id)
    if not is_gone or told in (ClientState.FAILED, ClientState.STOPPED):
        return told
    # processes of ours ended with their supervisor; of those elsewhere nobody hears any more
    return ClientState.LOST if process is None else ClientState.STOPPED


# --- order


def sort_rows(rows: Iterable[ClientRow], column: str, *, reverse: bool = False) -> list[ClientRow]:
    """The rows by one column; the unknown last in both directions, equals in the order they came in."""
    keyed = [(_sort_key(getattr(row, column)), row) for row in rows]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=reverse)
    return [row for _, row in known] + [row for key, row in keyed if key is None]


_STATE_ORDER = {state: position for position, state in enumerate(ClientState)}


def _sort_key(value: Any) -> Any:
    if isinstance(value, ClientState):
        return _STATE_ORDER[value]
    return natural(value) if isinstance(value, str) else value


# --- filter


def row_filter(text: str) -> Callable[[ClientRow], bool]:
    """Whether a row is wanted by its id, host or state; see `word_filter` for what an operator may type."""
    is_wanted = word_filter(text)
    return lambda row: is_wanted(row.id, row.host or "", row.state.value)


# --- columns


class Column(NamedTuple):
    """One column of the table.

    Attributes:
        name: the field of `ClientRow`, and what a kept order calls it.
        heading: always narrower than the column, so that the arrow of the order has room.
        width: cells; names are as wide as the longest of them, within reason.
        rank: where there is little room, the columns of the lowest ranks stay.
        show: a known value as text that is fit for a terminal.
        align: as in a format, `<` or `>`.
        is_sampled: whether a stale sample makes it stale.
        deserved_by: which values deserve the column; None where it is always there.
    """

    name: str
    heading: str
    width: int
    rank: int
    show: Callable[[Any], str] = str
    align: str = ">"
    is_sampled: bool = False
    deserved_by: Callable[[Any], bool] | None = None

    def text(self, row: ClientRow) -> str:
        """The cell of a row, not yet aligned."""
        value = getattr(row, self.name)
        return UNKNOWN if value is None else self.show(value)


def _loss(value: float) -> str:
    magnitude = abs(value)
    return number(value) if magnitude < 10 else f"{value:.5g}" if magnitude < 99_999.5 else f"{value:.1e}"


def _seconds(value: float) -> str:
    return f"{value:.1f}s" if value < 99.95 else short_seconds(value)


def _percent(value: float) -> str:
    return f"{value:.0f}"


def _clients_in(process: str) -> str:
    return visible(process.partition("-")[2])


def _is_shared(process: str | None) -> bool:
    return process is not None and process.startswith("clients-")


def _is_known(value: object) -> bool:
    return value is not None


def _is_repeated(starts: int | None) -> bool:
    return starts is not None and starts > 1


COLUMNS = (
    Column("id", "id", 4, 0, visible, align="<"),
    Column("host", "host", 6, 15, visible, align="<"),
    Column("state", "state", 10, 1, str, align="<"),
    Column("part", "part", 5, 17),
    Column("round", "round", 6, 2),
    Column("loss", "loss", 7, 4, _loss),
    Column("accuracy", "acc", 6, 3, number),
    Column("examples", "examples", 9, 12),
    Column("age_s", "age", 4, 5, short_seconds),
    Column("staleness", "stale", 5, 5, deserved_by=_is_known),
    Column("repeat", "repeat", 6, 16, deserved_by=_is_known),
    Column("interval_s", "pace", 5, 9, _seconds, is_sampled=True, deserved_by=bool),
    Column("updates", "updates", 8, 16),
    Column("rejected", "rej", 4, 13, deserved_by=bool),
    Column("bytes_up", "up", 5, 10, short_bytes),
    Column("bytes_down", "down", 5, 11, short_bytes),
    Column("process", "process", 8, 6, _clients_in, align="<", deserved_by=_is_shared),
    Column("cpu_percent", "cpu%", 5, 6, _percent, is_sampled=True),
    Column("memory_bytes", "mem", 5, 7, short_bytes, is_sampled=True),
    Column("gpu_percent", "gpu%", 5, 8, _percent, is_sampled=True, deserved_by=_is_known),
    Column("gpu_bytes", "gpumem", 7, 9, short_bytes, is_sampled=True, deserved_by=_is_known),
    Column("starts", "starts", 7, 14, deserved_by=_is_repeated),
)
"""In the order in which they stand."""

BY_NAME = {column.name: column for column in COLUMNS}


def columns_for(rows: Sequence[ClientRow], width: int | None = None) -> tuple[Column, ...]:
    """The columns that the rows deserve and, where a width is given, that fit beside each other.

    Names get the width of the longest of them. Between two columns there is one cell.
    """
    deserved = [
        column._replace(width=_name_width(rows, column)) if column.show is visible else column
        for column in COLUMNS
        if column.deserved_by is None or any(column.deserved_by(getattr(row, column.name)) for row in rows)
    ]
    if width is None:
        return tuple(deserved)
    fitting, left = set(), width + 1
    for column in sorted(deserved, key=lambda column: column.rank):
        left -= column.width + 1
        if left < 0:
            break
        fitting.add(column.name)
    return tuple(column for column in deserved if column.name in fitting)


def _name_width(rows: Sequence[ClientRow], column: Column) -> int:
    longest = max((cell_len(column.text(row)) for row in rows), default=0)
    return min(max(column.width, longest), _WIDEST_NAME)
