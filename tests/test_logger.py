"""Logs: coloured for a person at a terminal, plain in a file."""

import io
import logging
import re

import pytest

from engine.errors import DataError
from engine.logger import (
    get_client_logger,
    get_server_logger,
    log_failure,
    setup_colored_logging,
    setup_file_logging,
)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def root_logger():
    """The root logger, as it was before once the test is over."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)


def test_a_terminal_gets_colours_by_level():
    stream = Terminal()
    setup_colored_logging("info", stream)
    get_server_logger().warning("careful")

    assert re.fullmatch(r"\x1b\[33m.* WARNING server: careful\x1b\[0m\n", stream.getvalue())


def test_a_file_gets_none():
    stream = io.StringIO()
    setup_colored_logging("info", stream)
    get_client_logger("gpu-2").error("out of memory")

    assert re.fullmatch(r"[\d-]+ [\d:,]+ ERROR   client-gpu-2: out of memory\n", stream.getvalue())


def test_what_is_below_the_level_is_left_out():
    stream = io.StringIO()
    setup_colored_logging("warning", stream)
    get_server_logger().info("chatter")

    assert stream.getvalue() == ""


def test_setting_up_twice_logs_once():
    stream = io.StringIO()
    setup_colored_logging("info", stream)
    setup_colored_logging("info", stream)
    get_server_logger().info("one")

    assert stream.getvalue().count("one") == 1


def test_the_file_is_plain_and_rotated(tmp_path):
    path = tmp_path / "server.log"
    setup_file_logging(path, "info", max_bytes=500, backups=2)
    for number in range(40):
        get_server_logger().info("line %d", number)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["server.log", "server.log.1", "server.log.2"]
    assert "line 39" in path.read_text()
    assert "\x1b" not in path.read_text()
    assert all(file.stat().st_size <= 500 for file in tmp_path.iterdir())


# --- what ends a process


def load():
    """A function of the operator's."""
    return {}["x"]


def logged(error, level="info"):
    stream = io.StringIO()
    setup_colored_logging(level, stream)
    log_failure(get_client_logger("3"), error)
    return stream.getvalue()


def load_part():
    """The operator's error becomes ours."""
    try:
        load()
    except KeyError as error:
        raise DataError("part 2: KeyError: 'x'") from error


def test_an_error_that_explains_itself_is_one_line():
    (line,) = logged(DataError("part 2 has no examples")).splitlines()

    assert line.endswith(" ERROR   client-3: part 2 has no examples")


def test_an_error_behind_it_is_told_with_its_place_and_the_line_for_people_comes_last():
    with pytest.raises(DataError) as raised:
        load_part()
    log = logged(raised.value)

    assert "\nTraceback (most recent call last):\n" in log
    assert ", in load\n" in log
    assert log.endswith(" ERROR   client-3: part 2: KeyError: 'x'\n")


def test_who_debugs_sees_where_any_error_was_raised():
    assert "DataError: part 2 has no examples" in logged(DataError("part 2 has no examples"), "debug")
