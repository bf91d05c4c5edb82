"""Files are followed by whole lines, each once, whatever happens to the file."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import telemetry
from engine.errors import RunDirectoryError
from flconsole.feed import LineFollower, Mark, Merge, RunFeed, decode
from flconsole.supervisor.logs import rotate_logs, rotated_part


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


def test_a_log_that_was_copied_and_emptied_loses_no_line(path):
    log = path.with_suffix(".log")
    append(log, b"a long line\n" * 100)
    with LineFollower(log, rotated_part(log)) as follower:
        assert len(follower.read()) == 100
        append(log, b"two\nthree\n")
        rotate_logs(log.parent, max_bytes=1000)
        append(log, b"four\n")

        assert follower.read() == [b"two", b"three", b"four"]
        rotate_logs(log.parent, max_bytes=4)
        assert follower.read() == [], "what was read before the log was emptied does not come again"


def test_a_log_that_was_emptied_without_a_copy_is_read_on(path):
    append(path, b"one\ntwo\n")
    with LineFollower(path, path.with_suffix(".1")) as follower:
        assert follower.read() == [b"one", b"two"]
        path.write_bytes(b"three\n")
        assert follower.read() == [b"three"]


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
        read = os.pread
        sizes = []
        monkeypatch.setattr(
            os, "pread", lambda *arguments: sizes.append(len(read(*arguments))) or read(*arguments)
        )
        follower.read()
        assert sizes == [2]


@given(content=st.binary(max_size=200), bound=st.integers(1, 20))
def test_whatever_the_bound_each_line_comes_once(tmp_path_factory, content, bound):
    path = tmp_path_factory.mktemp("follow") / "lines"
    append(path, content)
    with LineFollower(path) as follower:
        lines = follower.read(bound)
        while follower.is_behind:
            lines += follower.read(bound)

    assert lines == content.split(b"\n")[:-1]


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


def test_what_was_rotated_before_the_first_look_is_read_first(path):
    older = path.with_suffix(".1")
    append(older, b"one\ntwo\n")
    append(path, b"three\n")
    with LineFollower(path, older) as follower:
        assert follower.read() == [b"one", b"two", b"three"]
        append(path, b"four\n")
        path.rename(older)
        append(path, b"five\n")
        assert follower.read() == [b"four", b"five"]
        assert follower.bytes_left == 0


def test_a_file_that_was_rotated_twice_since_the_last_look_loses_only_what_is_gone(path):
    older = path.with_suffix(".1")
    with LineFollower(path, older) as follower:
        append(path, b"one\n")
        follower.read()
        for line in (b"two\n", b"three\n"):
            path.rename(older)
            append(path, line)
        assert follower.read() == [b"two", b"three"]


def test_a_bound_is_kept_and_the_rest_is_told(path):
    append(path, b"one\ntwo\nthree\n")
    with LineFollower(path) as follower:
        assert follower.bytes_left == 14
        assert follower.read(max_bytes=9) == [b"one", b"two"]
        assert follower.is_behind
        assert follower.bytes_left == 6
        assert follower.read(max_bytes=9) == [b"three"]
        assert not follower.is_behind


def test_a_line_longer_than_the_bound_comes_whole(path):
    append(path, b"x" * 1000 + b"\n" + b"y" * 100 + b"\n")
    with LineFollower(path) as follower:
        assert follower.read(max_bytes=16) == [b"x" * 1000]
        assert follower.is_behind
        assert follower.read(max_bytes=16) == [b"y" * 100]


def test_a_torn_line_leaves_nothing_behind(path):
    append(path, b"one\ntorn")
    with LineFollower(path) as follower:
        assert follower.read(max_bytes=4) == [b"one"]
        assert follower.read(max_bytes=4) == []
        assert not follower.is_behind


def test_a_file_without_any_newline_does_not_fill_the_memory(path, monkeypatch):
    monkeypatch.setattr("flconsole.feed._LONGEST_LINE", 64)
    append(path, b"x" * 1000)
    with LineFollower(path) as follower:
        pieces = [follower.read(max_bytes=16)]
        while follower.is_behind:
            pieces.append(follower.read(max_bytes=16))

    assert max(len(line) for lines in pieces for line in lines) == 64


def test_a_file_that_cannot_be_read_is_named(path):
    path.mkdir()
    with LineFollower(path) as follower, pytest.raises(RunDirectoryError, match=f"{path}: Is a directory"):
        follower.read()


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


# --- several files as one sequence


def line(origin, number, ts):
    return (
        f'{{"v":1,"ts":{ts},"run":"r","origin":"{origin}","incarnation":1,"seq":{number},'
        '"type":"federation_paused"}'
    ).encode()


class Pieces:
    """Lines that come as many at a time as there are bytes for."""

    def __init__(self, lines):
        self.lines, self.is_behind = lines, False
        self.pieces = []

    def read(self, max_bytes=None):
        number = len(self.lines) if max_bytes is None else max(1, max_bytes // 100)
        piece, self.lines = self.lines[:number], self.lines[number:]
        self.is_behind = bool(self.lines)
        self.pieces.append(piece)
        return piece


def read_all(merge, max_bytes=None):
    records = merge.read(max_bytes)
    while merge.is_behind:
        records += merge.read(max_bytes)
    return [(record.envelope.origin, record.envelope.seq) for record in records]


files_of_times = st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=3)


def lines_of(files):
    return [
        [line(f"origin-{place}", number, ts) for number, ts in enumerate(times, 1)]
        for place, times in enumerate(files)
    ]


@given(files=files_of_times, bound=st.integers(1, 800))
def test_the_bound_makes_no_difference_to_the_order(files, bound):
    at_once = read_all(Merge([Pieces(lines) for lines in lines_of(files)]))

    assert read_all(Merge([Pieces(lines) for lines in lines_of(files)]), bound) == at_once
    for place, times in enumerate(files):
        mine = [number for origin, number in at_once if origin == f"origin-{place}"]
        assert mine == list(range(1, len(times) + 1))


@given(files=files_of_times, bound=st.integers(1, 800), reads=st.integers(0, 8))
def test_a_merge_goes_on_where_another_one_stood(files, bound, reads):
    sources = [Pieces(lines) for lines in lines_of(files)]
    merge = Merge(sources)
    for _ in range(reads):
        merge.read(bound)
    again = [Pieces((source.pieces[-1] if source.pieces else []) + source.lines) for source in sources]

    assert read_all(Merge(again, merge.marks), bound) == read_all(merge, bound)


def test_a_file_that_is_ahead_waits_for_the_others():
    merge = Merge([Pieces([line("a", n, n) for n in range(1, 9)]), Pieces([line("b", 1, 7.5)])])

    assert [record.envelope.ts for record in merge.read(300)] == [1, 2, 3]
    assert [record.envelope.ts for record in merge.read(300)] == [4, 5, 6]
    assert [record.envelope.ts for record in merge.read(300)] == [7, 7.5, 8]
    assert not merge.is_behind


def test_a_fresh_merge_stands_at_the_beginning():
    assert Merge([Pieces([]), Pieces([])]).marks == (Mark(), Mark())


def test_a_history_is_read_piece_by_piece(run_dir):
    with RunFeed(run_dir) as feed, RunFeed(run_dir) as whole, RunFeed(run_dir) as piecewise:
        total, numbers = feed.bytes_left, []
        while not numbers or feed.is_behind:
            numbers.append(len(feed.read(max_bytes=1000)))
            assert feed.bytes_left <= total
        assert feed.bytes_left == 0
        assert len(numbers) > 5
        assert sum(numbers) == len(whole.read()) == len(list(piecewise.read_all()))


def test_samples_that_were_rotated_are_read_too(run_dir):
    def sample(number):
        return line("supervisor", number, 1_767_322_800 + number).replace(
            b'"federation_paused"', b'"sample","processes":{}'
        )

    (run_dir / "samples.1.jsonl").write_bytes(sample(1) + b"\n" + sample(2) + b"\n")
    (run_dir / "samples.jsonl").write_bytes(sample(3) + b"\n")
    with RunFeed(run_dir) as feed:
        samples = [r.envelope.seq for r in feed.read() if isinstance(r.event, telemetry.Sample)]

    assert samples == [1, 2, 3]
