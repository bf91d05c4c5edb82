"""The charts of a run: which there are, and what each is called. Pure: nothing is drawn here."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

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
    """

    name: str
    title: str
    kind: Kind
    gatherer: Callable[[], Gatherer]


def _chart(name: str, title: str, kind: Kind, gatherer: Callable[[str], Gatherer]) -> Chart:
    return Chart(name=name, title=title, kind=kind, gatherer=lambda: gatherer(title))


CHARTS = (
    _chart(
        "accuracy",
        "Global accuracy",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, nothing="no round has been evaluated yet"),
            {"": lambda finished: finished.accuracy},
            is_evaluation=True,
        ),
    ),
    _chart(
        "loss",
        "Global loss",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, nothing="no round has been evaluated yet"),
            {"": lambda finished: finished.loss},
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
            {"up": lambda finished: finished.bytes_up, "down": lambda finished: finished.bytes_down},
        ),
    ),
    _chart(
        "updates",
        "Updates per aggregation",
        Kind.LINES,
        lambda title: RoundLines(
            LinesStyle(title=title, unit=Unit.COUNT, from_zero=True, nothing=NO_ROUND),
            {"": lambda finished: finished.updates},
        ),
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
