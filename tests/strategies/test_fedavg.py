"""Federated averaging moves the model by the mean update."""

import numpy as np
import pytest

from engine.config import STRATEGIES
from engine.core.exact_sum import ExactSum
from engine.core.weights import Layout, Tensor
from engine.errors import ConfigError
from engine.strategies import open_strategy

LAYOUT = Layout((Tensor("w", (3,)),))


def test_it_adds_the_mean_update_in_float32_and_leaves_the_base_alone():
    base = np.array([1, 2, 3], np.float32)
    fedavg = open_strategy("fedavg")

    state, model = fedavg.apply(fedavg.init(LAYOUT), base, np.array([0.5, -2, 0], np.float32), LAYOUT)

    assert (model.tolist(), model.dtype) == ([1.5, 0, 3], np.float32)
    assert base.tolist() == [1, 2, 3]
    assert dict(state) == {}


def test_one_full_batch_step_on_parts_is_the_step_on_the_whole():
    """Least squares: clients of unequal size, one gradient step each, weighted by their examples."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
    base = np.zeros(3, np.float32)
    total = ExactSum(3)

    def delta(rows):
        return (0.1 * x[rows].T @ (y[rows] - x[rows] @ base) / len(y[rows])).astype(np.float32)

    for part in (slice(0, 2), slice(2, 5), slice(5, 12)):
        total.add(delta(part), part.stop - part.start)
    fedavg = open_strategy("fedavg")
    _, model = fedavg.apply({}, base, total.mean(), LAYOUT)

    np.testing.assert_allclose(model, base + delta(slice(0, 12)), rtol=1e-6)


def test_every_configured_strategy_opens_and_no_other():
    assert all(open_strategy(name) for name in STRATEGIES)
    with pytest.raises(ConfigError, match="fedavg"):
        open_strategy("fedadam")
