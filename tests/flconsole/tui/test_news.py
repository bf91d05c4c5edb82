"""What an operator is called for, once."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.fold import fold
from flconsole.snapshot import Snapshot
from flconsole.state import RunState
from flconsole.tui.news import News, Watch
from flconsole.tui.view import Liveness, View
from tests.flconsole.recording import ended, exited, joined, started

TWO_CLIENTS = [
    started("client-1", "client", 101, "1"),
    started("client-2", "client", 102, "2"),
    joined("1", 0),
    joined("2", 1),
]


class Run:
    """Views of a run to which things happen."""

    def __init__(self, *, liveness=Liveness.RUNNING):
        self.state, self.seq, self.liveness = RunState(), 0, liveness
        self.happens(*TWO_CLIENTS)

    def happens(self, *events):
        for event in events:
            self.seq += 1
            envelope = t.Envelope(
                v=1, ts=float(self.seq), type="", run="r", origin="x", incarnation=1, seq=self.seq
            )
            self.state = fold(self.state, envelope, event)
        return self.view()

    def view(self, **more):
        view = View(Path("runs/r"), RunConfig(), Snapshot(state=self.state), 0.0, self.liveness)
        return replace(view, **more)


@pytest.fixture
def run():
    return Run()


@pytest.fixture
def watch(run):
    watching = Watch()
    assert watching.news(run.view()) == []
    return watching


def test_each_thing_calls_once(run, watch):
    lost = run.happens(t.ClientLost(client="2", reason="silent"))

    assert watch.news(lost) == [News("client 2 lost", "warning")]
    assert watch.news(lost) == []
    assert watch.news(run.happens(t.ClientBack(client="2", away_s=1.0))) == []
    assert watch.news(run.happens(t.ClientLost(client="2", reason="silent"))) == [
        News("client 2 lost", "warning")
    ]


def test_a_client_that_was_lost_and_is_back_between_two_looks_is_told_of(run, watch):
    view = run.happens(t.ClientLost(client="1", reason="silent"), t.ClientBack(client="1", away_s=0.1))

    assert watch.news(view) == [News("client 1 lost", "warning")]


def test_a_client_that_fails_for_good_is_an_error(run, watch):
    assert watch.news(run.happens(exited("client-1", 101, code=1))) == [News("client 1 failed", "error")]


def test_what_the_operator_did_calls_nobody(run, watch):
    killed = t.Command(command="kill-client", arguments={"client": "2", "hard": True}, ok=True, answer="")
    gone = exited("client-2", 102, sig="SIGKILL")

    assert watch.news(run.happens(killed, gone, t.ClientLost(client="2", reason="killed"))) == []


def test_many_clients_are_one_call(run, watch):
    many = [str(number) for number in range(3, 11)]
    watch.news(run.happens(*(joined(client, int(client)) for client in many)))

    (item,) = watch.news(run.happens(*(t.ClientLost(client=client, reason="") for client in many)))

    assert item.text == "8 clients (3, 4, 5, 6, 7 and 3 more) lost"


@pytest.mark.parametrize(
    ("kind", "reason", "item"),
    [
        (t.RunFinished, "", News("the run has finished", "information")),
        (t.RunStopped, "by an operator", News("the run was stopped: by an operator", "warning")),
        (t.RunFailed, "disk\x1b[2J full", News(r"the run has failed: disk\x1b[2J full", "error")),
    ],
)
def test_the_end_calls(run, watch, kind, reason, item):
    over = run.happens(ended(kind, reason=reason))
    assert watch.news(over) == [item]

    run.liveness = Liveness.ENDED
    assert watch.news(run.view()) == []


def test_a_supervisor_that_is_gone_calls(run, watch):
    run.liveness = Liveness.GONE

    (item,) = watch.news(run.view())

    assert item.severity == "error"
    assert "supervisor is gone" in item.text
    assert watch.news(run.view()) == []


def test_what_happened_before_one_came_is_no_news(run):
    watch = Watch()

    assert watch.news(run.view(loading=0.5)) == []
    assert watch.news(run.happens(t.ClientLost(client="2", reason="silent"))) == []


def test_a_replay_calls_nobody(run, watch):
    run.liveness = Liveness.REPLAY

    assert watch.news(run.happens(t.ClientLost(client="2", reason="silent"))) == []
