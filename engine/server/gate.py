"""Decides whether an update may enter the round. Everything a client says is checked here, once."""

import math
from collections.abc import Mapping

import numpy as np

from engine.config import MAX_TOTAL_EXAMPLES, RunConfig
from engine.core.exact_sum import MAX_ABS_DELTA, peak
from engine.core.update import ClientUpdate
from engine.core.weights import Layout
from engine.errors import UpdateRejected
from engine.protocol.serialization import Frame, FrameMetadata
from engine.server.counted import CountedUpdates
from engine.server.history import History
from engine.server.round import Round
from engine.telemetry import UpdateId


class Gate:
    """The checks of one run.

    Args:
        config: the run's id, its mode, and how stale and how large an update may be.
        layout: the layout of the global model.
        examples_by_part: size of each part of the data; empty where it is not known.
        counted: the updates that are in the model already.
        history: of the run: the models that rounds started from, and what has entered the open round.
    """

    def __init__(
        self,
        config: RunConfig,
        layout: Layout,
        examples_by_part: Mapping[int, int],
        *,
        counted: CountedUpdates,
        history: History,
    ) -> None:
        self._config, self._layout, self._examples_by_part = config, layout, examples_by_part
        self._counted, self._history = counted, history

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
        if about.kind != "update" or about.run != self._config.run_id:
            raise UpdateRejected(
                "wrong_run", f"{about.kind} of run {about.run!r}; this is {self._config.run_id!r}"
            )
        if self._config.mode == "sync":
            _check_round(about, current)
        else:
            self._check_origin(about, current, part)
        if about.layout_digest != self._layout.digest:
            raise UpdateRejected("wrong_layout", "the delta of another model")
        self._check_examples(about, current, part)
        update = frame.update(self._layout)
        self._check_values(update)
        return update

    def _check_origin(self, about: FrameMetadata, current: Round, part: int | None) -> None:
        """In `timed` and `buffered`: from any recent model, each update once."""
        staleness = current.number - about.round
        update = UpdateId(about.client, about.round, about.repeat)
        if update in self._counted:
            raise UpdateRejected("counted", f"client {about.client} has sent it before; it is in the model")
        if update in current.contributions:
            raise UpdateRejected("duplicate", f"client {about.client} has sent it before")
        # What was held before a server died stays in the round, though its client has left meanwhile.
        if part is None and update not in self._history.accepted:
            raise UpdateRejected("not_a_member", f"client {about.client} is not in the federation")
        if staleness < 0:
            raise UpdateRejected("wrong_round", f"round {about.round} has not been opened")
        if staleness > self._config.max_staleness:
            raise UpdateRejected(
                "too_stale", f"{staleness} rounds behind; the most is {self._config.max_staleness}"
            )
        _check_base(about, self._history.bases.get(about.round, ""))

    def _check_examples(self, about: FrameMetadata, current: Round, part: int | None) -> None:
        most = MAX_TOTAL_EXAMPLES if part is None else self._examples_by_part.get(part, MAX_TOTAL_EXAMPLES)
        if not 1 <= about.num_examples <= most:
            raise UpdateRejected("bad_num_examples", f"{about.num_examples} examples; its part has {most}")
        if current.num_examples + about.num_examples > MAX_TOTAL_EXAMPLES:
            raise UpdateRejected("round_full", f"more than {MAX_TOTAL_EXAMPLES} examples in one round")

    def _check_values(self, update: ClientUpdate) -> None:
        largest = peak(update.delta)
        if not math.isfinite(largest):
            raise UpdateRejected("not_finite", "NaN or infinity in the delta")
        if largest > MAX_ABS_DELTA:
            raise UpdateRejected("out_of_range", f"|delta| up to {largest:g}; the most is {MAX_ABS_DELTA:g}")
        cap = self._config.max_update_norm
        if cap is not None and (norm := float(np.linalg.norm(update.delta))) > cap:
            raise UpdateRejected("norm_too_large", f"a norm of {norm:g}; the most is {cap:g}")


def _check_round(about: FrameMetadata, current: Round) -> None:
    """In `sync`: for the open round, from its base, once from each client of its cohort."""
    if about.round == current.number and UpdateId(about.client, about.round) in current.contributions:
        raise UpdateRejected("duplicate", f"client {about.client} is already in round {current.number}")
    if about.round < current.number or (about.round == current.number and current.is_full):
        raise UpdateRejected("round_closed", f"round {about.round} is over")
    if about.round > current.number:
        raise UpdateRejected("wrong_round", f"round {about.round} has not been opened")
    if about.client not in current.cohort:
        raise UpdateRejected("not_in_cohort", f"client {about.client} is not in round {current.number}")
    if about.repeat:
        raise UpdateRejected("wrong_round", "one update for each round; this is a further one")
    _check_base(about, current.base_digest)


def _check_base(about: FrameMetadata, expected: str) -> None:
    if about.base != expected:
        raise UpdateRejected("wrong_base", f"trained from {about.base[:12]}, not {expected[:12]}")
