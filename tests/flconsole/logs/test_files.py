"""A log is followed from its tail on, over rotations, and nothing is left out unsaid."""

import os

import pytest

from flconsole.logs.files import LogFollower
from flconsole.supervisor.logs import rotate_logs

LONG_AGO = 1_700_000_000


@pytest.fixture
def log(tmp_path):
    return tmp_path / "server.log"


def follow(log, **limits):
    return LogFollower(log, **{"tail_bytes": 1000, **limits})


def append(log, *lines):
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def read(follower):
    """All that is there now; gaps are lines in angle brackets."""
    seen = []
    while chunk := follower.read():
        seen += [f"<{chunk.gap}>"] if chunk.gap else []
        seen += [line.decode() for line in chunk.lines]
    return seen


def test_lines_come_once_and_whole(log):
    follower = follow(log)
    assert read(follower) == []

    append(log, "one", "two")
    assert read(follower) == ["one", "two"]

    with log.open("a") as file:
        file.write("thr")
    assert read(follower) == []

    append(log, "ee")
    assert read(follower) == ["three"]


def test_a_line_whose_end_never_comes_is_shown_after_a_while(log):
    log.write_bytes(b"whole\nFatal: it stopped he")
    os.utime(log, (LONG_AGO, LONG_AGO))

    assert read(follow(log)) == ["whole", "Fatal: it stopped he"]


def test_of_a_large_log_only_the_tail_is_read_and_the_rest_is_counted(log):
    append(log, *(f"line {number:04}" for number in range(1000)))
    follower = follow(log, tail_bytes=100)

    assert read(follower) == [f"line {number:04}" for number in range(990, 1000)]
    assert follower.older_bytes == 990 * len("line 0000\n")


def test_a_tail_that_begins_within_a_line_begins_with_the_next(log):
    append(log, *(f"line {number:04}" for number in range(1000)))
    follower = follow(log, tail_bytes=105)

    assert read(follower)[0] == "line 0990"
    assert follower.older_bytes == 990 * len("line 0000\n")


def test_a_tail_reaches_into_the_rotated_part(log):
    log.with_name("server.log.1").write_text("".join(f"old {number}\n" for number in range(10)))
    append(log, "new")
    follower = follow(log, tail_bytes=len("new\n") + 2 * len("old 8\n"))

    assert read(follower) == ["old 8", "old 9", "new"]
    assert follower.older_bytes == 8 * len("old 0\n")


def test_what_is_rotated_before_it_was_read_is_read_there(log):
    follower = follow(log)
    append(log, "one")
    assert read(follower) == ["one"]

    append(log, "two")
    rotate_logs(log.parent, max_bytes=0)
    append(log, "three")
    assert read(follower) == ["two", "three"]


def test_so_it_is_where_the_log_has_already_grown_beyond_where_it_was(log):
    follower = follow(log)
    append(log, "one")
    assert read(follower) == ["one"]

    append(log, "two")
    rotate_logs(log.parent, max_bytes=0)
    append(log, "three", "four", "five")
    assert read(follower) == ["two", "three", "four", "five"]


def test_lines_that_were_rotated_away_twice_are_said_to_be_lost(log):
    follower = follow(log)
    append(log, "one")
    assert read(follower) == ["one"]

    for line in ("two", "three"):
        append(log, line)
        rotate_logs(log.parent, max_bytes=0)
    append(log, "four")
    assert read(follower) == ["<lines are lost: server.log was emptied before they were read>", "four"]


def test_too_much_at_once_is_passed_over_and_that_is_said(log):
    follower = follow(log, max_bytes=50)
    append(log, "begin")
    assert read(follower) == ["begin"]

    append(log, *(f"line {number:04}" for number in range(100)))
    assert read(follower) == [
        "<950 bytes were passed over; they are in server.log>",
        *(f"line {number:04}" for number in range(95, 100)),
    ]
    assert follower.older_bytes == 0


def test_a_line_without_end_does_not_fill_the_memory(log):
    follower = follow(log, max_bytes=100)
    log.write_bytes(b"begin\n")
    assert read(follower) == ["begin"]

    with log.open("ab") as file:
        file.write(b"x" * 100)
    assert read(follower) == ["x" * 100]


def test_a_log_that_must_not_be_read_is_no_empty_log(log):
    append(log, "one")
    log.unlink()
    log.mkdir()

    with pytest.raises(OSError, match="directory"):
        follow(log).read()
