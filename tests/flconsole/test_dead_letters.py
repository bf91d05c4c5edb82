"""`flconsole dead-letters` lists what a run has rejected, and gives no order of theirs to the terminal."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry import DeadLetter
from flconsole.cli import main
from flconsole.dead_letters import hexdump, letters_table, read_letters

HOSTILE = "\x1b]0;owned\x07\u202e"


LETTER = DeadLetter(
    v=1,
    ts=1_767_322_800.0,
    reason="not_finite",
    detail="NaN in the delta",
    client="3",
    round=4,
    topic="model_updates",
    partition=2,
    offset=17,
    size=5,
    head=b"value",
)


def letter(**changes):
    return msgspec.structs.replace(LETTER, **changes)


def write(run_dir, letters, name="dead_letters.jsonl"):
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.toml").touch()
    (run_dir / name).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in letters))


@pytest.fixture
def call(capfd):
    def call_once(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["dead-letters", *map(str, arguments)])
        output, narration = capfd.readouterr()
        return ended.value.code or 0, output, narration

    return call_once


def test_each_record_is_a_line_with_what_was_wrong(call, tmp_path):
    write(
        tmp_path / "run", [letter(), letter(client="", round=None, reason="transfer_too_large", size=900_000)]
    )

    code, output, _ = call(tmp_path / "run")
    headings, first, second = output.splitlines()

    assert code == 0
    assert headings.split() == ["time", "client", "round", "reason", "bytes", "record", "detail"]
    assert first.split()[2:] == [
        "3",
        "4",
        "not_finite",
        "5",
        "model_updates-2@17",
        "NaN",
        "in",
        "the",
        "delta",
    ]
    assert second.split()[2:6] == ["-", "-", "transfer_too_large", "900000"]


def test_what_was_moved_to_the_older_file_comes_first(tmp_path):
    write(tmp_path, [letter(offset=2)])
    write(tmp_path, [letter(offset=1)], "dead_letters.1.jsonl")

    assert [one.offset for one in read_letters(tmp_path)] == [1, 2]


def test_a_line_that_is_damaged_or_still_being_written_is_passed_over(tmp_path):
    write(tmp_path, [letter()])
    with (tmp_path / "dead_letters.jsonl").open("ab") as file:
        file.write(b'\xff\n[1]\n{"v":1,"head":"!"}\n{"v":1,"ts":')

    assert read_letters(tmp_path) == [letter()]


@pytest.mark.parametrize("options", [[], ["--hex"]])
def test_control_characters_are_written_out(call, tmp_path, options):
    hostile = letter(client=HOSTILE, detail=HOSTILE, reason=HOSTILE, topic=HOSTILE, head=HOSTILE.encode())
    write(tmp_path / "run", [hostile])

    _, output, _ = call(tmp_path / "run", *options)

    assert not set(HOSTILE) - set("0]owned;") & set(output)
    assert "\\x1b" in output


def test_json_is_one_object_for_each_record(call, tmp_path):
    write(tmp_path / "run", [letter(), letter(offset=18)])

    _, output, _ = call(tmp_path / "run", "--json")

    objects = [json.loads(line) for line in output.splitlines()]
    assert [one["offset"] for one in objects] == [17, 18]
    assert base64.b64decode(objects[0]["head"]) == b"value"


def test_hex_shows_the_first_bytes_and_says_how_many_are_not_there(call, tmp_path):
    write(tmp_path / "run", [letter(head=b"FLW1\0" + bytes(range(60, 80)), size=5_000)])

    _, output, _ = call(tmp_path / "run", "--hex")

    assert "00000000  46 4c 57 31 00 3c 3d 3e  3f 40 41 42 43 44 45 46  |FLW1.<=>?@ABCDEF|" in output
    assert "... 4975 more bytes, not kept" in output


@pytest.mark.parametrize("ts", [1e300, -1e300, 1e17])
def test_a_time_that_no_clock_shows_is_unknown(ts):
    assert letters_table([letter(ts=ts)])[1].startswith("- ")


def test_where_nothing_was_rejected_it_says_so(call, tmp_path):
    write(tmp_path / "run", [])

    assert call(tmp_path / "run") == (0, "", "no record has been rejected\n")
    assert call(tmp_path / "run", "--json")[:2] == (0, "")


def test_a_file_that_cannot_be_read_is_named(call, tmp_path):
    write(tmp_path / "run", [])
    (tmp_path / "run" / "dead_letters.1.jsonl").mkdir()

    code, _, narration = call(tmp_path / "run")

    assert (code, "dead_letters.1.jsonl: Is a directory" in narration) == (1, True)


@given(st.binary(max_size=100))
def test_a_dump_holds_every_byte(content):
    lines = hexdump(content)

    assert b"".join(bytes.fromhex(line[10:58]) for line in lines) == content
    assert all(line.isascii() and line.isprintable() for line in lines)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_line_is_a_line_whatever_a_record_says(details):
    rows = letters_table([letter(detail=detail) for detail in details])

    assert len(rows) == 1 + len(details)
    assert not any("\n" in row or "\x1b" in row for row in rows)
