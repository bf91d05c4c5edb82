"""A console over a real supervisor; what the run looks like is staged."""

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.tui.view import Liveness
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined, started

RULED = t.RoundOpened(round=1, cohort=["1", "2", "3"], quorum=2, deadline_s=30.0, base="b")


def stage(run, *events, **config):
    """What the console is shown: two clients that have joined, and then some."""
    seen = [run_started(clients=2), started("server", "server", 99)]
    for client in ("1", "2"):
        seen += [
            started(f"client-{client}", "client", 100 + int(client), client),
            joined(client, int(client) - 1),
        ]
    source = Stage(*seen, *events, run_dir=run.run_dir, config=RunConfig(clients=2, parts=4, **config))
    source.liveness = Liveness.RUNNING
    return source


def at_both_sizes(scenario, run, *events, liveness=Liveness.RUNNING, **options):
    for size in SIZES:
        source = stage(run, *events)
        source.liveness = liveness
        at_console(scenario, source, size=size, **options)


def commands(run):
    """What has been asked since: (command, its arguments that are not left out, whether it was granted)."""
    return [
        (event.command, {key: value for key, value in event.arguments.items() if value is not None}, event.ok)
        for event in run.events(t.Command)[run.asked_before :]
    ]
