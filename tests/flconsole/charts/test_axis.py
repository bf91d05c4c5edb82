"""Axes hold what they are asked to, with labels that tell the ticks apart."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.charts.axis import Unit, linear_axis, log_axis, written

NUMBERS = st.floats(-1e99, 1e99)
POSITIVE = st.floats(1e-99, 1e99)
UNITS = st.sampled_from(Unit)


@given(NUMBERS, NUMBERS, st.integers(1, 12), UNITS, st.booleans())
def test_a_linear_axis_holds_both_numbers(a, b, ticks, unit, begins_at_low):
    low, high = sorted((a, b))
    axis = linear_axis(low, high, ticks=ticks, unit=unit, begins_at_low=begins_at_low)
    room = 1e-9 * (abs(low) + abs(high))
    assert axis.low <= low + room
    assert high - room <= axis.high
    assert axis.low < axis.high


@given(NUMBERS, NUMBERS, st.integers(1, 12), UNITS)
def test_ticks_lie_on_the_axis_with_one_label_each_and_are_few(a, b, ticks, unit):
    low, high = sorted((a, b))
    axis = linear_axis(low, high, ticks=ticks, unit=unit)
    room = 1e-6 * (axis.high - axis.low)
    assert all(axis.low - room <= tick <= axis.high + room for tick in axis.ticks)
    assert len(axis.labels) == len(axis.ticks) <= ticks + 3


@given(POSITIVE, POSITIVE, st.integers(1, 12), UNITS)
def test_a_logarithmic_axis_holds_both_numbers(a, b, ticks, unit):
    low, high = sorted((a, b))
    axis = log_axis(low, high, ticks=ticks, unit=unit)
    assert axis.low <= math.log10(low) + 1e-9
    assert math.log10(high) - 1e-9 <= axis.high
    assert axis.low < axis.high
    assert len(axis.labels) == len(axis.ticks)


@pytest.mark.parametrize(
    ("low", "high", "unit", "labels"),
    [
        (0.33, 0.56, Unit.NUMBER, ("0.35", "0.40", "0.45", "0.50", "0.55")),
        (1, 57, Unit.COUNT, ("0", "20", "40", "60")),
        (0, 7.2, Unit.SECONDS, ("0", "2 s", "4 s", "6 s")),
        (0, 400, Unit.SECONDS, ("0", "2 min", "4 min", "6 min")),
        (0, 993_000, Unit.BYTES, ("0", "0.2 MB", "0.4 MB", "0.6 MB", "0.8 MB", "1.0 MB")),
    ],
)
def test_ticks_are_round_and_all_labels_have_one_form(low, high, unit, labels):
    assert linear_axis(low, high, ticks=5, unit=unit).labels == labels


def test_rounds_have_no_fractions():
    assert linear_axis(1, 3, ticks=6, unit=Unit.COUNT, begins_at_low=True).labels == ("1", "2", "3")


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.3, 2.4, ("0.5", "1", "2")), (0.003, 240.0, ("0.01", "1", "100")), (0.31, 0.39, ("0.3", "0.35"))],
)
def test_logarithmic_ticks_are_powers_of_ten_or_the_best_there_is(low, high, labels):
    assert set(labels) <= set(log_axis(low, high, ticks=3, unit=Unit.NUMBER).labels)


def test_a_curve_that_grows_a_little_leaves_the_axis_alone():
    assert linear_axis(0.1, 0.551, ticks=4, unit=Unit.NUMBER) == linear_axis(
        0.1, 0.574, ticks=4, unit=Unit.NUMBER
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5521, Unit.NUMBER, "0.5521"),
        (2.5e-7, Unit.NUMBER, "2.5e-07"),
        (12, Unit.COUNT, "12"),
        (1.3, Unit.SECONDS, "1.3 s"),
        (150.0, Unit.SECONDS, "2.5 min"),
        (993_760, Unit.BYTES, "994 kB"),
    ],
)
def test_a_number_by_itself_is_short(value, unit, text):
    assert written(value, unit) == text
