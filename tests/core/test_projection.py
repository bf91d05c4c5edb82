"""Sketches tell how alike two deltas are, within their error."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.projection import DIGITS, SIZE, cosines, sketch

SIX_SIGMA = 6 / np.sqrt(SIZE)
sizes = st.integers(SIZE * 8, SIZE * 600 + 3)
seeds = st.integers(0, 2**32 - 1)


def deltas(size, seed, count=2):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def cosine(one, other):
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


@settings(deadline=None)
@given(size=sizes, seed=seeds, alike=st.floats(-1, 1))
def test_a_cosine_is_that_of_the_deltas_within_the_error_of_the_sketches(size, seed, alike):
    one, noise = deltas(size, seed)
    other = (alike * one + np.sqrt(1 - alike**2) * noise).astype(np.float32)
    (_, told), _ = cosines([sketch(one, seed), sketch(other, seed)])

    assert told == pytest.approx(cosine(one, other), abs=SIX_SIGMA)


@settings(deadline=None)
@given(size=st.integers(1, SIZE * 600), seed=seeds, count=st.integers(0, 5))
def test_the_matrix_is_symmetric_with_ones_on_its_diagonal(size, seed, count):
    matrix = cosines([sketch(delta, seed) for delta in deltas(size, seed, count)])

    assert len(matrix) == count
    assert all(len(row) == count for row in matrix)
    for one, other in itertools.product(range(count), repeat=2):
        assert matrix[one][other] == matrix[other][one]
        assert -1 <= matrix[one][other] <= 1
    assert [matrix[one][one] for one in range(count)] == [1.0] * count


@settings(deadline=None)
@given(size=st.integers(1, SIZE * 600), seed=seeds, factor=st.sampled_from([1e-6, 0.5, 3.0, 60.0]))
def test_the_length_of_a_delta_does_not_matter_only_its_direction(size, seed, factor):
    (delta,) = deltas(size, seed, 1)
    one, scaled, opposite = (sketch(np.float32(f) * delta, seed) for f in (1.0, factor, -factor))

    (_, same, against), *_ = cosines([one, scaled, opposite])
    assert (same, against) == (1.0, -1.0)


def test_a_delta_of_zeros_is_like_nothing_not_even_itself():
    zero, one = sketch(np.zeros(1000, np.float32), 7), sketch(np.ones(1000, np.float32), 7)

    assert cosines([zero, one, zero]) == [[None] * 3, [None, 1.0, None], [None] * 3]


@pytest.mark.parametrize("width", [10, 84, 120, 256, 512, 1024])
def test_deltas_in_one_column_of_a_layer_are_told_apart_too(width):
    one, other = (np.zeros((4096, width), np.float32) for _ in range(2))
    one[:, 3], other[:, 3] = deltas(4096, 11)
    (_, told), _ = cosines([sketch(one.ravel(), 1), sketch(other.ravel(), 1)])

    assert told == pytest.approx(cosine(one.ravel(), other.ravel()), abs=SIX_SIGMA)


def test_a_sketch_follows_from_the_delta_and_the_seed_alone():
    (delta,) = deltas(100_000, 3, 1)

    np.testing.assert_array_equal(sketch(delta, 5), sketch(delta.copy(), 5))
    assert not np.array_equal(sketch(delta, 5), sketch(delta, 6))


def test_a_read_only_delta_is_left_as_it_is():
    (delta,) = deltas(1000, 3, 1)
    before = delta.copy()
    delta.flags.writeable = False
    sketch(delta, 5)

    np.testing.assert_array_equal(delta, before)


def test_a_cosine_has_no_more_digits_than_the_sketches_can_tell():
    (_, told), _ = cosines([sketch(delta, 1) for delta in deltas(1000, 1)])

    assert told == round(told, DIGITS)
