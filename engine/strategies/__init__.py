"""What the server makes of the mean update: one file per paper."""

from collections.abc import Callable, Mapping

from engine.errors import ConfigError
from engine.strategies.base import Strategy, StrategyState
from engine.strategies.fedavg import FedAvg

__all__ = ["Strategy", "StrategyState", "open_strategy"]

_STRATEGIES: Mapping[str, Callable[[], Strategy]] = {"fedavg": FedAvg}


def open_strategy(name: str) -> Strategy:
    """Finds a strategy by its name in the configuration.

    Raises:
        ConfigError: no such strategy; names those there are.
    """
    if name not in _STRATEGIES:
        raise ConfigError(f"strategy = {name!r} is not one of {', '.join(_STRATEGIES)}")
    return _STRATEGIES[name]()
