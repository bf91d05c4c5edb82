"""Federated averaging.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas: Communication-Efficient Learning of Deep Networks from
Decentralized Data, AISTATS 2017, algorithm 1. With the mean weighted by examples, base + mean of the deltas
is the weighted mean of the clients' models.
"""

from engine.core.weights import Layout, Vector
from engine.strategies.base import StrategyState


class FedAvg:
    """Moves the model by the mean update, statistics and trainable tensors alike. Has no state."""

    def init(self, layout: Layout) -> StrategyState:  # noqa: ARG002 - the signature is Strategy's
        """No arrays."""
        return {}

    def apply(
        self,
        state: StrategyState,
        base: Vector,
        mean_delta: Vector,
        layout: Layout,  # noqa: ARG002 - the signature is Strategy's
    ) -> tuple[StrategyState, Vector]:
        """See `Strategy.apply`."""
        return state, base + mean_delta
