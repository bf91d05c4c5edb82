"""How long a client waits from one training to the next."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.client.pace import DRIFT, Pace
from engine.config import RunConfig

NOW = 1000.0
seconds = st.floats(0.001, 1e4)


def pace(mode="timed", **keys):
    return Pace(RunConfig(mode=mode, trainer="null", **keys))


def trained(one, *durations, interval_s=None):
    """After so many trainings in rounds that may close every `interval_s`."""
    for duration in durations:
        one.note_opened(interval_s)
        one.note_end(duration)
    return one.interval_s


def test_the_first_training_is_due_at_once():
    assert pace().is_due(NOW)


def test_the_next_is_due_one_interval_after_the_start_of_the_last():
    one = pace(training_interval_seconds=5)
    one.note_start(NOW)
    one.note_end(2.0)

    assert not one.is_due(NOW + 4.9)
    assert one.is_due(NOW + 5)


def test_a_start_that_is_a_little_late_does_not_move_the_next():
    one = pace()
    trained(one, 1.0, interval_s=10.0)
    one.note_start(NOW)
    one.note_start(NOW + 10.5)

    assert not one.is_due(NOW + 19.9)
    assert one.is_due(NOW + 20)


def test_a_start_that_is_very_late_begins_another_beat():
    one = pace()
    trained(one, 1.0, interval_s=10.0)
    one.note_start(NOW)
    one.note_start(NOW + 14)

    assert not one.is_due(NOW + 23.9)
    assert one.is_due(NOW + 24)


def test_the_configured_interval_is_kept_however_late_a_start_was():
    one = pace(training_interval_seconds=10)
    one.note_start(NOW)
    one.note_start(NOW + 10.5)

    assert not one.is_due(NOW + 20.4)
    assert one.is_due(NOW + 20.5)


def test_in_timed_a_quick_client_waits_for_the_aggregation():
    assert trained(pace(), 1.0, interval_s=10.0) == 10.0


def test_in_timed_a_slow_client_waits_for_nothing_but_itself():
    assert trained(pace(), 25.0, interval_s=10.0) == 25.0


def test_in_timed_a_changed_interval_is_drifted_towards():
    one = pace()
    trained(one, 1.0, interval_s=10.0)

    assert trained(one, 1.0, interval_s=20.0) == pytest.approx(10 + DRIFT * 10)
    assert trained(one, *[1.0] * 30, interval_s=20.0) == pytest.approx(20, rel=1e-3)


def test_in_timed_a_pause_between_rounds_does_not_slow_it_down():
    one = pace()
    trained(one, 1.0, interval_s=10.0)
    one.note_start(NOW)

    assert trained(one, 1.0, interval_s=10.0) == 10.0
    assert one.is_due(NOW + 600)


@pytest.mark.parametrize("interval_s", [None, 30.0])
def test_in_buffered_it_never_waits(interval_s):
    one = pace("buffered")
    one.note_start(NOW)
    trained(one, 7.0, interval_s=interval_s)

    assert one.interval_s == 0
    assert one.is_due(NOW)


@given(
    mode=st.sampled_from(["timed", "buffered"]),
    least=st.floats(0, 1e4),
    interval=seconds,
    durations=st.lists(seconds, min_size=1, max_size=40),
)
def test_it_waits_no_less_than_configured_and_no_longer_than_any_of_its_reasons(
    mode, least, interval, durations
):
    waited = trained(pace(mode, training_interval_seconds=least), *durations, interval_s=interval)

    assert math.isfinite(waited)
    assert least <= waited <= max(least, interval, *durations) * (1 + 1e-9)
    if mode == "timed":
        assert waited >= max(least, interval) * (1 - 1e-9)
    else:
        assert waited == least
