"""What was rejected is kept in the run directory, within bounds, whatever is thrown at the server."""

import pytest

from engine.errors import RunDirectoryError
from engine.server import dead_letters
from engine.server.dead_letters import FILE_NAME, HEAD_BYTES, OLDER_FILE_NAME, DeadLetters
from engine.telemetry import DeadLetter, decode_dead_letter
from engine.transport.base import MODEL_UPDATES, Place, Record

PLACE = Place(MODEL_UPDATES, 2)


def record(value=b"value", offset=17):
    return Record(PLACE, offset, value, {})


def keep(letters, value=b"value", offset=17):
    letters.keep(
        record(value, offset), client="3", round_number=4, reason="not_finite", detail="NaN in the delta"
    )


def kept(path):
    return [decode_dead_letter(line) for line in path.read_bytes().splitlines()]


def test_a_rejected_record_is_kept_with_where_it_was_and_what_was_wrong(tmp_path):
    keep(DeadLetters(tmp_path, clock=lambda: 12.3456))

    assert kept(tmp_path / FILE_NAME) == [
        DeadLetter(
            v=1,
            ts=12.346,
            reason="not_finite",
            detail="NaN in the delta",
            client="3",
            round=4,
            topic=MODEL_UPDATES,
            partition=2,
            offset=17,
            size=5,
            head=b"value",
        )
    ]


def test_of_a_long_record_the_head_is_kept(tmp_path):
    keep(DeadLetters(tmp_path), bytes(range(256)) * 100)

    (letter,) = kept(tmp_path / FILE_NAME)
    assert (letter.size, letter.head) == (25_600, (bytes(range(256)) * 16)[:HEAD_BYTES])


def test_a_successor_goes_on_and_cuts_a_torn_line_off(tmp_path):
    keep(DeadLetters(tmp_path))
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"v":1,"ts":')
    keep(DeadLetters(tmp_path), offset=18)

    assert [letter.offset for letter in kept(tmp_path / FILE_NAME)] == [17, 18]


def test_of_many_records_the_newest_half_at_least_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(dead_letters, "MAX_FILE_RECORDS", 10)
    for first in (0, 13):  # two servers, one after the other
        letters = DeadLetters(tmp_path)
        for offset in range(first, first + 13):
            keep(letters, offset=offset)

    older, newer = kept(tmp_path / OLDER_FILE_NAME), kept(tmp_path / FILE_NAME)
    assert [letter.offset for letter in older + newer] == list(range(10, 26))


def test_of_long_records_no_more_bytes_are_kept_than_a_file_may_have(tmp_path, monkeypatch):
    monkeypatch.setattr(dead_letters, "MAX_FILE_BYTES", 20_000)
    letters = DeadLetters(tmp_path)
    for offset in range(20):
        keep(letters, bytes(5_000), offset)

    sizes = [(tmp_path / name).stat().st_size for name in (FILE_NAME, OLDER_FILE_NAME)]
    assert max(sizes) <= 20_000
    assert kept(tmp_path / FILE_NAME)[-1].offset == 19


def test_a_run_directory_that_cannot_be_written_is_named(tmp_path):
    letters = DeadLetters(tmp_path)
    (tmp_path / FILE_NAME).mkdir()

    with pytest.raises(RunDirectoryError, match=FILE_NAME):
        keep(letters)
    with pytest.raises(RunDirectoryError, match=FILE_NAME):
        DeadLetters(tmp_path)


def test_what_a_server_rejects_is_on_the_broker_in_the_events_and_in_the_file(run, until):
    run.clients[0].transport.publish(PLACE, b"\x1b[2J no record of a transfer")
    until(lambda: (run.run_dir / FILE_NAME).exists() and kept(run.run_dir / FILE_NAME), "nothing was kept")

    (letter,) = kept(run.run_dir / FILE_NAME)
    assert (letter.reason, letter.client, letter.round) == ("transfer_header_invalid", "", None)
    assert letter.head == b"\x1b[2J no record of a transfer"
    assert [one.value for one in run.dead_letters()] == [letter.head]
