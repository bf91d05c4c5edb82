"""Everything the console shows of a run at one moment: the state, the timeline, and each client's curve.

A snapshot is frozen and shares with its successor whatever has not changed, so that one thread can fold
while another draws, and a replay can keep many of them.
"""

from collections.abc import Iterable

import msgspec

from engine import telemetry
from flconsole.feed import Record
from flconsole.fold import fold
from flconsole.state import RunState
from flconsole.stories import tell
from flconsole.timeline import Timeline

POINTS_KEPT = 256
"""Reports of a curve; beyond that every other one is dropped: a terminal has no room for more."""


class Report(msgspec.Struct, frozen=True, gc=False):
    """What a client reported with one update."""

    round: int
    ts: float
    """Wall-clock seconds since the epoch."""
    loss: float | None
    accuracy: float | None


class Curve(msgspec.Struct, frozen=True, gc=False):
    """A client's reports over the rounds, thinned out evenly where there are many."""

    points: tuple[Report, ...] = ()
    stride: int = 1
    """Of so many reports, one is kept: the first, and then each after so many."""


class Snapshot(msgspec.Struct, frozen=True):
    """A run at one moment."""

    state: RunState = RunState()
    timeline: Timeline = Timeline()
    curves: dict[str, Curve] = {}
    """By client."""


def advance(snapshot: Snapshot, record: Record) -> Snapshot:
    """The snapshot after one more record; the same object where the record adds nothing."""
    state = fold(snapshot.state, record.envelope, record.event)
    if state is snapshot.state:
        return snapshot
    timeline, curves = tell(snapshot.timeline, record, snapshot.state, state), snapshot.curves
    if isinstance(record.event, telemetry.UpdateAccepted):
        curves = _extend(curves, record.event, record.envelope.ts, state)
    return Snapshot(state, timeline, curves)


def advance_all(snapshot: Snapshot, records: Iterable[Record]) -> Snapshot:
    """The snapshot after some more records."""
    for record in records:
        snapshot = advance(snapshot, record)
    return snapshot


def _extend(
    curves: dict[str, Curve], update: telemetry.UpdateAccepted, ts: float, state: RunState
) -> dict[str, Curve]:
    """The curves after one more report; the same where it is one of those that are left out."""
    curve = curves.get(update.client, Curve())
    points, stride = curve.points, curve.stride
    if (state.clients[update.client].updates - 1) % stride:
        return curves
    is_open = state.round is not None and state.round.number == update.round
    number = state.round.number if is_open and state.round else update.round  # one object for all clients
    points = (*points, Report(number, ts, update.loss, update.accuracy))
    if len(points) > POINTS_KEPT:
        points, stride = points[::2], 2 * stride
    return {**curves, update.client: Curve(points, stride)}
