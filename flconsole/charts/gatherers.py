"""Turns the history of a run into what a chart shows. Pure: nothing is drawn here.

Every finished round and every report of a client is read once. Looking again costs what has been added
since, not the length of the run; only after a jump back in a replay, or with other settings, a gatherer
begins anew.
"""

import itertools
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

import msgspec

from engine.telemetry import RoundFinished
from flconsole.charts.axis import Unit
from flconsole.charts.plot import Bar, BarPlot, HeatMap, Line, LinePlot, Plot, Sentence, add_bars
from flconsole.charts.series import Buckets, Point, Smoother, drawable, extremes
from flconsole.snapshot import Curve, Report, Snapshot
from flconsole.state import RunState

PARTS = ("waiting", "training", "transfer", "aggregation", "publishing", "evaluation")
"""Of a round's time, in the order in which they are stacked."""
CURVES_SHOWN = 6
"""Clients overlaid in one chart: as many as there are colours to tell them apart."""
LARGEST_SIMILARITY = 32
"""Clients of the largest round whose similarity is measured."""
NO_ROUND = "no round has finished yet"


class Basis(StrEnum):
    """What stands on the x axis."""

    ROUNDS = "rounds"
    TIME = "time"
    """Since round 1 was opened."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the operator wants to see one chart."""

    log_y: bool = False
    smoothing: float = 0.0
    basis: Basis = Basis.ROUNDS

    @property
    def notes(self) -> tuple[str, ...]:
        """What the heading says of them."""
        notes = ("log",) if self.log_y else ()
        return (*notes, f"smoothed {self.smoothing:g}") if self.smoothing else notes


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be shown."""

    snapshot: Snapshot
    settings: Settings = Settings()
    clients: tuple[str, ...] = ()
    """The marked clients; none stands for the first few."""
    eval_every: int = 1
    """Rounds from one evaluation to the next: the ones between are not missing."""


class Gatherer(Protocol):
    """Turns one look after the other into what is to be drawn."""

    def plot(self, look: Look) -> Plot: ...


# --- what the gatherers share


T = TypeVar("T")


class _News(Generic[T]):
    """What was added to a collection that only grows.

    Args:
        identity: tells the items apart.
    """

    def __init__(self, identity: Callable[[T], object]) -> None:
        self._identity = identity
        self._last: object = None
        self._num_seen = 0

    def of(self, items: Collection[T]) -> tuple[list[T], bool]:
        """New items, oldest first, and whether they are all there are: what was gathered before is void."""
        backwards = reversed(items)  # type: ignore[call-overload]  # tuples and the values of a dict both can
        new = list(itertools.takewhile(lambda item: self._identity(item) != self._last, backwards))[::-1]
        is_anew = not self._num_seen or self._num_seen + len(new) != len(items)
        if is_anew:
            new, self._last = list(items), None
        if new:
            self._last = self._identity(new[-1])
        self._num_seen = len(items)
        return new, is_anew


def _new_rounds() -> _News[RoundFinished]:
    return _News(lambda finished: (finished.round, finished.digest))


def _new_reports() -> _News[Report]:
    return _News(lambda report: (report.round, report.ts))


class _Track:
    """One curve as it is gathered, ready for the axis."""

    def __init__(self, label: str, settings: Settings) -> None:
        self._label, self._log_y = label, settings.log_y
        self._smooth = Smoother(settings.smoothing)
        self._buckets: Buckets[tuple[Point, ...]] = Buckets(lambda older, newer: extremes(older + newer))
        self._latest: float | None = None
        self.num_left_out = 0
        """Values that have no logarithm."""

    def add(self, x: float, value: float | None) -> None:
        value = drawable(value)
        self._latest = value if value is not None else self._latest
        shown = self._smooth(value)
        if self._log_y and shown is not None and shown <= 0:
            self.num_left_out += 1
            shown = None
        self._buckets.add(((x, shown),))

    @property
    def line(self) -> Line:
        return Line(self._label, tuple(itertools.chain.from_iterable(self._buckets.items)), self._latest)


class LinesStyle(msgspec.Struct, frozen=True, kw_only=True):
    """What all pictures of one chart with lines have in common."""

    title: str
    unit: Unit = Unit.NUMBER
    from_zero: bool = False
    nothing: str
    """Said where there is no value yet."""

    def plot(self, tracks: Collection[_Track], settings: Settings, *notes: str) -> Plot:
        lines = tuple(track.line for track in tracks)
        notes = (*settings.notes, *notes)
        num_left_out = sum(track.num_left_out for track in tracks)
        if num_left_out:
            notes = (*notes, f"{num_left_out} values not above 0 left out")
        if not any(y is not None for line in lines for _, y in line.points):
            return Sentence(title=self.title, notes=notes, text=self.nothing)
        return LinePlot(
            title=self.title,
            notes=notes,
            lines=lines,
            unit=self.unit,
            x=Unit.SECONDS if settings.basis is Basis.TIME else Unit.COUNT,
            log_y=settings.log_y,
            from_zero=self.from_zero and not settings.log_y,
        )


def _beginning(state: RunState) -> float | None:
    """When round 1 was opened, or the first round there is record of; None if there was none."""
    first = next(iter(state.history.values()), None)
    if first is None:
        return None if state.round is None else state.round.opened_at
    end = state.round_ends.get(first.round)
    return None if end is None else end - (first.seconds or 0.0)


# --- values of rounds

RoundValue = Callable[[RoundFinished, RunState], float | None]
"""Of a finished round and the run that it is of."""


class RoundLines:
    """One or more values of every finished round.

    Args:
        style: of the chart.
        values: label -> value; the only line of a chart has no label.
        is_evaluation: whether a round between two evaluations has no values and misses none.
        note: what the heading says of the whole run; empty for nothing.
    """

    def __init__(
        self,
        style: LinesStyle,
        values: dict[str, RoundValue],
        *,
        is_evaluation: bool = False,
        note: Callable[[RunState], str] | None = None,
    ) -> None:
        self._style, self._values, self._is_evaluation, self._note = style, values, is_evaluation, note
        self._news = _new_rounds()
        self._settings = Settings()
        self._tracks: list[_Track] = []

    def plot(self, look: Look) -> Plot:
        if look.settings != self._settings:
            self._settings, self._news = look.settings, _new_rounds()
        state = look.snapshot.state
        rounds, is_anew = self._news.of(state.history.values())
        if is_anew:
            self._tracks = [_Track(label, self._settings) for label in self._values]
        beginning = _beginning(state)
        for finished in rounds:
            if not (self._is_evaluation and _is_between_evaluations(finished, look.eval_every)):
                self._add(finished, state, _x_of_round(finished, state, beginning, self._settings.basis))
        note = "" if self._note is None else self._note(state)
        return self._style.plot(self._tracks, self._settings, *([note] if note else []))

    def _add(self, finished: RoundFinished, state: RunState, x: float | None) -> None:
        if x is not None:
            for track, value in zip(self._tracks, self._values.values(), strict=True):
                track.add(x, value(finished, state))


def _is_between_evaluations(finished: RoundFinished, eval_every: int) -> bool:
    return finished.round % eval_every != 0 and finished.accuracy is None and finished.loss is None


def _x_of_round(
    finished: RoundFinished, state: RunState, beginning: float | None, basis: Basis
) -> float | None:
    if basis is Basis.ROUNDS:
        return float(finished.round)
    end = state.round_ends.get(finished.round)
    return None if end is None or beginning is None else end - beginning


class RoundTime:
    """The time of each round as a stack of its parts.

    Args:
        title: of the chart.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._news = _new_rounds()
        self._bars = Buckets(add_bars)
        self._latest: tuple[float, ...] = ()

    def plot(self, look: Look) -> Plot:
        rounds, is_anew = self._news.of(look.snapshot.state.history.values())
        if is_anew:
            self._bars = Buckets(add_bars)
        for finished in rounds:
            self._latest = tuple(max(0.0, drawable(finished.parts.get(part)) or 0.0) for part in PARTS)
            self._bars.add(Bar(finished.round, 1, self._latest))
        bars = tuple(self._bars.items)
        if not any(any(bar.sums) for bar in bars):
            nothing = "no round has told where its time went" if bars else NO_ROUND
            return Sentence(title=self._title, text=nothing)
        return BarPlot(title=self._title, parts=PARTS, bars=bars, latest=self._latest)


