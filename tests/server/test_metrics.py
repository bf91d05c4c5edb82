"""The specification's server metrics, and a row for each round."""

import csv

import numpy as np

from engine import telemetry
from engine.event_log import EventLog
from engine.server.metrics import ServerMetrics, append_row, rewrite_rows


def finished(number):
    return telemetry.RoundFinished(
        round=number, updates=3, examples=30, accuracy=None, loss=0.25, digest=f"digest {number}",
        seconds=1.5, parts={"training": 1.0}, bytes_up=100, bytes_down=200,
    )  # fmt: skip


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_finished_round_is_a_row_under_one_header(tmp_path):
    path = tmp_path / "metrics.csv"
    rewrite_rows(path, tmp_path / "events.jsonl")
    append_row(path, finished(1))
    append_row(path, finished(2))

    rows = read_rows(path)
    assert [row["round"] for row in rows] == ["1", "2"]
    assert rows[0] == {
        "round": "1", "updates": "3", "examples": "30", "loss": "0.25", "accuracy": "", "seconds": "1.5",
        "bytes_up": "100", "bytes_down": "200", "digest": "digest 1",
    }  # fmt: skip


def test_a_round_that_died_between_its_event_and_its_row_gets_its_row_at_the_next_start(tmp_path):
    path, events = tmp_path / "metrics.csv", tmp_path / "events.jsonl"
    log = EventLog(events, run="run", origin="server")
    rewrite_rows(path, events)
    log.append(finished(1))
    append_row(path, finished(1))
    log.append(finished(2))

    rewrite_rows(path, events)

    assert [row["round"] for row in read_rows(path)] == ["1", "2"]


def test_weights_are_kept_as_a_summary():
    metrics = ServerMetrics()
    metrics.note_weights(np.array([3.0, -3.0, 3.0, -3.0], np.float32))

    assert metrics.weight_history[-1] == {"mean": 0.0, "std": 3.0, "norm": 6.0}


def test_however_long_a_run_its_metrics_are_bounded():
    metrics = ServerMetrics()
    for number in range(2500):
        metrics.update_counts.append(number)
        metrics.note_weights(np.zeros(1, np.float32))

    assert len(metrics.update_counts) == len(metrics.weight_history) == 1000
    assert metrics.update_counts[-1] == 2499
