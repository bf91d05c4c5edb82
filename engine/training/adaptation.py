"""Fitting the weights of one model to another. Nothing is ever reshaped."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.weights import Weights
from engine.errors import LayoutMismatch
from engine.training.flat_model import read_weights

_log = logging.getLogger(__name__)
ReadCheckpoint = Callable[[Path], Weights]
"""Reads the model out of a checkpoint file, whose form is the server's affair."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether weights fit a model: true if they do, and what differs if they do not."""

    differences: tuple[str, ...]
    """One line for each tensor that is not the same in both."""

    def __bool__(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The outcome of `adapt_weights`."""

    weights: Weights
    report: tuple[str, ...]
    """One line for each tensor: copied, kept and why, or unused."""


def are_weights_compatible(model: Any, weights: Weights) -> Compatibility:
    """Whether `weights` are of the layout of the Keras model `model`, and why not."""
    return Compatibility(tuple(read_weights(model).layout.differences(weights.layout)))


def adapt_weights(model: Any, weights: Weights) -> Adaptation:
    """The values of the Keras model `model`, replaced by `weights` where name and shape are the same."""
    return adapt(read_weights(model), weights)


def adapt(initial: Weights, given: Weights) -> Adaptation:
    """`initial` with the tensors of `given` that match by name and shape.

    Raises:
        LayoutMismatch: not one tensor matches.
    """
    adapted = Weights(initial.layout, initial.vector.copy())
    source = {t.name: view for t, view in zip(given.layout.tensors, given.views(), strict=True)}
    report, copied = [], 0
    for tensor, target in zip(adapted.layout.tensors, adapted.views(), strict=True):
        offered = source.pop(tensor.name, None)
        if offered is None:
            report.append(f"{tensor.name}: kept as initialised, there is none of that name")
        elif offered.shape != tensor.shape:
            shapes = f"{list(offered.shape)} is not {list(tensor.shape)}"
            report.append(f"{tensor.name}: kept as initialised, {shapes}")
        else:
            target[...] = offered
            copied += 1
            report.append(f"{tensor.name}: copied")
    report += [f"{name}: unused" for name in source]
    if copied == 0:
        raise LayoutMismatch(f"no tensor matches by name and shape: {_short(report)}")
    return Adaptation(adapted, tuple(report))


def start_from(initial: Weights, given: Weights, *, source: Path, allow_adapt: bool) -> Weights:
    """The model before round 1, taken from `given`; what became of each tensor is logged.

    Args:
        initial: the seeded initial model.
        given: what was read from `source`.
        source: the file, for the error.
        allow_adapt: accept another layout and copy what matches.

    Raises:
        LayoutMismatch: the layouts differ and `allow_adapt` is false, or nothing matches.
    """
    differences = initial.layout.differences(given.layout)
    if differences and not allow_adapt:
        raise LayoutMismatch(f"{source}: {_short(differences)}; adapt = true copies what matches")
    adaptation = adapt(initial, given)
    for line in adaptation.report:
        _log.info("%s: %s", source.name, line)
    return adaptation.weights


def _short(lines: Sequence[str], most: int = 8) -> str:
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more
