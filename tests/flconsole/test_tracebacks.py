"""Why a process failed is found in its log, whatever else stands there."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RunDirectoryError
from flconsole import tracebacks
from flconsole.tracebacks import find_cause

STARTED = "2026-11-24 12:11:07,955 INFO    client-1: joined, with part 0 of 6\n"
GOES_ON = "2026-11-24 12:11:08,955 INFO    client-1: round 2\n"
TENSORFLOW = "E0000 00:00:1795522267.956620    7119 cuda_platform.cc:52] failed call to cuInit\n"


def traceback(error="ValueError: no images", file="shard.py"):
    return f'Traceback (most recent call last):\n  File "{file}", line 3, in load\n    raise error\n{error}\n'


@pytest.fixture
def log(tmp_path):
    return tmp_path / "client-1.log"


def run(log, program):
    """Lets a real Python fail into the log."""
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", program], stderr=file, check=False)


def text(excerpt):
    return "\n".join(excerpt.lines)


def test_the_first_of_several_is_the_cause(log):
    log.write_text(STARTED + traceback("ValueError: first") + GOES_ON + traceback("ValueError: second"))

    excerpt = find_cause(log)

    assert excerpt.is_traceback
    assert excerpt.log == log
    assert text(excerpt) == traceback("ValueError: first").rstrip()


@pytest.mark.parametrize("following", [GOES_ON, TENSORFLOW, ""])
def test_it_ends_where_something_else_is_logged(log, following):
    log.write_text(STARTED + traceback("ValueError: line 1\nline 2\n\n  line 3") + following)

    assert find_cause(log).lines[-3:] == ("line 2", "", "  line 3")


def test_a_chain_of_exceptions_belongs_together(log):
    program = """
try:
    try:
        {}["images"]
    except KeyError as error:
        raise ValueError("no images") from error
finally:
    pass
"""
    run(log, program.replace("finally:\n    pass", "except ValueError:\n    raise OSError('late')"))

    lines = find_cause(log).lines

    assert lines[0] == "Traceback (most recent call last):"
    assert "KeyError: 'images'" in lines
    assert "The above exception was the direct cause of the following exception:" in lines
    assert "During handling of the above exception, another exception occurred:" in lines
    assert lines[-1] == "OSError: late"


@pytest.mark.parametrize(
    ("program", "first", "last"),
    [
        (
            "raise ExceptionGroup('both', [ValueError('a'), OSError('b')])",
            "Exception Group Traceback",
            "----",
        ),
        ("import faulthandler, os; faulthandler.enable(); os.abort()", "Fatal Python error: Aborted", ""),
    ],
)
def test_groups_of_exceptions_and_fatal_errors_are_tracebacks(log, program, first, last):
    log.write_text(STARTED)
    run(log, program)

    excerpt = find_cause(log)

    assert excerpt.is_traceback
    assert first in excerpt.lines[0]
    assert last in excerpt.lines[-1]


def test_without_one_the_last_lines_are_there(log):
    log.write_text("".join(f"line {number}\n" for number in range(3000)))

    excerpt = find_cause(log)

    assert not excerpt.is_traceback
    assert excerpt.lines[-1] == "line 2999"
    assert all(line.startswith("line ") for line in excerpt.lines)
    assert 100 < len(excerpt.lines) < 1000


@pytest.mark.parametrize("content", [None, b"", b"\n \n"])
def test_who_wrote_nothing_has_no_last_lines(log, content):
    if content is not None:
        log.write_bytes(content)

    assert find_cause(log).lines == ()


def test_only_what_was_written_between_two_starts_counts(log):
    earlier, mine, later = (traceback(f"ValueError: {n}") + GOES_ON for n in "123")
    log.write_text(earlier + mine + later)

    starts = len(earlier), len(earlier + mine)

    assert "ValueError: 2" in find_cause(log, *starts).lines
    assert "ValueError: 3" in find_cause(log, starts[1]).lines
    assert find_cause(log, starts[1], starts[0]).lines[-1] == "ValueError: 3"  # rotated in between


def test_who_was_killed_has_no_traceback_of_its_successor(log):
    log.write_text(STARTED + GOES_ON + traceback())

    excerpt = find_cause(log, 0, len(STARTED + GOES_ON))

    assert not excerpt.is_traceback
    assert excerpt.lines[-1] == GOES_ON.rstrip()


def test_what_was_rotated_is_looked_through_first(log):
    rotated = log.with_name("client-1.log.1")
    rotated.write_text(STARTED + traceback("ValueError: first"))
    log.write_text(traceback("ValueError: second"))

    assert find_cause(log).lines[-1] == "ValueError: first"
    assert find_cause(log, len(STARTED), rotated.stat().st_size).lines[-1] == "ValueError: first"
    rotated.write_text(STARTED * 100)
    start = 99 * len(STARTED)
    assert start > log.stat().st_size
    assert find_cause(log, start).lines[-1] == "ValueError: second"


def test_no_control_character_gets_through(log):
    log.write_bytes(traceback("ValueError: \x1b[2J\x07 \xff").encode("latin-1").replace(b"\n", b"\r\n"))

    assert find_cause(log).lines[-1] == r"ValueError: \x1b[2J\x07 \xff"


def test_of_an_endless_one_the_beginning_and_the_end_are_kept(log):
    log.write_text(traceback("\n".join(f"{number}" for number in range(5000))))

    lines = find_cause(log).lines

    assert lines[0].startswith("Traceback")
    assert lines[-1] == "4999"
    assert len(lines) == 1001
    assert "... 4003 lines ..." in lines


def test_a_log_that_cannot_be_read_is_named(log):
    log.mkdir()

    with pytest.raises(RunDirectoryError, match=r"client-1\.log: Is a directory"):
        find_cause(log)


@given(before=st.binary(max_size=300), size=st.integers(40, 200))
def test_it_is_found_wherever_the_blocks_are_cut(tmp_path_factory, before, size):
    log = tmp_path_factory.mktemp("log") / "log"
    log.write_bytes(before.replace(b"Trace", b"") + b"\n" + traceback().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracebacks, "_BLOCK", size)
        excerpt = find_cause(log)

    assert excerpt.is_traceback
    assert text(excerpt) == traceback().rstrip()


def test_no_more_than_a_block_is_read_at_once(log, monkeypatch):
    log.write_text(GOES_ON * 100_000)
    read, sizes = os.pread, []
    monkeypatch.setattr(os, "pread", lambda *args: sizes.append(args[1]) or read(*args))

    find_cause(log)

    assert max(sizes) <= 1 << 20
