"""Series stay short without losing what an operator looks for."""

from hypothesis import given
from hypothesis import strategies as st

from flconsole.charts.series import BUCKETS, Buckets, Smoother, drawable, extremes, thin

VALUES = st.one_of(st.none(), st.floats(-1e50, 1e50))
SERIES = st.lists(VALUES, max_size=400).map(lambda ys: [(float(x), y) for x, y in enumerate(ys)])


def values(points):
    return [y for _, y in points if y is not None]


class TestThinning:
    @given(SERIES, st.integers(1, 60))
    def test_lowest_and_highest_stay(self, points, buckets):
        thinned = values(thin(points, buckets))
        if values(points):
            assert (min(thinned), max(thinned)) == (min(values(points)), max(values(points)))
        else:
            assert not thinned

    @given(SERIES, st.integers(1, 60))
    def test_points_are_some_of_those_given_in_their_order(self, points, buckets):
        remaining = iter(points)
        assert all(point in remaining for point in thin(points, buckets))

    @given(SERIES, st.integers(1, 60))
    def test_no_more_than_two_points_for_each_bucket(self, points, buckets):
        assert len(thin(points, buckets)) <= 2 * buckets

    def test_a_spike_among_a_thousand_is_still_there(self):
        points = [(float(x), 99.0 if x == 517 else 1.0) for x in range(1000)]
        assert (517.0, 99.0) in thin(points, 20)

    def test_a_stretch_without_values_is_a_gap(self):
        points = [(float(x), None if 300 <= x < 600 else 1.0) for x in range(900)]
        assert any(y is None and 300 <= x < 600 for x, y in thin(points, 30))


class TestBuckets:
    @given(SERIES)
    def test_a_short_history_is_kept_as_it_is(self, points):
        buckets = Buckets(lambda older, newer: extremes(older + newer))
        for point in points:
            buckets.add((point,))
        assert [item[0] for item in buckets.items] == points

    def test_a_long_history_keeps_its_extremes_in_few_items(self):
        buckets = Buckets(lambda older, newer: extremes(older + newer))
        for x in range(20_000):
            buckets.add(((float(x), {7000: -5.0, 15_001: 50.0}.get(x, 1.0)),))
        points = [point for item in buckets.items for point in item]
        assert len(buckets.items) <= BUCKETS
        assert {(7000.0, -5.0), (15_001.0, 50.0)} <= set(points)
        assert points == sorted(points)

    @given(st.integers(1, 3 * BUCKETS))
    def test_nothing_is_counted_twice_or_lost(self, number):
        buckets = Buckets(lambda older, newer: older + newer)
        for _ in range(number):
            buckets.add(1)
        assert sum(buckets.items) == number
        assert all(item == buckets.stride for item in buckets.items[:-1])


class TestSmoothing:
    @given(st.floats(-1e6, 1e6), st.floats(0.01, 0.99), st.integers(1, 20))
    def test_what_does_not_change_is_not_changed(self, value, strength, number):
        smooth = Smoother(strength)
        smoothed = [smooth(value) for _ in range(number)]
        assert all(abs(each - value) <= 1e-9 * max(1.0, abs(value)) for each in smoothed)

    @given(st.lists(VALUES))
    def test_strength_zero_changes_nothing(self, series):
        smooth = Smoother(0.0)
        assert [smooth(value) for value in series] == series

    def test_a_missing_value_stays_missing(self):
        smooth = Smoother(0.5)
        assert [smooth(value) for value in (1.0, None, 1.0)] == [1.0, None, 1.0]

    def test_a_step_is_followed_slowly(self):
        smooth = Smoother(0.9)
        for _ in range(100):
            smooth(0.0)
        assert 0.09 < smooth(1.0) < 0.11


@given(st.one_of(st.none(), st.floats()))
def test_only_what_can_stand_on_an_axis_is_drawable(value):
    shown = drawable(value)
    assert shown is None or (abs(shown) < 1e100 and shown in (0.0, value))


def test_a_value_too_small_for_arithmetic_is_zero():
    assert (drawable(5e-324), drawable(-1e-300), drawable(1e-80)) == (0.0, 0.0, 1e-80)
