"""What an operator reads of a log: filtered, searched, wrapped, and still while she reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from flconsole.logs.filter import FilteredLog, LogFilter, Rows, find, search_pattern
from flconsole.logs.lines import Level, Line
from flconsole.logs.store import MERGED, Fresh, Ring
from flconsole.patterns import BadPattern


class Lines:
    """A store with one log, written to without a file: line n is of second n."""

    processes = ("x",)

    def __init__(self, most=1000):
        self.ring = Ring(most, max_bytes=1_000_000)

    def write(self, *texts, level=Level.INFO):
        first = self.ring.end
        self.ring.extend([Line("x", float(first + at), level, text) for at, text in enumerate(texts)])

    def since(self, _process, number):
        return Fresh(self.ring.begin, max(number, self.ring.begin), self.ring.since(number))

    def older(self, _process, lines):
        return f"{lines} older" if lines else ""


def texts(log):
    return [line.text for line in log.lines]


def matching(pattern, level=Level.DEBUG):
    return LogFilter(level, search_pattern(pattern))


def test_lines_that_pass_are_there_once_they_are_taken():
    store = Lines()
    log = FilteredLog(store, MERGED, matching("round"))
    store.write("round 1", "other", "round 2")

    assert log.collect()
    assert (texts(log), log.new) == ([], 2)
    log.take()
    assert (texts(log), log.new) == (["round 1", "round 2"], 0)


def test_what_does_not_pass_is_nothing_new():
    store = Lines()
    log = FilteredLog(store, MERGED, matching("round"))
    store.write("other")

    assert not log.collect()


def test_the_least_level_passes():
    store = Lines()
    log = FilteredLog(store, MERGED, LogFilter(Level.WARNING))
    for level in Level:
        store.write(level.name, level=level)
    log.collect()
    log.take()

    assert texts(log) == ["WARNING", "ERROR", "CRITICAL"]


def test_lines_that_fell_out_of_the_store_go_when_others_are_taken():
    store = Lines(most=3)
    log = FilteredLog(store, MERGED)
    store.write("a", "b", "c")
    log.collect()
    log.take()
    store.write("d", "e")
    log.collect()
    assert texts(log) == ["a", "b", "c"]

    assert log.take() == (2, 2)
    assert texts(log) == ["c", "d", "e"]
    assert log.older == "2 older"


def test_lines_that_came_and_went_while_nobody_took_them_are_counted_as_new():
    store = Lines(most=3)
    log = FilteredLog(store, MERGED)
    for _ in range(5):
        store.write("a", "b")
        log.collect()

    assert log.new == 10
    log.take()
    assert texts(log) == ["b", "a", "b"]


@given(
    batches=st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.booleans()), max_size=40),
    most=st.integers(1, 10),
)
def test_a_log_that_is_filtered_bit_by_bit_is_the_log_filtered_at_once(batches, most):
    store, number = Lines(most), 0
    log = FilteredLog(store, MERGED, matching("[02468]$"))
    rows = Rows(3)
    for size, collects, takes in batches:
        store.write(*(str(number + at) for at in range(size)))
        number += size
        if collects:
            log.collect()
        if takes:
            dropped, added = log.take()
            rows.drop(dropped)
            rows.extend(log.lines[len(log.lines) - added :])
    log.collect()
    dropped, added = log.take()
    rows.drop(dropped)
    rows.extend(log.lines[len(log.lines) - added :])

    at_once = FilteredLog(store, MERGED, matching("[02468]$"))
    at_once.collect()
    at_once.take()
    assert texts(log) == texts(at_once)
    fresh = Rows(3)
    fresh.extend(log.lines)
    assert [rows.before(at) for at in range(len(log.lines) + 1)] == [
        fresh.before(at) for at in range(len(log.lines) + 1)
    ]


def test_a_log_has_an_end_at_each_moment():
    store = Lines()
    log = FilteredLog(store, MERGED)
    store.write("a", "b", "c")
    log.collect()
    log.take()

    assert [log.end_at(ts) for ts in (-1.0, 0.0, 1.5, 99.0)] == [0, 1, 2, 3]


def test_a_line_is_found_again_and_else_what_came_after_it():
    store = Lines()
    everything, some = FilteredLog(store, MERGED), FilteredLog(store, MERGED, matching("[ac]"))
    store.write("a", "b", "c")
    for log in (everything, some):
        log.collect()
        log.take()

    assert some.index_of(everything.lines[2]) == 1
    assert some.index_of(everything.lines[1]) == 1


LOG = [
    Line("x", float(at), Level.INFO, text) for at, text in enumerate(["loss 3", "-", "Loss 2", "-", "end"])
]


@pytest.mark.parametrize(
    ("start", "forward", "index", "number", "has_wrapped"),
    [
        (0, True, 0, 1, False),
        (1, True, 2, 2, False),
        (3, True, 0, 1, True),
        (4, False, 2, 2, False),
        (1, False, 0, 1, False),
        (-1, False, 2, 2, True),
    ],
)
def test_a_search_goes_on_at_the_other_end(start, forward, index, number, has_wrapped):
    found = find(LOG, search_pattern("loss"), start, forward=forward)

    assert (found.index, found.number, found.count) == (index, number, 2)
    assert found.has_wrapped is has_wrapped


def test_what_is_nowhere_is_not_found():
    assert find(LOG, search_pattern("nowhere"), 0, forward=True) is None


def test_small_letters_match_both_cases_and_large_ones_their_own():
    assert search_pattern("loss").search("Loss")
    assert not search_pattern("Loss").search("loss")


@pytest.mark.parametrize("text", ["(", "[", "*", "(?P<a", "a{99999999999}", "[[a]"])
def test_what_is_no_regular_expression_says_why(text):
    with pytest.raises(BadPattern, match=r"bad regex: ."):
        search_pattern(text)


def test_no_text_is_no_pattern():
    assert search_pattern("") is None


def pieces(lines, width):
    rows = Rows(width)
    rows.extend(lines)
    for row in range(rows.before(len(lines))):
        index, number = rows.at(row)
        yield index, lines[index].short_text[rows.part(lines[index].short_text, number)]


@given(
    lines=st.lists(st.text(st.sampled_from("abc 日本é😀"), max_size=30), max_size=20),
    width=st.integers(2, 12),
)
def test_wrapped_rows_have_every_character_once_and_fit(lines, width):
    log = [Line("x", 0.0, Level.INFO, text) for text in lines]
    shown = list(pieces(log, width))

    assert all(cell_len(text) <= width for _index, text in shown)
    joined = ["".join(text for at, text in shown if at == index) for index in range(len(lines))]
    assert joined == lines


def test_without_wrapping_each_line_has_one_row():
    assert [index for index, _text in pieces(LOG, None)] == [0, 1, 2, 3, 4]
