"""The server's metrics under the specification's names, bounded, and one row per round in `metrics.csv`."""

import csv
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine import telemetry
from engine.core.weights import Vector
from engine.event_log import read_events

_HISTORY = 1000
_COLUMNS = ("round", "updates", "examples", "loss", "accuracy", "seconds", "bytes_up", "bytes_down", "digest")


@dataclass(slots=True)
class ServerMetrics:
    """The last thousand rounds."""

    aggregation_times: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    """Seconds of each aggregation."""
    update_counts: deque[int] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    global_accuracy: deque[float | None] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    weight_history: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    """Mean, standard deviation and L2 norm of each global model."""
    client_updates: deque[tuple[int, str, int, float]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    """(round, client, examples, norm of the delta) of each accepted update."""

    def note_weights(self, vector: Vector) -> None:
        self.weight_history.append(
            {"mean": float(vector.mean()), "std": float(vector.std()), "norm": float(np.linalg.norm(vector))}
        )


def rewrite_rows(path: Path, events: Path) -> None:
    """Makes `metrics.csv` anew from the events, so that no death between the two leaves a round out."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(_COLUMNS)
    for _, event in read_events(events):
        if isinstance(event, telemetry.RoundFinished):
            append_row(path, event)


def append_row(path: Path, event: telemetry.RoundFinished) -> None:
    """Adds a finished round to `metrics.csv`."""
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([getattr(event, column) for column in _COLUMNS])
