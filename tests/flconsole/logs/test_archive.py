"""What stands in the logs around a moment of a run that is over."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.logs import store as log_store
from flconsole.logs.archive import LogArchive, shares
from flconsole.logs.lines import Level
from flconsole.logs.store import MERGED, LogStore

NOON = 1_700_000_000.0


def stamped(second, text):
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOON + second))
    return f"{clock},000 INFO    {text}\n"


def write(path, seconds):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(stamped(second, f"line {second:06}") for second in seconds))


def numbers(lines):
    return [int(line.text.split()[-1]) for line in lines]


SIZE = len(stamped(0, "line 000000"))


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "server.log"


def test_a_small_log_is_there_whole(log):
    write(log, range(100))
    window = LogArchive(log).around(NOON, max_bytes=1_000_000)

    assert numbers(window.lines) == list(range(100))
    assert (window.older_bytes, window.newer_bytes) == (0, 0)
    assert (window.since, window.until) == (float("-inf"), float("inf"))


@pytest.mark.parametrize("second", [0, 1, 4321, 9998, 9999])
def test_of_a_large_log_the_lines_around_the_moment_are_there(log, second):
    write(log, range(10_000))
    window = LogArchive(log).around(NOON + second, max_bytes=100_000)
    found = numbers(window.lines)

    assert second in found
    assert found == list(range(found[0], found[-1] + 1))
    assert window.older_bytes == found[0] * SIZE
    assert window.newer_bytes == (9999 - found[-1]) * SIZE
    assert window.since <= NOON + second <= window.until


def test_on_both_sides_of_the_moment_there_is_half_of_what_is_read(log):
    write(log, range(10_000))
    found = numbers(LogArchive(log).around(NOON + 5000, max_bytes=100 * SIZE).lines)

    assert found[0] == pytest.approx(4950, abs=10)
    assert found[-1] == pytest.approx(5050, abs=10)


def test_the_rotated_part_stands_before_the_log(log):
    write(log, range(5000, 10_000))
    write(log.with_name("server.log.1"), range(5000))
    found = numbers(LogArchive(log).around(NOON + 5000, max_bytes=100_000).lines)

    assert {4990, 5000, 5010} <= set(found)
    assert found == list(range(found[0], found[-1] + 1))


def test_lines_without_a_time_are_passed_over_on_the_way(log):
    write(log, range(3000))
    text = log.read_text().replace("000500\n", "000500\n" + "  of a traceback\n" * 20)
    log.write_text(text)
    window = LogArchive(log).around(NOON + 500, max_bytes=50_000)

    assert any(line.text.endswith("line 000500") for line in window.lines)


@given(raw=st.binary(max_size=2000), second=st.integers(-10, 10), size=st.integers(0, 3000))
def test_whatever_the_bytes_there_is_an_answer(tmp_path_factory, raw, second, size):
    path = tmp_path_factory.mktemp("logs") / "x.log"
    path.write_bytes(raw)
    window = LogArchive(path).around(NOON + second, size)

    assert 0 <= window.older_bytes <= len(raw)
    assert all(line.level in Level for line in window.lines)


def test_a_log_that_is_not_there_has_no_lines(log):
    assert LogArchive(log).around(NOON, 1000) == ([], 0, 0)


@given(sizes=st.lists(st.integers(0, 1000), max_size=10), total=st.integers(0, 3000))
def test_room_is_divided_fairly(sizes, total):
    given_out = shares(sizes, total)

    assert sum(given_out) <= total
    assert all(share <= size for share, size in zip(given_out, sizes, strict=True))
    short = [share for share, size in zip(given_out, sizes, strict=True) if share < size]
    assert not short or min(short) >= max(given_out) - len(sizes)


def test_a_store_looks_up_what_it_has_not_kept(log, monkeypatch):
    monkeypatch.setattr(log_store, "_FIRST_BYTES", 60_000)
    write(log, range(0, 10_000, 2))
    write(log.with_name("client-1.log"), range(1, 10_000, 2))
    store = LogStore(log.parent)
    seen = 0
    for second in (5000, 100, 9999, 0):
        store.look_at(NOON + second)
        assert store.poll()
        fresh = store.since(MERGED, 0)
        found = numbers(fresh.lines)
        assert second in found
        assert found == list(range(found[0], found[-1] + 1))
        assert fresh.begin >= seen, "what was there before has fallen out"
        seen = fresh.first + len(fresh.lines)
        assert not store.poll(), "it is there already"
    assert store.older(MERGED, 0) == ""
