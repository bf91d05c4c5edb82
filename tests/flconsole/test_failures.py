"""The failure that an operator means."""

import pytest

from engine import telemetry as t
from flconsole.failures import find_failure, suspects
from tests.console.staging import Stage, back, run_started
from tests.flconsole.recording import ended, exited, joined, started

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: {}\n'


class Run:
    """A staged run whose processes write real logs."""

    def __init__(self, run_dir):
        self.stage = Stage(run_started(), run_dir=run_dir)
        (run_dir / "logs").mkdir()

    def start(self, name):
        log = self.log(name)
        size = log.stat().st_size if log.exists() else 0
        client = name.removeprefix("client-") if name.startswith("client-") else None
        event = t.ProcessStarted(
            name=name, role="client" if client else name, pid=1, create_time=1.0, log=f"logs/{name}.log",
            host="here", client=client, log_bytes=size,
        )  # fmt: skip
        self.stage.tell(event)

    def log(self, name):
        return self.stage.run_dir / "logs" / f"{name}.log"

    def write(self, name, text):
        with self.log(name).open("a") as file:
            file.write(text)

    def crash(self, name, *, reason, restart=True):
        self.stage.tell(exited(name, 1, code=1, restart=restart, reason=reason))

    @property
    def snapshot(self):
        return self.stage.view().snapshot

    def entry(self, text):
        return next(e for e in self.snapshot.timeline.entries if text in e.text)

    def find(self, *, entry=None, process=None):
        found = find_failure(self.stage.run_dir, suspects(self.snapshot, entry=entry, process=process))
        return found if found is None else (found[0].process, found[1].lines[-1:], found[1].is_traceback)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_where_nothing_has_failed_there_is_none(run):
    run.start("client-1")
    run.stage.tell(joined("1", 0))

    assert run.find() is None
    assert run.find(process="client-1") is None
    assert run.find(entry=run.entry("joined")) is None


def test_each_crash_has_the_traceback_of_its_own_start(run):
    for error in ("first", "second"):
        run.start("client-1")
        run.write("client-1", "starting\n" + TRACEBACK.format(error))
        run.crash("client-1", reason=f"exit code 1: {error}")
    run.start("client-1")
    run.write("client-1", TRACEBACK.format("third"))
    run.crash("client-1", reason="exit code 1: third", restart=False)

    for error in ("first", "second", "third"):
        entry = run.entry(error)
        assert run.find(entry=entry) == ("client-1", (f"ValueError: {error}",), True)
    assert run.find() == ("client-1", ("ValueError: third",), True)


def test_a_crash_without_a_traceback_has_the_last_lines_and_not_those_of_its_successor(run):
    run.start("client-1")
    run.write("client-1", "the last words\n")
    run.crash("client-1", reason="killed by SIGKILL")
    run.start("client-1")
    run.write("client-1", TRACEBACK.format("later"))
    run.crash("client-1", reason="exit code 1: later")

    assert run.find(entry=run.entry("SIGKILL")) == ("client-1", ("the last words",), False)


def test_who_is_pointed_at_comes_before_whoever_failed_last(run):
    for name in ("client-1", "client-2"):
        run.start(name)
        run.write(name, TRACEBACK.format(name))
        run.crash(name, reason=f"exit code 1: {name}")
        run.stage.tell(back(name[-1]))

    assert run.find()[0] == "client-2"
    assert run.find(process="client-1")[0] == "client-1"
    assert run.find(entry=run.entry("client 1 is back"))[0] == "client-1"


def test_who_is_pointed_at_and_has_not_failed_gives_way_to_who_has(run):
    run.start("client-1")
    run.start("client-2")
    run.crash("client-2", reason="killed by SIGKILL")

    assert run.find(process="client-1")[0] == "client-2"


def test_a_traceback_in_the_log_of_who_is_pointed_at_is_shown_though_it_goes_on(run):
    run.write("client-1", TRACEBACK.format("of an earlier start"))
    run.start("client-1")
    assert run.find(process="client-1") is None
    run.write("client-1", TRACEBACK.format("handled"))

    assert run.find(process="client-1") == ("client-1", ("ValueError: handled",), True)


def test_a_run_that_failed_because_its_clients_did_shows_their_traceback(run):
    run.start("server")
    run.start("client-1")
    run.write("client-1", TRACEBACK.format("the cause"))
    run.crash("client-1", reason="exit code 1: the cause", restart=False)
    run.write("server", "too few clients\n")
    run.crash("server", reason="exit code 5: too few clients", restart=False)
    run.stage.tell(ended(t.RunFailed, reason="server: exit code 5: too few clients", exit_code=5))

    assert run.find() == ("client-1", ("ValueError: the cause",), True)
    assert run.find(entry=run.entry("run failed")) == ("client-1", ("ValueError: the cause",), True)


def test_a_run_that_failed_alone_shows_the_last_words_of_whoever_ended_it(run):
    run.stage.tell(started("server", "server", 1))
    run.write("server", "the checkpoint is damaged\n")
    run.stage.tell(ended(t.RunFailed, reason="server: exit code 4: damaged", exit_code=4))

    assert run.find() == ("server", ("the checkpoint is damaged",), False)


def test_a_client_that_an_operator_ended_has_not_failed(run):
    run.start("client-1")
    run.stage.tell(exited("client-1", 1, sig="SIGKILL", reason=t.KILLED_BY_OPERATOR))

    assert run.find() is None
