"""The files of events: appended whole, chained, cut where torn, and checked."""

import json
import os
import resource
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RunDirectoryError
from engine.event_log import EventLog, read_events, verify_chain
from engine.telemetry import ClientJoined, ClientLeft, Sample


def joined(number):
    return ClientJoined(client=str(number), host="here", pid=number, part=number)


def write(path, events):
    log = EventLog(path, run="r", origin="server", clock=lambda: 1.0)
    for event in events:
        log.append(event)
    log.close()
    return log


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def test_lines_carry_the_envelope_in_front_and_their_number(path):
    write(path, [joined(1), joined(2)])
    first, second = map(json.loads, path.read_text().splitlines())

    assert list(first)[:7] == ["v", "ts", "run", "origin", "incarnation", "seq", "type"]
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["prev"] == ""
    assert len(second["prev"]) == 64


def test_what_is_appended_is_read_back(path):
    events = [joined(1), ClientLeft(client="1", reason="killed \x1b[31m by an operator\n")]
    write(path, events)

    assert [event for _, event in read_events(path)] == events
    assert len(path.read_bytes().splitlines()) == 2


def test_a_file_that_is_not_there_has_no_events(path):
    assert list(read_events(path)) == []


def test_a_damaged_line_is_an_error_that_names_the_file(path):
    write(path, [joined(1), joined(2)])
    path.write_bytes(path.read_bytes().replace(b"{", b"\xff", 1))
    with pytest.raises(RunDirectoryError, match=r"events\.jsonl: a line was damaged"):
        list(read_events(path))

    path.write_bytes(path.read_bytes() + b"no event\n")
    with pytest.raises(RunDirectoryError, match=r"events\.jsonl: a line was damaged"):
        write(path, [])


def test_a_successor_is_another_incarnation_on_the_same_chain(path):
    write(path, [joined(1)])
    successor = write(path, [joined(2)])

    assert successor.incarnation == 2
    assert [(e.incarnation, e.seq) for e, _ in read_events(path)] == [(1, 1), (2, 1)]
    assert verify_chain(path) is None


@given(events=st.integers(0, 5), kept=st.integers(1, 60))
def test_a_torn_last_line_is_cut_and_the_chain_goes_on(tmp_path_factory, events, kept):
    path = tmp_path_factory.mktemp("torn") / "events.jsonl"
    write(path, map(joined, range(events)))
    whole = path.read_bytes()
    write(path, [joined(99)])
    path.write_bytes(path.read_bytes()[: len(whole) + kept])

    write(path, [joined(100)])

    assert path.read_bytes().startswith(whole)
    assert [event.pid for _, event in read_events(path)] == [*range(events), 100]
    assert verify_chain(path) is None


def test_a_torn_line_longer_than_a_block_is_cut_too(path):
    write(path, [joined(1)])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"x":"' + b"y" * 200_000)

    write(path, [])

    assert path.read_bytes() == whole


@given(data=st.data())
def test_one_changed_byte_shows_at_the_next_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("forged") / "events.jsonl"
    write(path, map(joined, range(4)))
    content = bytearray(path.read_bytes())
    last_line = content[:-1].rindex(b"\n") + 1
    position = data.draw(st.integers(0, last_line - 2))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    assert verify_chain(path) is not None


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_removed_line_is_found(path, line):
    write(path, map(joined, range(4)))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))

    assert verify_chain(path) == line + 1


def test_samples_stand_outside_the_chain(path):
    write(path, [Sample(processes={})])

    assert "prev" not in json.loads(path.read_text())


def test_a_full_disk_is_an_error_for_people(path):
    """A limit on the size of files stands in for the full disk: the write comes back short, then fails."""
    log = EventLog(path, run="r", origin="server")
    log.append(joined(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(RunDirectoryError, match="only 10 of"):
            log.append(joined(2))
        with pytest.raises(RunDirectoryError, match="File too large"):
            log.append(joined(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
        log.close()

    write(path, [joined(4)])
    assert [event.pid for _, event in read_events(path)] == [1, 4]


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunDirectoryError, match="No such file"):
        EventLog(tmp_path / "nowhere" / "events.jsonl", run="r", origin="server")


def test_rotation_moves_the_lines_and_keeps_the_numbers(path, tmp_path):
    log = EventLog(path, run="r", origin="supervisor")
    log.append(Sample(processes={}))
    log.rotate(tmp_path / "events.1.jsonl")
    log.append(Sample(processes={}))
    log.close()

    assert [envelope.seq for envelope, _ in read_events(tmp_path / "events.1.jsonl")] == [1]
    assert [envelope.seq for envelope, _ in read_events(path)] == [2]


def test_the_file_is_not_inherited_by_children(path):
    log = EventLog(path, run="r", origin="server")

    assert not os.get_inheritable(log._fd)
    log.close()
