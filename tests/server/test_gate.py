"""The gate: one case for each reason to refuse an update."""

import dataclasses

import numpy as np
import pytest

from engine.config import MAX_TOTAL_EXAMPLES
from engine.core.exact_sum import MAX_ABS_DELTA
from engine.core.update import TrainingMetrics
from engine.errors import PayloadSizeMismatch, UpdateRejected
from engine.protocol.serialization import FrameMetadata, encode_frame, parse_frame
from engine.server.closing import WaitForCohort
from engine.server.counted import CountedUpdates
from engine.server.gate import Gate
from engine.server.history import History
from engine.server.round import Contribution, Round
from engine.telemetry import UpdateId

BASE = "ab" * 32


@pytest.fixture
def gate(config, layout):
    counted = CountedUpdates(config.max_staleness, {})
    return Gate(config, layout, {0: 1000, 1: 1001}, counted=counted, history=History())


@pytest.fixture
def current():
    return Round(number=1, base_digest=BASE, cohort=("1", "2"), rule=WaitForCohort())


@pytest.fixture
def frame(config, update, travels):
    """`frame(**changes)`: the update with other metadata; `delta=` and `num_examples=` change the update."""

    def make(delta=None, **changes):
        changed = update if delta is None else dataclasses.replace(update, delta=delta)
        return parse_frame(travels(config, changed, **changes)[0])

    return make


def contribution(num_examples):
    return Contribution("transfer", num_examples, TrainingMetrics(), 0, "none", 0.0)


def reason(gate, frame, current, part=0):
    with pytest.raises(UpdateRejected) as rejection:
        gate.judge(frame, current, part)
    return rejection.value.reason


def test_an_honest_update_comes_through_unchanged(gate, current, frame, update):
    judged = gate.judge(frame(), current, 0)

    assert judged.delta.tobytes() == update.delta.tobytes()
    assert dataclasses.replace(judged, delta=update.delta) == update


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"run": "another"}, "wrong_run"),
        ({"round": 0}, "round_closed"),
        ({"round": 2}, "wrong_round"),
        ({"client": "3"}, "not_in_cohort"),
        ({"base": "cd" * 32}, "wrong_base"),
        ({"layout_digest": "cd" * 32}, "wrong_layout"),
        ({"num_examples": 0}, "bad_num_examples"),
        ({"num_examples": 1001}, "bad_num_examples"),
    ],
)
def test_metadata_that_do_not_fit_the_round(gate, current, frame, changes, expected):
    assert reason(gate, frame(**changes), current) == expected


def test_a_model_in_place_of_an_update(gate, current, config, layout, update):
    about = FrameMetadata.of_model(layout, run=config.run_id, round_number=1)

    assert reason(gate, parse_frame(encode_frame(about, update.delta)), current) == "wrong_run"


def test_a_second_update_of_one_client(gate, current, frame):
    current.contributions[UpdateId("1", 1)] = contribution(1000)

    assert reason(gate, frame(), current) == "duplicate"


def test_a_second_update_stays_a_duplicate_once_the_round_is_closed(gate, current, frame):
    current.contributions[UpdateId("1", 1)], current.is_closed = contribution(1000), True

    assert reason(gate, frame(), current) == "duplicate"


def test_an_update_for_a_round_that_has_just_been_closed(gate, current, frame):
    current.is_closed = True

    assert reason(gate, frame(), current) == "round_closed"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_wherever_it_stands(gate, current, frame, update, value):
    for position in (0, 250, -1):
        delta = update.delta.copy()
        delta[position] = value

        assert reason(gate, frame(delta), current) == "not_finite"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_beyond_what_the_sum_can_hold(gate, current, frame, update, sign):
    delta = update.delta.copy()
    delta[7] = sign * np.nextafter(np.float32(MAX_ABS_DELTA), np.float32(np.inf))

    assert reason(gate, frame(delta), current) == "out_of_range"


def test_the_largest_value_that_the_sum_can_hold(gate, current, frame, update):
    delta = update.delta.copy()
    delta[7] = MAX_ABS_DELTA

    assert gate.judge(frame(delta), current, 0).delta[7] == MAX_ABS_DELTA


def test_a_client_without_a_part_may_claim_no_more_than_the_sum_can_weigh(gate, current, frame):
    assert gate.judge(frame(num_examples=MAX_TOTAL_EXAMPLES), current, None)
    assert reason(gate, frame(num_examples=MAX_TOTAL_EXAMPLES + 1), current, None) == "bad_num_examples"


def test_more_examples_in_a_round_than_the_sum_can_weigh(gate, current, frame):
    current.contributions[UpdateId("2", 1)] = contribution(MAX_TOTAL_EXAMPLES - 999)

    assert reason(gate, frame(), current) == "round_full"


def test_a_payload_that_is_not_the_layouts_is_an_error_of_the_frame(gate, current, frame, update):
    with pytest.raises(PayloadSizeMismatch):
        gate.judge(frame(update.delta[:-1]), current, 0)


def test_a_rejection_says_what_came_and_what_was_expected(gate, current, frame):
    with pytest.raises(UpdateRejected, match=r"wrong_run: update of run 'another'; this is 'run'"):
        gate.judge(frame(run="another"), current, 0)
