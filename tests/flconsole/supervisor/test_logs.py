"""Logs of long runs stay bounded while their writers go on."""

import os

import pytest

from engine.errors import RunDirectoryError
from flconsole.supervisor.logs import rotate_logs, rotated_part


def test_a_log_that_has_grown_is_kept_aside_and_its_writer_goes_on_at_the_start(tmp_path):
    path = tmp_path / "server.log"
    writer = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(writer, b"early line\n" * 100)

    rotate_logs(tmp_path, max_bytes=1000)
    os.write(writer, b"late line\n")
    os.close(writer)

    assert (tmp_path / "server.log.1").read_bytes() == b"early line\n" * 100
    assert path.read_bytes() == b"late line\n"


def test_only_the_latest_part_is_kept_aside(tmp_path):
    path = tmp_path / "server.log"
    for word in (b"first", b"second"):
        path.write_bytes(word * 1000)
        rotate_logs(tmp_path, max_bytes=1000)

    assert {path.name for path in tmp_path.iterdir()} == {"server.log", "server.log.1"}
    assert (tmp_path / "server.log.1").read_bytes() == b"second" * 1000


def test_a_log_that_cannot_be_kept_aside_stays_as_it_is_and_is_named(tmp_path):
    path = tmp_path / "server.log"
    path.write_bytes(b"line\n" * 1000)
    rotated_part(path).mkdir()

    with pytest.raises(RunDirectoryError, match=r"server\.log: cannot be rotated: Is a directory"):
        rotate_logs(tmp_path, max_bytes=1000)

    assert path.read_bytes() == b"line\n" * 1000


def test_a_short_log_is_left_alone(tmp_path):
    (tmp_path / "server.log").write_text("line\n")

    rotate_logs(tmp_path, max_bytes=1000)

    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]
