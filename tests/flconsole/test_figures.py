"""Numbers for people, as short as their place needs them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.figures import byte_size, clock, number, seconds, short_bytes, short_seconds


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123, "0.12 s"), (42.4, "42 s"), (59.9, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_times_are_for_people(value, shown):
    assert seconds(value) == shown


def test_what_nobody_knows_is_a_dash():
    assert (number(None), number(0.5)) == ("-", "0.5000")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-3, "0:00"),
        (7.9, "0:07"),
        (754, "12:34"),
        (3723, "1:02:03"),
        (90_000, "25:00:00"),
        (863_999, "239:59:59"),
        (864_000, "10 days"),
        (2.5e21, "over 10000 days"),
    ],
)
def test_a_clock_goes_by(value, shown):
    assert clock(value) == shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"), (999, "999"), (999.6, "1.00k"), (1_240, "1.24k"), (24_800, "24.8k"), (999_499, "999k"),
        (999_500, "1.00M"), (424_255_488, "424M"), (12.5e9, "12.5G"), (3e12, "3.00T"),
    ],
)  # fmt: skip
def test_bytes_have_three_digits_and_a_letter(value, expected):
    assert short_bytes(value) == expected


@given(st.integers(0, 10**24))
def test_bytes_fit_their_column(value):
    assert len(short_bytes(value)) <= 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_399, "23h"), (86_400, "1d")],
)
def test_ages_have_one_unit(value, expected):
    assert short_seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (12_300, "12 kB"),
        (1_230_000, "1.2 MB"),
        (150e6, "150 MB"),
        (3.4e9, "3.4 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_bytes_in_a_sentence_have_their_unit(value, shown):
    assert byte_size(value) == shown
