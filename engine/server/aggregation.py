"""From the updates of a round to the next model: an exact sum, its mean, and the strategy's step."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.core.exact_sum import ExactSum
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.strategies.base import Strategy, StrategyState
from engine.strategies.fedbuff import staleness_scale
from engine.telemetry import UpdateId


class Step(NamedTuple):
    """A model that has been aggregated, and is not the current one yet."""

    weights: Weights
    strategy_state: StrategyState
    updates: frozenset[UpdateId]
    """What it was made of."""
    seconds: float
    """From the last update to the model."""


class Aggregator:
    """Holds one sum, however many updates there are; their order changes nothing.

    Args:
        strategy: makes the step.
        size: values in the model.
        clock: monotonic seconds.
    """

    def __init__(self, strategy: Strategy, size: int, clock: Callable[[], float]) -> None:
        self._strategy, self._clock = strategy, clock
        self._sum, self._added = ExactSum(size), set[UpdateId]()

    def add_up(self, updates: Iterable[ClientUpdate], scale: Callable[[ClientUpdate], float]) -> None:
        """Adds all of them, and nothing that was added before.

        Args:
            updates: taken one by one.
            scale: what a delta is multiplied by.

        Raises:
            OutOfRange: a delta that the exact sum cannot hold.
        """
        self._sum.reset()
        self._added.clear()
        for update in updates:
            self._sum.add(update.delta, update.num_examples, scale(update))
            self._added.add(update.id)

    def step(self, base: Weights, state: StrategyState) -> Step:
        """The strategy's step from `base` along the mean of what was added, weighted by examples.

        Raises:
            OutOfRange: nothing was.
        """
        started = self._clock()
        state, vector = self._strategy.apply(state, base.vector, self._sum.mean(), base.layout)
        return Step(Weights(base.layout, vector), state, frozenset(self._added), self._clock() - started)


def scale_of(update: ClientUpdate, round_number: int, mode: str) -> float:
    """What an update's delta is multiplied by in the sum of a round: with `buffered`, for its staleness."""
    return staleness_scale(round_number - update.round) if mode == "buffered" else 1.0
