"""The newest lines of all logs are at hand, merged and of each process; older ones are counted."""

import threading
import time

import pytest

from flconsole.logs import store as log_store
from flconsole.logs.lines import Level, Line
from flconsole.logs.store import MERGED, LogStore, Ring


def stamped(second, text, level="INFO"):
    return f"2026-11-24 09:51:{second:02},000 {level:<7} {text}"


def write(folder, name, *lines):
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.log").open("a") as log:
        log.writelines(f"{line}\n" for line in lines)


def texts(store, process=MERGED, since=0):
    return [line.short_text.split(maxsplit=2)[-1] for line in store.since(process, since).lines]


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def line(text, *, at=0.0):
    return Line("x", at, Level.INFO, text)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def store(folder):
    return LogStore(folder)


def test_lines_of_all_processes_stand_in_the_order_of_their_times(store, folder):
    write(folder, "server", stamped(1, "one"), stamped(3, "three"))
    write(folder, "client-1", stamped(2, "two"), stamped(4, "four"))
    store.poll()

    assert texts(store) == ["one", "two", "three", "four"]
    assert texts(store, "client-1") == ["two", "four"]


def test_a_traceback_stays_with_its_line(store, folder):
    write(folder, "server", stamped(1, "failed"), "Traceback", "  frame")
    write(folder, "client-1", stamped(2, "two"))
    store.poll()

    assert texts(store) == ["failed", "Traceback", "frame", "two"]


def test_the_merged_log_shares_its_lines_with_those_of_the_processes(store, folder):
    write(folder, "server", stamped(1, "one"))
    store.poll()

    assert store.since(MERGED, 0).lines[0] is store.since("server", 0).lines[0]


def test_logs_that_appear_later_are_taken_in(store, folder):
    assert store.poll() is False
    write(folder, "client-10", stamped(1, "one"))
    assert store.poll() is True
    write(folder, "client-9", stamped(2, "two"))
    store.poll()

    assert store.processes == ("client-9", "client-10")
    assert texts(store) == ["one", "two"]


def test_only_what_is_new_is_given_out(store, folder):
    write(folder, "server", stamped(1, "one"))
    store.poll()
    first = store.since(MERGED, 0)
    write(folder, "server", stamped(2, "two"))
    store.poll()

    assert texts(store, since=first.first + len(first.lines)) == ["two"]


def test_a_process_without_a_log_has_no_lines(store):
    assert store.since("client-7", 0).lines == []


def test_a_file_name_gives_a_terminal_no_orders(store, folder):
    write(folder, "evil\x1b[2J", "hello")
    store.poll()

    assert store.processes == (r"evil\x1b[2J",)
    assert store.since(r"evil\x1b[2J", 0).lines[0].process == r"evil\x1b[2J"


def test_a_ring_keeps_the_newest_lines_and_counts_the_others():
    ring = Ring(max_lines=3, max_bytes=1_000_000)
    for number in range(10):
        ring.extend([line(str(number))])

    assert [kept.text for kept in ring.since(0)] == ["7", "8", "9"]
    assert (ring.begin, ring.end) == (7, 10)


def test_a_ring_keeps_fewer_lines_where_they_are_long():
    ring = Ring(max_lines=1000, max_bytes=20_000)
    ring.extend([line("x" * 4000) for _ in range(100)])

    assert len(ring.since(0)) == 4
    assert ring.begin == 96


def test_no_line_is_left_out_unsaid(store, folder, monkeypatch):
    monkeypatch.setattr(log_store, "_FIRST_BYTES", 0)
    write(folder, "client-3", *(stamped(1, f"line {number:06}") for number in range(1000)))
    store.poll()
    kept = store.since("client-3", 0).lines
    size = len(stamped(1, "line 000000")) + 1

    assert 0 < len(kept) < 1000
    assert store.older("client-3", 0) == f"{(1000 - len(kept)) * size:,} older bytes are in logs/client-3.log"
    assert store.older("client-3", 12_345).startswith("12,345 older lines and ")
    assert store.older(MERGED, 0).endswith(" are in logs/")


def test_nothing_older_is_nothing_to_say(store, folder):
    write(folder, "server", stamped(1, "one"))
    store.poll()

    assert store.older("server", 0) == ""


def test_a_hundred_processes_keep_no_more_lines_than_a_few(store, folder):
    for number in range(100):
        write(folder, f"client-{number}", stamped(1, "one"))
    store.poll()
    for number in range(100):
        write(folder, f"client-{number}", *(stamped(2, f"{n}") for n in range(500)))
    store.poll()

    each = [len(store.since(name, 0).lines) for name in store.processes]
    assert sum(each) <= log_store.PROCESS_LINES
    assert len(store.since(MERGED, 0).lines) == log_store.MERGED_LINES


def test_what_cannot_be_read_is_said_once(store, folder):
    (folder / "server.log").mkdir(parents=True)
    store.poll()
    store.poll()

    assert [line.text for line in store.since("server", 0).lines] == ["[server.log: Is a directory]"]


def test_a_log_that_cannot_be_read_keeps_no_other_from_being_read(store, folder):
    write(folder, "server", stamped(1, "one"))
    (folder / "client-1.log").symlink_to("client-1.log")
    store.poll()

    assert texts(store, "server") == ["one"]
    assert ["symbolic links" in text for text in texts(store, "client-1")] == [True]


def test_a_bug_in_the_reading_is_said_once_and_ends_nothing(store, folder):
    write(folder, "server", stamped(1, "one"))
    store.folder = None
    store.start()
    wait_until(lambda: texts(store))
    store.folder = folder
    wait_until(lambda: texts(store, "server"))
    store.close()

    trouble, *read = store.since(MERGED, 0).lines
    assert (trouble.process, trouble.level) == ("console", Level.ERROR)
    assert "AttributeError" in trouble.text
    assert [line.process for line in read] == ["server"]


def test_its_thread_follows_until_it_is_closed(store, folder):
    before = set(threading.enumerate())
    store.start()
    (thread,) = set(threading.enumerate()) - before
    write(folder, "server", stamped(1, "one"))
    wait_until(lambda: texts(store))
    store.close()
    thread.join(10)

    assert texts(store) == ["one"]
    assert not thread.is_alive()
