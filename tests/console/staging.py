"""A run that a test tells record by record, and the console over it: no process, no file, no clock."""

import itertools
from pathlib import Path

from msgspec.structs import replace

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.feed import Record
from flconsole.snapshot import Snapshot, advance
from flconsole.tui.view import Liveness, View
from tests.flconsole.recording import RUN, START


class Stage:
    """The source of a console whose records, clock and liveness a test decides.

    Args:
        events: what has happened at the start, from the server or the supervisor.
        config: of the run.
        run_dir: need not exist.
        loading: share of the history read so far.
    """

    def __init__(self, *events, config=None, run_dir=Path("runs") / RUN, loading=None):
        self.run_dir, self.config = run_dir, config or RunConfig(clients=3, rounds=10, dataset="digits")
        self.now, self.liveness, self.loading = START, Liveness.RUNNING, loading
        self._snapshot, self._numbers = Snapshot(), {}
        self.tell(*events)

    def tell(self, *events, at=None):
        """Records events at a moment; the clock goes on to it."""
        self.now = self.now if at is None else START + at
        for event in events:
            numbers = self._numbers.setdefault(_writer(event), itertools.count(1))
            envelope = t.Envelope(
                v=1,
                ts=self.now,
                run=RUN,
                origin=_writer(event).partition("/")[0],
                incarnation=1,
                seq=next(numbers),
                type=event.__struct_config__.tag,
            )
            self._snapshot = advance(self._snapshot, Record(b"", envelope, event))

    def wait(self, seconds):
        """Lets time go by."""
        self.now += seconds

    def go_back_to(self, snapshot):
        """Shows an earlier snapshot again, as a replay does."""
        self._snapshot = snapshot

    def view(self):
        return View(self.run_dir, self.config, self._snapshot, self.now, self.liveness, self.loading)

    def close(self):
        pass


SUPERVISOR_TYPES = (
    t.RunStarted, t.ProcessStarted, t.ProcessExited, t.Command, t.DiskLow,
    t.RunFinished, t.RunFailed, t.RunStopped,
)  # fmt: skip


def _writer(event):
    if isinstance(event, t.Sample):
        return "supervisor/samples"
    return "supervisor" if isinstance(event, SUPERVISOR_TYPES) else "server"


def run_started(**changes):
    started = t.RunStarted(
        pid=10,
        run_dir=f"runs/{RUN}",
        resumed=False,
        clients=3,
        rounds=10,
        model="lenet",
        dataset="digits",
        stand_in="CIFAR-10: it is not on disk; scikit-learn's digits stand in for it",
        mode="sync",
    )
    return replace(started, **changes)


def lost(client, reason="silent for 15 s"):
    return t.ClientLost(client=client, reason=reason)


def back(client):
    return t.ClientBack(client=client, away_s=1.0)


def use(clients=(), **figures):
    """A sample in which each of these clients uses that much."""
    return t.Sample(processes={f"client-{client}": t.ProcessSample(**figures) for client in clients})
