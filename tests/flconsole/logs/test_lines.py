"""A line of a log says when and how serious, and never gives a terminal an order."""

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.logs.lines import MAX_LINE_BYTES, Level, LineParser, to_text

AT = 1_700_000_000.0
"""When the file was written, as far as the parser is told."""
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What no terminal may get of a log: controls, line breaks, and what turns the writing around."""


def parse(*lines):
    return LineParser("client-1").parse([line.encode() for line in lines], AT)


def local(text):
    return datetime.fromisoformat(text).timestamp()


def test_a_line_of_the_engine_says_when_and_how_serious():
    (line,) = parse("2026-11-24 09:51:03,278 WARNING client-1: slow")

    assert (line.ts, line.level) == (pytest.approx(local("2026-11-24 09:51:03.278")), Level.WARNING)
    assert line.process == "client-1"


def test_a_native_line_of_tensorflow_does_too():
    (line,) = parse("E0000 00:00:1795513862.536204   18315 cuda_platform.cc:52] failed call to cuInit")

    assert (line.ts, line.level) == (pytest.approx(1_795_513_862.536204), Level.ERROR)


def test_a_coloured_line_of_the_broker_does_too_and_loses_its_colours():
    (line,) = parse(
        "\x1b[2m2026-11-24T10:04:28.746123Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mtansu\x1b[0m err=1"
    )

    assert line.text == "2026-11-24T10:04:28.746123Z ERROR tansu err=1"
    assert line.ts == pytest.approx(datetime(2026, 11, 24, 10, 4, 28, 746123, tzinfo=UTC).timestamp())
    assert line.level is Level.ERROR


def test_a_line_of_another_form_takes_both_from_the_line_before():
    stamped, other = parse("2026-11-24 09:51:03,278 ERROR   server: it failed", "  with details")

    assert (other.ts, other.level) == (stamped.ts, Level.ERROR)


def test_lines_before_the_first_stamp_take_its_time():
    first, stamped = parse("hello", "2026-11-24 09:51:03,278 INFO    server: up")

    assert first.ts == stamped.ts


def test_a_log_without_any_stamp_has_the_time_of_its_file():
    assert [line.ts for line in parse("hello", "world")] == [AT, AT]


def test_a_crash_that_was_never_logged_is_an_error():
    before, crash, frame, after = parse(
        "2026-11-24 09:51:03,278 INFO    server: up",
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "2026-11-24 09:51:04,278 INFO    server: up again",
    )

    assert [line.level for line in (before, crash, frame, after)] == [
        Level.INFO,
        Level.ERROR,
        Level.ERROR,
        Level.INFO,
    ]


@pytest.mark.parametrize("text", ["2026-13-45 09:51:03,278 INFO    x", "0000-01-01 00:00:00,000 INFO    x"])
def test_a_day_that_does_not_exist_is_no_time(text):
    assert parse(text)[0].ts == AT


def test_the_short_text_is_without_date_and_milliseconds_and_its_own_name():
    own, other = parse(
        "2026-11-24 09:51:03,278 INFO    client-1: joined", "2026-11-24 09:51:03,278 ERROR   keras: no GPU"
    )

    assert own.short_text == "09:51:03 INFO    joined"
    assert other.short_text == "09:51:03 ERROR   keras: no GPU"


@pytest.mark.parametrize("found", ["09:51:03", "INFO", "joined", "in"])
def test_what_was_found_in_the_text_is_known_in_the_short_text(found):
    (line,) = parse("2026-11-24 09:51:03,278 INFO    client-1: joined")
    begin = line.text.index(found)
    short = slice(line.short_offset(begin), line.short_offset(begin + len(found)))

    assert line.short_text[short] == found


@pytest.mark.parametrize("found", ["2026", "278", "client"])
def test_what_the_short_text_has_not_is_nowhere_in_it(found):
    (line,) = parse("2026-11-24 09:51:03,278 INFO    client-1: joined")
    begin = line.text.index(found)

    assert line.short_offset(begin) == line.short_offset(begin + len(found))


def test_a_line_that_is_not_stamped_is_short_as_it_is():
    (line,) = parse("Traceback")

    assert line.short_text == "Traceback"
    assert line.short_offset(5) == 5


def test_a_long_line_is_cut_and_says_so():
    text = to_text(b"x" * 10_000)

    assert text == "x" * MAX_LINE_BYTES + " [5,904 more bytes]"


def test_a_cut_falls_between_characters():
    text = to_text("é".encode() * MAX_LINE_BYTES + b"x")
    odd = to_text(b"x" + "é".encode() * MAX_LINE_BYTES)

    assert text == "é" * (MAX_LINE_BYTES // 2) + f" [{MAX_LINE_BYTES + 1:,} more bytes]"
    assert "\\x" not in odd


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b]52;c;ZXZpbA==\x07", r"\x1b]52;c;ZXZpbA==\x07"),
        (b"\x1b]0;title\x07", r"\x1b]0;title\x07"),
        (b"\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"a\x00b", r"a\x00b"),
        ("\x9b2J".encode(), r"\x9b2J"),
        (b"\x9b2J", r"\x9b2J"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\u202egpj.exe".encode(), r"\u202egpj.exe"),
        (b"a\tb", "a       b"),
        (b"10%\r20%\r", r"10%\r20%"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(raw, shown):
    assert to_text(raw) == shown


@given(raw=st.binary(max_size=200).filter(lambda raw: b"\n" not in raw))
def test_whatever_the_bytes_no_terminal_obeys_any(raw):
    (line,) = LineParser("x").parse([raw], AT)

    assert not OBEYED.search(line.text)
    assert not OBEYED.search(line.short_text)


@given(text=st.text(st.sampled_from("\x1b[]0123456789;mJ\x07\x9b é日\u202e"), max_size=60))
def test_nor_any_that_come_to_stand_together_when_a_colour_is_taken_out(text):
    assert not OBEYED.search(to_text(text.encode()))


def test_time_is_that_of_this_machine():
    (line,) = parse(time.strftime("%Y-%m-%d %H:%M:%S,500 INFO    x", time.localtime(AT)))

    assert line.ts == AT + 0.5
