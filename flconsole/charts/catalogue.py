"""The charts of a run: which there are, and what each is called. Pure: nothing is drawn here."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from engine.telemetry import RoundFinished
from flconsole.charts.axis import Unit
from flconsole.charts.gatherers import (
    NO_ROUND,
    ClientLines,
    Gatherer,
    LinesStyle,
    RoundLines,
    RoundTime,
    Similarity,
)
from flconsole.state import RunState

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
"""Strengths to choose from: none, then moving averages over about 2, 10 and 30 rounds."""


class Kind(StrEnum):
    """How a chart looks, which decides what can be set."""

    LINES = "lines"
    BARS = "stack of bars"
    HEAT_MAP = "heat map"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One chart.

    Attributes:
        name: for files and settings.
        title: in the heading.
        kind: how it looks.
        gatherer: makes what follows a run for it; each place where the chart is shown has its own.
        is_for_sync: whether a run in which every update is for the open round has anything to show in it.
    """

    name: str
    title: str
    kind: Kind
    gatherer: Callable[[], Gatherer]
    is_for_sync: bool = True


def _chart(
    name: str, title: str, kind: Kind, gatherer: Callable[[str], Gatherer], *, is_for_sync: bool = True
) -> Chart:
    return Chart(name=name, title=title, kind=kind, gatherer=lambda: gatherer(title), is_for_sync=is_for_sync)


def _compressed(run: RunState) -> str:
    """How many times smaller a codec has made the updates."""
    return "" if run.compression is None else f"compressed {run.compression:.1f}x"


def _mean_staleness(finished: RoundFinished, run: RunState) -> float | None:
    staleness = run.staleness.get(finished.round)
    return None if staleness is None else staleness.mean


def _most_staleness(finished: RoundFinished, run: RunState) -> float | None:
    staleness = run.staleness.get(finished.round)
    return None if staleness is None else staleness.most


CHARTS = (
    _chart(
        "accuracy",
        "Global accuracy",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, nothing="no round has been evaluated yet"),
            {"": lambda finished, _run: finished.accuracy},
            is_evaluation=True,
        ),
    ),
    _chart(
        "loss",
        "Global loss",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, nothing="no round has been evaluated yet"),
            {"": lambda finished, _run: finished.loss},
            is_evaluation=True,
        ),
    ),
    _chart("round-time", "Round time", Kind.BARS, RoundTime),
    _chart(
        "bytes",
        "Bytes per round",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, unit=Unit.BYTES, from_zero=True, nothing=NO_ROUND),
            {
                "up": lambda finished, _run: finished.bytes_up,
                "down": lambda finished, _run: finished.bytes_down,
            },
            note=_compressed,
        ),
    ),
    _chart(
        "updates",
        "Updates per aggregation",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, unit=Unit.COUNT, from_zero=True, nothing=NO_ROUND),
            {"": lambda finished, _run: finished.updates},
        ),
    ),
    _chart(
        "staleness",
        "Staleness of updates",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(
                title=title,
                unit=Unit.COUNT,
                from_zero=True,
                nothing="no round has told how stale its updates were",
            ),
            {"mean": _mean_staleness, "most": _most_staleness},
        ),
        is_for_sync=False,
    ),
    _chart(
        "client-loss",
        "Client loss",
        Kind.LINES,
        lambda title: ClientLines(
            LinesStyle(title=title, nothing="no client has reported its loss yet"), lambda report: report.loss
        ),
    ),
    _chart(
        "client-accuracy",
        "Client accuracy",
        Kind.LINES,
        lambda title: ClientLines(
            LinesStyle(title=title, nothing="no client has reported its accuracy yet"),
            lambda report: report.accuracy,
        ),
    ),
    _chart("similarity", "Client similarity", Kind.HEAT_MAP, Similarity),
)
"""In the order in which they are shown."""


def charts_for(mode: str) -> tuple[Chart, ...]:
    """The charts that a run of that mode has anything to show in."""
    return tuple(chart for chart in CHARTS if mode != "sync" or chart.is_for_sync)
