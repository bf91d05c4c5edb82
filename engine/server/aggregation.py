"""From the updates of a round to the next model: an exact sum, its mean, and the strategy's step."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.config import Mode
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
        mode: with `buffered`, what is stale weighs less.
        strategy: makes the step.
        size: values in the model.
        clock: monotonic seconds.
    """

    def __init__(self, mode: Mode, strategy: Strategy, size: int, clock: Callable[[], float]) -> None:
        self._is_buffered, self._strategy, self._clock = mode == "buffered", strategy, clock
        self._sum, self._added = ExactSum(size), set[UpdateId]()

    def scale(self, update: ClientUpdate, round_number: int) -> float:
        """What an update's delta is multiplied by in the sum of this round."""
        return staleness_scale(round_number - update.round) if self._is_buffered else 1.0

    def add_up(self, updates: Iterable[ClientUpdate], round_number: int) -> None:
        """Adds all of them up, one by one, and nothing that was added before.

        Raises:
            OutOfRange: a delta that the exact sum cannot hold.
        """
        self._sum.reset()
        self._added.clear()
        for update in updates:
            self._sum.add(update.delta, update.num_examples, self.scale(update, round_number))
            self._added.add(update.id)

    def step(self, base: Weights, state: StrategyState) -> Step:
        """The strategy's step from `base` along the mean of what was added, weighted by examples.

        Raises:
            OutOfRange: nothing was.
        """
        started = self._clock()
        state, vector = self._strategy.apply(state, base.vector, self._sum.mean(), base.layout)
        seconds = self._clock() - started
        return Step(Weights(base.layout, vector), state, frozenset(self._added), seconds)
