"""Whole, intact frames whose update is not welcome in the open round (see `gates`)."""

from collections.abc import Mapping

import numpy as np

from engine.core.exact_sum import MAX_ABS_DELTA
from tests.hostile_frames.honest import BASE, DELTA, OLDER_BASE, ROUND, model_frame, update_frame


def _with_value(value: float, place: int) -> bytes:
    delta = DELTA.copy()
    delta[place] = value
    return update_frame(delta)


_IN_EVERY_MODE = {
    "wrong_run.of_another_run": update_frame(run="other"),
    "wrong_run.model": model_frame(),
    "wrong_round.of_the_next_round": update_frame(round=ROUND + 1),
    "wrong_round.of_the_last_round_of_all": update_frame(round=2**53),
    "wrong_base.of_another_model": update_frame(base="ef" * 32),
    "wrong_base.of_the_round_before": update_frame(base=OLDER_BASE),
    "wrong_layout.of_another_model": update_frame(layout_digest="cd" * 32),
    "duplicate.second_of_a_client": update_frame(client="2"),
    "bad_num_examples.none": update_frame(num_examples=0),
    "bad_num_examples.more_than_its_part": update_frame(num_examples=201),
    "bad_num_examples.absurd": update_frame(num_examples=2**53),
    "round_full.more_than_the_sum_can_weigh": update_frame(num_examples=151),
    "not_finite.nan": _with_value(np.nan, 0),
    "not_finite.infinity": _with_value(np.inf, 4),
    "not_finite.minus_infinity_at_the_end": _with_value(-np.inf, -1),
    "out_of_range.one_step_beyond": _with_value(float(np.nextafter(np.float32(MAX_ABS_DELTA), np.inf)), 3),
    "out_of_range.largest_number": _with_value(float(np.finfo(np.float32).max), 3),
    "norm_too_large.one_large_value": _with_value(MAX_ABS_DELTA, 8),
    "norm_too_large.all_a_little_too_large": update_frame(np.full_like(DELTA, 3.34)),
}

_SYNC = {
    "round_closed.of_the_round_before": update_frame(round=ROUND - 1, base=OLDER_BASE),
    "wrong_round.a_further_one": update_frame(repeat=1),
    "not_in_cohort.stranger": update_frame(client="7"),
}

_BUFFERED = {
    "counted.in_the_model_already": update_frame(round=ROUND - 1, base=OLDER_BASE),
    "too_stale.one_round_too_many": update_frame(round=ROUND - 2, base="cd" * 32),
    "too_stale.round_zero": update_frame(round=0),
    "not_a_member.stranger": update_frame(client="7"),
    "wrong_base.stale_and_from_the_newest": update_frame(round=ROUND - 1, repeat=1, base=BASE),
}


def _files(updates: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.bin": content for name, content in {**_IN_EVERY_MODE, **updates}.items()}


SYNC = _files(_SYNC)
"""Name of the file -> content."""
BUFFERED = _files(_BUFFERED)
"""Name of the file -> content."""
