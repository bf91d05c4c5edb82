"""Files are followed by whole lines, each once, whatever happens to the file."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.feed import LineFollower, RunFeed, decode


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lines"


def append(path, content):
    with path.open("ab") as file:
        file.write(content)


def test_a_file_that_is_not_there_yet_has_no_lines(path):
    with LineFollower(path) as follower:
        assert follower.read() == []
        append(path, b"one\n")
        assert follower.read() == [b"one"]


def test_a_line_without_its_newline_is_not_there_yet(path):
    with LineFollower(path) as follower:
        append(path, b"one\ntw")
        assert follower.read() == [b"one"]
        append(path, b"o\n\n")
        assert follower.read() == [b"two", b""]
        assert follower.read() == []


def test_a_torn_line_that_was_cut_is_never_seen(path):
    with LineFollower(path) as follower:
        append(path, b"one\ntorn and long")
        assert follower.read() == [b"one"]
        os.truncate(path, len(b"one\n"))
        append(path, b"two\n")
        assert follower.read() == [b"two"]


def test_a_file_that_shrank_is_read_again(path):
    with LineFollower(path) as follower:
        append(path, b"one\ntwo\n")
        follower.read()
        path.write_bytes(b"new\n")
        assert follower.read() == [b"new"]


def test_a_rotated_file_is_read_to_its_end_before_its_successor(path):
    with LineFollower(path) as follower:
        append(path, b"one\n")
        follower.read()
        append(path, b"two\n")
        path.rename(path.with_suffix(".1"))
        append(path, b"three\n")
        assert follower.read() == [b"two", b"three"]


def test_a_file_that_was_moved_away_is_still_read(path):
    with LineFollower(path) as follower:
        append(path, b"one\n")
        follower.read()
        path.rename(path.with_suffix(".1"))
        append(path.with_suffix(".1"), b"two\n")
        assert follower.read() == [b"two"]


def test_only_new_bytes_are_read(path, monkeypatch):
    with LineFollower(path) as follower:
        append(path, b"x" * 1000 + b"\n")
        follower.read()
        append(path, b"y\n")
        before = follower._file.tell()
        follower.read()
        assert follower._file.tell() - before == 2


@given(content=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)))
def test_however_it_is_written_each_line_comes_once(tmp_path_factory, content, cuts):
    path = tmp_path_factory.mktemp("follow") / "lines"
    lines = []
    with LineFollower(path) as follower:
        bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
        for start, end in itertools.pairwise(bounds):
            append(path, content[start:end])
            lines += follower.read()

    assert lines == content.split(b"\n")[:-1]


def test_a_run_is_read_in_the_order_of_its_times(run_dir):
    with RunFeed(run_dir) as feed:
        records = feed.read()
        times = [record.envelope.ts for record in records]
        assert times == sorted(times)
        assert {record.envelope.origin for record in records[:2]} == {"server", "supervisor"}
        assert feed.read() == []


def test_the_lines_are_unchanged(run_dir):
    with RunFeed(run_dir, samples=False) as feed:
        lines = {record.line for record in feed.read()}

    recorded = (run_dir / "events.jsonl").read_bytes() + (run_dir / "processes.jsonl").read_bytes()
    assert lines == set(recorded.splitlines())


def test_a_clock_that_steps_back_does_not_change_the_order_within_a_file(run_dir):
    events = run_dir / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:3]) + lines[3].replace(b'"ts":17', b'"ts":16') + b"".join(lines[4:]))

    with RunFeed(run_dir) as feed:
        numbers = [record.envelope.seq for record in feed.read() if record.envelope.origin == "server"]

    assert numbers == sorted(numbers)


@given(line=st.binary(max_size=100))
def test_a_damaged_line_is_passed_over(line):
    assert decode(line) is None
