"""Whole, intact frames whose update is not welcome in the open round."""

import numpy as np

from engine.core.exact_sum import MAX_ABS_DELTA
from tests.hostile_frames.honest import BASE, DELTA, ROUND, model_frame, update_frame


def _with_value(value: float, place: int) -> bytes:
    delta = DELTA.copy()
    delta[place] = value
    return update_frame(delta)


_SYNC = {
    "wrong_run.of_another_run": update_frame(run="other"),
    "wrong_run.model": model_frame(),
    "round_closed.of_the_round_before": update_frame(round=ROUND - 1),
    "wrong_round.of_the_next_round": update_frame(round=ROUND + 1),
    "wrong_round.of_the_last_round_of_all": update_frame(round=2**53),
    "wrong_base.of_another_model": update_frame(base="cd" * 32),
    "wrong_base.in_capitals_it_would_be_right": update_frame(base=BASE[:-1] + "a"),
    "not_in_cohort.stranger": update_frame(client="7"),
    "duplicate.second_of_a_client": update_frame(client="2"),
    "bad_num_examples.none": update_frame(num_examples=0),
    "bad_num_examples.more_than_its_part": update_frame(num_examples=101),
    "bad_num_examples.absurd": update_frame(num_examples=2**53),
    "not_finite.nan": _with_value(np.nan, 0),
    "not_finite.infinity": _with_value(np.inf, 4),
    "not_finite.minus_infinity_at_the_end": _with_value(-np.inf, -1),
    "out_of_range.one_step_beyond": _with_value(float(np.nextafter(np.float32(MAX_ABS_DELTA), np.inf)), 3),
    "out_of_range.largest_number": _with_value(float(np.finfo(np.float32).max), 3),
}

UPDATES = {f"{name}.bin": content for name, content in _SYNC.items()}
"""Name of the file -> content."""