# --- values of clients


class ClientLines:
    """What some clients report with their updates, one curve each.

    A round that a client was waited for and did not report in is a gap. At its own pace it misses none.

    Args:
        style: of the chart.
        value: of one report.
    """

    def __init__(self, style: LinesStyle, value: Callable[[Report], float | None]) -> None:
        self._style, self._value = style, value
        self._followed: dict[str, tuple[_News[Report], _Track]] = {}
        self._drawn_with: tuple[Settings, float | None, bool] = (Settings(), None, True)

    def plot(self, look: Look) -> Plot:
        state, curves = look.snapshot.state, look.snapshot.curves
        drawn_with = (look.settings, _beginning(state), state.is_sync)
        if drawn_with != self._drawn_with:
            self._drawn_with, self._followed = drawn_with, {}
        known = [client for client in state.client_ids if client in curves]
        wanted = [client for client in look.clients if client in curves] or known
        shown = wanted[:CURVES_SHOWN]
        self._followed = {client: self._follow(client, curves[client]) for client in shown}
        tracks = [track for _, track in self._followed.values()]
        hint = [f"{len(shown)} of {len(known)} clients"] if len(shown) < len(known) else []
        return self._style.plot(tracks, look.settings, *hint)

    def _follow(self, client: str, curve: Curve) -> tuple[_News[Report], _Track]:
        settings, beginning, is_sync = self._drawn_with
        news, track = self._followed.get(client, (_new_reports(), _Track(client, settings)))
        reports, is_anew = news.of(curve.points)
        if is_anew:
            track, previous = _Track(client, settings), None
        else:
            previous = curve.points[-len(reports) - 1]
        for report in reports:
            x = (
                float(report.round)
                if settings.basis is Basis.ROUNDS
                else report.ts - (beginning or report.ts)
            )
            if is_sync and previous is not None and report.round - previous.round >= 2 * curve.stride:
                track.add(x, None)
            track.add(x, self._value(report))
            previous = report
        return news, track


# --- similarity


class Similarity:
    """How much the updates of the latest round point the same way, each pair of clients.

    Args:
        title: of the chart.
    """

    def __init__(self, title: str) -> None:
        self._title = title

    def plot(self, look: Look) -> Plot:
        latest = next(reversed(look.snapshot.state.history.values()), None)
        if (
            latest is None
            or not latest.similarity
            or len(latest.similarity) != len(latest.similarity_clients)
        ):
            return Sentence(title=self._title, text=_why_no_similarity(latest))
        return HeatMap(
            title=self._title,
            notes=(f"round {latest.round}",),
            ids=tuple(latest.similarity_clients),
            values=tuple(tuple(map(drawable, row)) for row in latest.similarity),
        )


def _why_no_similarity(latest: RoundFinished | None) -> str:
    if latest is None:
        return NO_ROUND
    if latest.updates > LARGEST_SIMILARITY:
        limit = f"similarity needs at most {LARGEST_SIMILARITY} clients"
        return f"{limit}; this round had {latest.updates}"
    if latest.updates < 2:
        return f"similarity needs at least 2 clients; this round had {latest.updates}"
    return "the similarity of the clients was not recorded in this round"
