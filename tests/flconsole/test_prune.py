"""Pruning removes what was asked for, whole, and never what somebody uses or wants to keep."""

import os
import pty
import re
import subprocess
import sys
import time

import psutil
import pytest

from engine.config import RunConfig
from engine.errors import ConfigError, RunDirectoryBusy, RunDirectoryError
from flconsole.cli import main
from flconsole.prune import look, remove, seconds_of
from flconsole.supervisor.lock import SupervisorLock, hold

DAY = 86_400


def make_run(runs_dir, name, *, days_old=1.0, files=()):
    """A run that is over and was last written to so many days ago."""
    path = runs_dir / name
    (path / "checkpoints").mkdir(parents=True)
    for file in files:
        (path / file).touch()
    (path / "config.toml").write_text(RunConfig(run_id=name).to_toml())
    (path / "events.jsonl").write_text("{}\n" * 1000)
    written = time.time() - days_old * DAY
    for file in (path / "config.toml", path / "events.jsonl"):
        os.utime(file, (written, written))
    return path


@pytest.fixture
def three(runs_dir):
    """Runs of one, 20 and 40 days ago."""
    return [
        make_run(runs_dir, name, days_old=age) for name, age in (("old", 40), ("older", 20), ("young", 1))
    ]


def going(runs_dir, *, keep=None, older_than_s=None):
    return [
        found.path.name for found in look(runs_dir, keep=keep, older_than_s=older_than_s) if not found.stays
    ]


def staying(runs_dir, **asked):
    asked = {"keep": 0, "older_than_s": None} | asked
    return {found.path.name: found.stays for found in look(runs_dir, **asked) if found.stays}


# --- what goes


def test_the_newest_stay(runs_dir, three):
    assert going(runs_dir, keep=1) == ["old", "older"]
    assert going(runs_dir, keep=0) == ["old", "older", "young"]
    assert going(runs_dir, keep=9) == []


def test_the_younger_stay(runs_dir, three):
    assert going(runs_dir, older_than_s=30 * DAY) == ["old"]
    assert going(runs_dir, older_than_s=10 * DAY) == ["old", "older"]


def test_with_both_only_what_is_neither_new_nor_young_goes(runs_dir, three):
    assert going(runs_dir, keep=2, older_than_s=10 * DAY) == ["old"]


def test_without_a_word_of_which_no_run_goes(runs_dir, three):
    assert going(runs_dir) == []
    assert set(staying(runs_dir, keep=None).values()) == {"may go with --keep N or --older-than 30d"}


@pytest.mark.parametrize(
    ("age", "seconds"), [("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600)]
)
def test_an_age_has_a_unit(age, seconds):
    assert seconds_of(age) == seconds


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "30 d", "1y", "9999999999d"])
def test_what_is_no_age_is_refused(age):
    with pytest.raises(ConfigError, match="write 30d"):
        seconds_of(age)


# --- what stays


def test_a_run_that_goes_on_stays(runs_dir):
    with SupervisorLock(make_run(runs_dir, "one")):
        assert staying(runs_dir) == {"one": "is going on"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [("keep", "has a file keep"), ("checkpoints/saved-round-000003.ckpt", "has a saved checkpoint")],
)
def test_what_an_operator_wants_to_keep_stays(runs_dir, file, reason):
    make_run(runs_dir, "one", files=[file])

    assert staying(runs_dir) == {"one": reason}


def test_a_run_that_was_written_to_just_now_may_be_starting_and_stays(runs_dir):
    make_run(runs_dir, "one", days_old=0)

    assert staying(runs_dir, older_than_s=0.0) == {"one": "is younger"}


def test_a_folder_with_a_configuration_of_something_else_stays(runs_dir):
    make_run(runs_dir, "one").rename(runs_dir / "renamed")
    (runs_dir / "project").mkdir()
    (runs_dir / "project" / "config.toml").write_text("name = 'mine'\n")
    (runs_dir / "broken").mkdir()
    (runs_dir / "broken" / "config.toml").write_text("= no TOML\n")

    assert staying(runs_dir, older_than_s=0.0, keep=0).keys() == {"renamed", "project", "broken"}
    assert going(runs_dir, keep=0) == []


def test_what_is_no_run_is_not_looked_at(runs_dir):
    (runs_dir / "notes").mkdir(parents=True)
    (runs_dir / "file").touch()

    assert look(runs_dir, keep=0, older_than_s=None) == []
    assert look(runs_dir / "nowhere", keep=0, older_than_s=None) == []


def test_a_link_to_a_run_stays_and_so_does_the_run(runs_dir, tmp_path):
    elsewhere = make_run(tmp_path / "elsewhere", "one")
    runs_dir.mkdir()
    (runs_dir / "one").symlink_to(elsewhere)

    assert staying(runs_dir) == {"one": "is a symbolic link"}


# --- how it goes


def test_a_run_is_removed_whole_and_nothing_else(runs_dir, tmp_path):
    run, other = make_run(runs_dir, "one"), make_run(runs_dir, "two")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").touch()
    (run / "plots").symlink_to(precious)
    first, _ = look(runs_dir, keep=0, older_than_s=None)

    remove(first)

    assert list(runs_dir.iterdir()) == [other]
    assert (precious / "thesis").exists()


def test_a_run_that_was_resumed_after_the_look_stays(runs_dir):
    run = make_run(runs_dir, "one")
    (found,) = look(runs_dir, keep=0, older_than_s=None)

    with SupervisorLock(run), pytest.raises(RunDirectoryBusy):
        remove(found)

    assert (run / "events.jsonl").exists()


