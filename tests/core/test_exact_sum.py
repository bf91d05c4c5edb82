"""The exact sum against whole numbers of Python, which cannot round by accident."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import MAX_TOTAL_EXAMPLES
from engine.core.exact_sum import _BLOCK, GRID, MAX_ABS_DELTA, ExactSum, peak
from engine.errors import LayoutMismatch, OutOfRange

SIZE = 4
HALF_STEPS = st.integers(-(2**14), 2**14).map(lambda k: k * GRID / 2)
VALUES = st.one_of(
    st.floats(-MAX_ABS_DELTA, MAX_ABS_DELTA, width=32),
    HALF_STEPS,
    st.sampled_from([0.0, -0.0, MAX_ABS_DELTA, -MAX_ABS_DELTA, 2.0**-149]),
)
VECTORS = st.lists(VALUES, min_size=SIZE, max_size=SIZE).map(lambda values: np.array(values, np.float32))
EXAMPLES = st.one_of(st.integers(1, 64), st.integers(1, MAX_TOTAL_EXAMPLES // 6))
UPDATES = st.lists(st.tuples(VECTORS, EXAMPLES), min_size=1, max_size=6)


def sum_of(updates):
    total = ExactSum(updates[0][0].size)
    for delta, examples in updates:
        total.add(delta, examples)
    return total


def mean_in_whole_numbers(updates):
    """What the docstring promises, one value at a time. Python's `round` is half to even."""
    examples = sum(n for _, n in updates)
    steps = [
        sum(round(Fraction(float(delta[i])) * n * 2**36) for delta, n in updates)
        for i in range(updates[0][0].size)
    ]
    return np.array([float(s) / (examples * 2.0**36) for s in steps], np.float32)


@given(UPDATES)
def test_it_is_the_sum_of_products_rounded_half_even_to_the_grid(updates):
    assert sum_of(updates).mean().tobytes() == mean_in_whole_numbers(updates).tobytes()


@given(UPDATES, st.randoms())
def test_the_order_of_updates_does_not_change_one_bit(updates, random):
    shuffled = random.sample(updates, len(updates))

    assert sum_of(updates).mean().tobytes() == sum_of(shuffled).mean().tobytes()


@given(VECTORS, EXAMPLES)
def test_small_and_large_products_are_rounded_alike(delta, examples):
    """A large value beside them sends the same small values down the path for large ones."""
    beside_large = np.append(delta, np.float32(MAX_ABS_DELTA))
    beside_small = np.append(delta, np.float32(0))

    large, small = sum_of([(beside_large, examples)]), sum_of([(beside_small, examples)])

    assert large.mean()[:SIZE].tobytes() == small.mean()[:SIZE].tobytes()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shares", [(MAX_TOTAL_EXAMPLES,), (511, 512, 513, MAX_TOTAL_EXAMPLES - 1536)])
def test_the_largest_sum_does_not_overflow(sign, shares):
    delta = np.full(3, sign * MAX_ABS_DELTA, np.float32)

    assert sum_of([(delta, n) for n in shares]).mean().tolist() == delta.tolist()


def test_examples_are_weights():
    total = sum_of([(np.array([1.0], np.float32), 1), (np.array([5.0], np.float32), 3)])

    assert (total.count, total.num_examples, total.mean().tolist()) == (2, 4, [4.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 64.00001, -64.00001, 3e38])
def test_a_refused_update_leaves_no_trace_even_if_its_last_block_is_the_bad_one(bad):
    rng = np.random.default_rng(1)
    good = rng.standard_normal(_BLOCK + 3).astype(np.float32)
    refused = np.where(rng.random(good.size) < 0.5, good, np.float32(50))
    refused[-1] = bad
    total = sum_of([(good, 7)])
    before = total.mean()

    with pytest.raises(OutOfRange):
        total.add(refused, 1000)

    assert (total.count, total.num_examples) == (1, 7)
    assert total.mean().tobytes() == before.tobytes()
    assert sum_of([(good, 7), (good, 5)]).mean().tobytes() == (total.add(good, 5), total.mean())[1].tobytes()


@pytest.mark.parametrize("examples", [0, -1, MAX_TOTAL_EXAMPLES, 2**70])
def test_examples_are_at_least_one_and_together_within_the_bound(examples):
    total = sum_of([(np.ones(2, np.float32), 1)])

    with pytest.raises(OutOfRange, match="examples"):
        total.add(np.ones(2, np.float32), examples)

    assert total.num_examples == 1


def test_an_update_of_another_size_is_refused():
    with pytest.raises(LayoutMismatch):
        ExactSum(3).add(np.zeros(4, np.float32), 1)


def test_there_is_no_mean_of_nothing():
    with pytest.raises(OutOfRange, match="no updates"):
        ExactSum(3).mean()


def test_reset_empties_it():
    total = sum_of([(np.full(2, 63, np.float32), 9)])
    total.reset()
    total.add(np.ones(2, np.float32), 2)

    assert (total.count, total.num_examples, total.mean().tolist()) == (1, 2, [1.0, 1.0])


def test_the_mean_is_written_where_asked():
    out = np.empty(2, np.float32)

    assert sum_of([(np.ones(2, np.float32), 2)]).mean(out) is out
    assert out.tolist() == [1.0, 1.0]


def test_a_model_without_values_has_an_empty_mean():
    assert sum_of([(np.empty(0, np.float32), 2)]).mean().size == 0


def test_memory_is_two_models_and_a_block_however_many_updates():
    delta = np.ones(8 * _BLOCK, np.float32)
    tracemalloc.start()
    total = ExactSum(delta.size)
    for _ in range(10):
        total.add(delta, 1)
    total.mean(out=delta)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 3 * delta.nbytes


@given(st.lists(st.floats(width=32), max_size=5))
def test_peak_is_the_largest_absolute_value_or_nan(values):
    delta = np.array(values, np.float32)
    expected = np.abs(delta).max(initial=0) if np.isfinite(delta).all() else np.nan

    np.testing.assert_equal(peak(delta), float(expected))
