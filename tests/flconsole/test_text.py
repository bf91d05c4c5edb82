"""Text from elsewhere reaches no terminal raw; tables line up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.text import coloured, listed, natural, table, visible


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]52;c;ZXZpbA==\x07", r"\x1b]52;c;ZXZpbA==\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("over\rwritten", r"over\rwritten"),
        ("back\x08space", r"back\x08space"),
        ("\u202eesrever", r"\u202eesrever"),
        ("tab\tand\nnewline, ärger, 日本", "tab\tand\nnewline, ärger, 日本"),
    ],
)
def test_controls_become_visible(raw, shown):
    assert visible(raw) == shown


@pytest.mark.parametrize(
    ("level", "painted"),
    [
        ("INFO   ", "2026-11-24 09:31:22,832 INFO    server: hello"),
        ("WARNING", "\x1b[33m2026-11-24 09:31:22,832 WARNING server: hello\x1b[0m"),
        ("ERROR  ", "\x1b[31m2026-11-24 09:31:22,832 ERROR   server: hello\x1b[0m"),
    ],
)
def test_a_line_is_painted_by_its_level(level, painted):
    assert coloured(f"2026-11-24 09:31:22,832 {level} server: hello") == painted


def test_a_process_has_one_colour_and_its_line_cannot_change_it():
    first, second = (coloured(line, process="client-1") for line in ("\x1b[31mred", "plain"))

    assert first.partition(" | ")[0] == second.partition(" | ")[0]
    assert first.endswith(r" | \x1b[31mred")


@given(text=st.text())
def test_nothing_a_terminal_obeys_is_left(text):
    shown = visible(text)

    assert all(c in "\t\n" or (ord(c) >= 0x20 and not 0x7F <= ord(c) <= 0x9F) for c in shown)
    assert visible(shown) == shown


@given(numbers=st.lists(st.integers(0, 10**6), unique=True))
def test_names_sort_by_their_numbers(numbers):
    names = [f"gpu-{number}" for number in numbers]

    assert sorted(names, key=natural) == [f"gpu-{number}" for number in sorted(numbers)]


@given(one=st.text(), other=st.text())
def test_the_natural_order_tells_different_names_apart(one, other):
    assert (natural(one) == natural(other)) == (one == other)


def test_columns_line_up_and_cells_are_visible():
    assert table(("a", "b"), [("1", "\x1b"), ("222", "3")]) == ["a    b", "1    \\x1b", "222  3"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["2"], "2"),
        (["2", "5", "7"], "2, 5, 7"),
        ([str(n) for n in range(1, 101)], "1, 2, 3, 4, 5, 6, 7, 8 and 92 more"),
        (["\x1b[2J"], r"\x1b[2J"),
    ],
)
def test_of_many_names_the_first_are_told(names, shown):
    assert listed(names) == shown
