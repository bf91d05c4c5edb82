"""Decides whether an update may enter the round. Everything a client says is checked here, once."""

import math
from collections.abc import Mapping

from engine.config import MAX_TOTAL_EXAMPLES
from engine.core.exact_sum import MAX_ABS_DELTA, peak
from engine.core.update import ClientUpdate
from engine.core.weights import Layout
from engine.errors import UpdateRejected
from engine.protocol.serialization import Frame, FrameMetadata
from engine.server.round import Round


class Gate:
    """The checks of one run.

    Args:
        run: the run's id.
        layout: the layout of the global model.
        examples_by_part: size of each part of the data; empty where it is not known.
    """

    def __init__(self, run: str, layout: Layout, examples_by_part: Mapping[int, int]) -> None:
        self._run, self._layout, self._examples_by_part = run, layout, examples_by_part

    def judge(self, frame: Frame, current: Round, part: int | None) -> ClientUpdate:
        """Checks a verified frame against the open round.

        Args:
            frame: an update whose digest has been verified.
            current: the open round.
            part: the part of the data that its client works on; None for a client without one.

        Raises:
            UpdateRejected: names the reason.
            FrameError: the payload does not decode to the layout's size.
        """
        about = frame.metadata
        self._check_origin(about, current)
        most = MAX_TOTAL_EXAMPLES if part is None else self._examples_by_part.get(part, MAX_TOTAL_EXAMPLES)
        if not 1 <= about.num_examples <= most:
            raise UpdateRejected("bad_num_examples", f"{about.num_examples} examples; its part has {most}")
        if current.num_examples + about.num_examples > MAX_TOTAL_EXAMPLES:
            raise UpdateRejected("out_of_range", f"more than {MAX_TOTAL_EXAMPLES} examples in one round")
        update = frame.update(self._layout)
        largest = peak(update.delta)
        if not math.isfinite(largest):
            raise UpdateRejected("not_finite", "NaN or infinity in the delta")
        if largest > MAX_ABS_DELTA:
            raise UpdateRejected("out_of_range", f"|delta| up to {largest:g}; the most is {MAX_ABS_DELTA:g}")
        return update

    def _check_origin(self, about: FrameMetadata, current: Round) -> None:
        if about.kind != "update" or about.run != self._run:
            raise UpdateRejected("wrong_run", f"{about.kind} of run {about.run!r}; this is {self._run!r}")
        if about.round == current.number and about.client in current.contributions:
            raise UpdateRejected("duplicate", f"client {about.client} is already in round {current.number}")
        if about.round < current.number or (about.round == current.number and current.is_closed):
            raise UpdateRejected("round_closed", f"round {about.round} is over")
        if about.round > current.number:
            raise UpdateRejected("wrong_round", f"round {about.round} has not been opened")
        if about.client not in current.cohort:
            raise UpdateRejected("not_in_cohort", f"client {about.client} is not in round {current.number}")
        if about.base != current.base_digest:
            raise UpdateRejected(
                "wrong_base", f"trained from {about.base[:12]}, not {current.base_digest[:12]}"
            )
        if about.layout_digest != self._layout.digest:
            raise UpdateRejected("wrong_layout", "the delta of another model")
