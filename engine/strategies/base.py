"""A strategy is two pure functions over a state that can be written to a checkpoint and read back."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from engine.core.weights import Layout, Vector

StrategyState = Mapping[str, NDArray[Any]]
"""Named arrays, never changed in place."""


class Strategy(Protocol):
    """The server's step from one global model to the next."""

    def init(self, layout: Layout) -> StrategyState:
        """State before the first round."""
        ...

    def apply(
        self, state: StrategyState, base: Vector, mean_delta: Vector, layout: Layout
    ) -> tuple[StrategyState, Vector]:
        """The next state and the next global model.

        Args:
            state: what the round before returned.
            base: the current global model, of `layout.size` values.
            mean_delta: mean of the updates, weighted by examples, of the same size.
            layout: tells trainable tensors from statistics.
        """
        ...
