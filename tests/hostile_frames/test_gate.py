"""The gate before any update at all: what gets in is harmless, and what does not has the right reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import MAX_TOTAL_EXAMPLES
from engine.core.exact_sum import MAX_ABS_DELTA, ExactSum
from engine.protocol.serialization import parse_frame
from engine.telemetry import UpdateId
from tests.hostile_frames.gates import EXAMPLES_OF_A_PART, MAX_NORM, MAX_STALENESS, PARTS, open_gate
from tests.hostile_frames.honest import BASE, DELTA, LAYOUT, OLDER_BASE, ROUND, RUN, update_frame

both_modes = pytest.mark.parametrize("mode", ["sync", "buffered"])
places = st.integers(0, LAYOUT.size - 1)
digests = st.sampled_from([BASE, OLDER_BASE, "cd" * 32])
any_float32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


def delta_with(value, place):
    delta = DELTA.copy()
    delta[place] = value
    return delta


@both_modes
@given(bits=st.integers(0x7F800000, 0x7FFFFFFF) | st.integers(0xFF800000, 0xFFFFFFFF), place=places)
def test_every_infinity_and_every_nan_in_every_place_is_refused(mode, bits, place):
    delta = DELTA.copy()
    delta.view(np.uint32)[place] = bits

    assert open_gate(mode).reason(update_frame(delta)) == "not_finite"


@both_modes
@given(
    value=st.floats(MAX_ABS_DELTA, 2.0**127, width=32, exclude_min=True),
    sign=st.sampled_from([1, -1]),
    place=places,
)
def test_every_value_beyond_the_sum_is_refused(mode, value, sign, place):
    assert open_gate(mode).reason(update_frame(delta_with(sign * value, place))) == "out_of_range"


@both_modes
@given(factor=st.floats(0.1, 3))
def test_the_norm_is_capped(mode, factor):
    delta = (DELTA / np.linalg.norm(DELTA) * MAX_NORM * factor).astype(np.float32)
    expected = "norm_too_large" if float(np.linalg.norm(delta)) > MAX_NORM else None

    assert open_gate(mode).reason(update_frame(delta)) == expected


@both_modes
@given(examples=st.integers(0, 2**53))
def test_a_client_claims_no_more_examples_than_its_part_has(mode, examples):
    expected = None if 1 <= examples <= 150 else "round_full" if 150 < examples <= 200 else "bad_num_examples"

    assert open_gate(mode).reason(update_frame(num_examples=examples)) == expected


@both_modes
@given(run=st.text(st.characters(categories=["L", "N"]), max_size=20).filter(lambda run: run != RUN))
def test_another_run_stays_out(mode, run):
    assert open_gate(mode).reason(update_frame(run=run)) == "wrong_run"


@given(round_number=st.integers(0, 2**53), repeat=st.integers(0, 2**53), base=digests)
def test_in_sync_only_the_first_update_from_the_base_of_the_open_round_gets_in(round_number, repeat, base):
    got_in = open_gate("sync").reason(update_frame(round=round_number, repeat=repeat, base=base)) is None

    assert got_in == ((round_number, repeat, base) == (ROUND, 0, BASE))


@given(staleness=st.integers(-3, ROUND), repeat=st.integers(0, 2**53), base=digests)
def test_in_buffered_a_stale_update_gets_in_from_its_own_base_once(staleness, repeat, base):
    got_in = (
        open_gate("buffered").reason(update_frame(round=ROUND - staleness, repeat=repeat, base=base)) is None
    )
    is_counted = (staleness, repeat) == (1, 0)

    assert got_in == (not is_counted and {0: BASE, 1: OLDER_BASE}.get(staleness) == base)


@both_modes
@given(
    about=st.fixed_dictionaries(
        {},
        optional={
            "run": st.sampled_from([RUN, "other"]),
            "round": st.integers(0, ROUND + 2),
            "client": st.sampled_from(["1", "2", "7", "1 "]),
            "repeat": st.integers(0, 2),
            "num_examples": st.integers(0, 300),
            "base": digests,
            "layout_digest": st.sampled_from([LAYOUT.digest, "cd" * 32]),
        },
    ),
    values=st.lists(any_float32, min_size=LAYOUT.size, max_size=LAYOUT.size) | st.just(DELTA.tolist()),
)
def test_whatever_gets_in_can_be_summed_and_has_not_been_before(mode, about, values):
    checkpoint = open_gate(mode)
    content = update_frame(np.array(values, np.float32), **about)
    if checkpoint.reason(content) is not None:
        return
    frame = parse_frame(content)
    update = checkpoint.judge(frame)

    assert (frame.metadata.run, frame.metadata.layout_digest) == (RUN, LAYOUT.digest)
    assert update.id not in {UpdateId("2", ROUND), *({UpdateId("1", ROUND - 1)} if mode != "sync" else set())}
    assert update.client in PARTS
    assert 0 <= ROUND - update.round <= (MAX_STALENESS if mode != "sync" else 0)
    assert 1 <= update.num_examples <= EXAMPLES_OF_A_PART
    assert float(np.linalg.norm(update.delta)) <= MAX_NORM
    total = ExactSum(LAYOUT.size)
    total.add(update.delta, update.num_examples)
    assert np.isfinite(total.mean()).all()
    assert checkpoint.current.num_examples + update.num_examples <= MAX_TOTAL_EXAMPLES


@both_modes
def test_an_update_that_is_held_does_not_get_in_twice(mode):
    checkpoint = open_gate(mode)
    held = next(iter(checkpoint.current.contributions.values()))
    update = checkpoint.judge(parse_frame(update_frame()))
    checkpoint.current.contributions[update.id] = held

    assert checkpoint.reason(update_frame()) == "duplicate"
    assert checkpoint.reason(update_frame(-DELTA)) == "duplicate"