def test_a_run_that_was_protected_after_the_look_stays(runs_dir):
    run = make_run(runs_dir, "one")
    (found,) = look(runs_dir, keep=0, older_than_s=None)
    (run / "keep").touch()

    with pytest.raises(RunDirectoryError, match="has a file keep"):
        remove(found)

    assert (run / "events.jsonl").exists()


def test_no_supervisor_gets_a_run_that_is_being_removed(runs_dir):
    run = make_run(runs_dir, "one")

    with hold(run), pytest.raises(RunDirectoryBusy, match="just being started, or removed"):
        SupervisorLock(run)


def test_a_supervisor_that_opened_the_lock_before_the_removal_finds_out(runs_dir, monkeypatch):
    """It has the lock of a directory that is gone."""
    run = make_run(runs_dir, "one")
    (found,) = look(runs_dir, keep=0, older_than_s=None)
    opened = os.open

    def open_then_remove(path, *arguments):
        descriptor = opened(path, *arguments)
        monkeypatch.setattr(os, "open", opened)
        remove(found)
        return descriptor

    monkeypatch.setattr(os, "open", open_then_remove)
    with pytest.raises(RunDirectoryError, match="has just been removed"):
        SupervisorLock(run)


def test_the_lock_is_no_link_to_a_file_of_somebody_else(runs_dir, tmp_path):
    run = make_run(runs_dir, "one")
    (tmp_path / "precious").write_text("words")
    (run / "supervisor.json").symlink_to(tmp_path / "precious")

    with pytest.raises(RunDirectoryError, match=r"supervisor\.json"):
        SupervisorLock(run)

    assert (tmp_path / "precious").read_text() == "words"


# --- what dead processes leave


@pytest.fixture
def preparing(runs_dir):
    """Begun five minutes ago."""
    path = make_run(runs_dir, ".preparing-one")
    (path / "supervisor.json").touch()
    os.utime(path, (time.time() - 300,) * 2)
    return path


def test_a_run_that_is_still_being_prepared_stays(runs_dir, preparing):
    with hold(preparing):
        assert going(runs_dir) == []


def test_what_was_begun_just_now_stays_even_before_it_is_locked(runs_dir, preparing):
    os.utime(preparing)

    assert going(runs_dir) == []


def test_what_a_dead_process_has_left_goes_without_being_asked_for(runs_dir, preparing):
    (runs_dir / ".removing-two").mkdir()
    found = look(runs_dir, keep=None, older_than_s=None)

    assert [one.path.name for one in found if not one.stays] == [".preparing-one", ".removing-two"]
    for one in found:
        remove(one)
    assert list(runs_dir.iterdir()) == []


SLOW_DATA = """
import pathlib, threading
def data(part, parts, seed):
    pathlib.Path("begun").touch()
    threading.Event().wait()
"""


def test_a_command_that_was_killed_while_it_prepared_leaves_what_can_be_pruned(runs_dir, tmp_path):
    (tmp_path / "mine.py").write_text(SLOW_DATA)
    command = [sys.executable, "-m", "flconsole", "run", "--headless", "--dataset", "mine:data"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (leftover,) = runs_dir.iterdir()
        os.utime(leftover, (time.time() - 300,) * 2)
        assert going(runs_dir) == []
        children = psutil.Process(process.pid).children()
        process.kill()
    psutil.wait_procs(children, timeout=30)

    assert going(runs_dir) == [leftover.name]


# --- the command


@pytest.fixture
def call(runs_dir, capfd):
    def call_once(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["prune", *arguments])
        output, narration = capfd.readouterr()
        return ended.value.code or 0, output, narration

    return call_once


def test_the_command_lists_what_goes_with_sizes_and_totals_and_why_the_rest_stays(call, runs_dir, three):
    make_run(runs_dir, "kept", files=["keep"])
    code, output, narration = call("--keep", "2", "--dry-run")

    assert (code, narration) == (0, "")
    assert re.search(r"^old +[\d.]+ kB +40d$", output, re.MULTILINE)
    assert re.search(r"^to be removed: 1, together [\d.]+ kB$", output, re.MULTILINE)
    assert re.search(r"^1 stays \([\d.]+ kB\): it has a file keep$", output, re.MULTILINE)
    assert re.search(r"^2 stay \([\d.]+ kB\): each is one of the 2 newest$", output, re.MULTILINE)
    assert all(run.exists() for run in three)


def test_the_command_removes_when_it_is_told_not_to_ask(call, three):
    code, _, narration = call("--older-than", "30d", "--yes")

    assert code == 0
    assert re.fullmatch(r"removed: 1, together [\d.]+ kB\n", narration)
    assert [run.exists() for run in three] == [False, True, True]


def test_where_nobody_can_be_asked_nothing_is_removed(call, three):
    code, _, narration = call("--keep", "1")

    assert code == 2
    assert "--yes" in narration
    assert all(run.exists() for run in three)


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 1), (b"\n", 3), (b"no\n", 3), (b"\x04", 3)])
def test_on_a_terminal_it_asks_and_takes_nothing_but_yes_for_yes(runs_dir, three, answer, left):
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "flconsole", "prune", "--keep", "1"]
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner) as process:
        os.close(inner)
        seen = b""
        while not seen.endswith(b"remove them? [y/N] "):
            seen += os.read(terminal, 4096)
        os.write(terminal, answer)
        assert process.wait(30) == 0
    os.close(terminal)

    assert len(list(runs_dir.iterdir())) == left


def test_nothing_to_remove_is_no_error(call, three):
    assert call("--keep", "3", "--yes") == (0, *call("--keep", "3")[1:])
    assert call("--keep", "3")[1].startswith("nothing to remove\n")


def test_an_age_that_is_none_is_an_error_of_usage(call):
    assert call("--older-than", "long")[0] == 2
