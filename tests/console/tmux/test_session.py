"""Working sessions in a real terminal, with the installed command; the files agree with the screen."""

import re
import time
from pathlib import Path

import pytest

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from engine import telemetry as t
from engine.event_log import read_events, verify_chain

STORY = Story(clients=8, rounds=20)
SHOWN_WITHIN_S = 2.0
"""After it was recorded; a machine that is busy with other things may delay some sights, never all."""


class Session:
    """What is typed and seen in a terminal, and what the one run below its folder has recorded."""

    def __init__(self, tmux, folder: Path):
        self.tmux, self.folder = tmux, folder
        self.delays_s = []
        """From a record to its sight, so often as that was looked for."""

    @property
    def run_dir(self):
        (run_dir,) = (path.parent for path in self.folder.glob("runs/*/config.toml"))
        return run_dir

    def recorded(self, kind, **fields):
        """(moment, event) of every event of that kind with those fields, in the order of one file."""
        return [
            (envelope.ts, event)
            for name in ("events.jsonl", "processes.jsonl")
            for envelope, event in read_events(self.run_dir / name)
            if isinstance(event, kind) and all(getattr(event, key) == value for key, value in fields.items())
        ]

    def sees(self, *patterns):
        """Waits until all are on the screen at once."""
        self.tmux.wait_until(
            lambda screen: all(re.search(pattern, screen) for pattern in patterns), " and ".join(patterns)
        )

    def sees_what_was_recorded(self, *patterns, kind, client):
        """Waits until all are on the screen at once, and notes how long that was after the record."""
        self.sees(*patterns)
        now = time.time()
        ((recorded_at, _event),) = self.recorded(kind, client=client)
        self.delays_s.append(now - recorded_at)

    def sees_round(self, least):
        def shown(screen):
            found = re.search(r"round (\d+)/", screen)
            return found and int(found[1]) >= least

        self.tmux.wait_until(shown, f"round {least}")

    def start_on_digits(self, rounds):
        """Fills in the start screen: three clients on five parts is what it offers."""
        self.sees("> dataset +< auto >")
        self.tmux.press("Left")
        self.sees("> dataset +< digits >")
        self.tmux.press("Down", "Down", "Down", "Down", "e")
        self.sees(r"rounds: \d+")
        self.tmux.press("C-u")
        self.sees("rounds: *\n")  # Textual edits after it inserts, if it is given both at once
        self.tmux.type(str(rounds))
        self.sees(f"> rounds +{rounds}")
        self.tmux.press("Enter")

    def add_two_clients(self):
        self.tmux.press("a")
        self.sees("Add clients")
        self.tmux.press("2", "Enter")
        for client in "45":
            self.sees_what_was_recorded(
                row(client, "idle|training|sending"),
                f"client {client} joined",
                kind=t.ClientJoined,
                client=client,
            )

    def kill_the_second_client(self):
        self.tmux.press("1", "Home", "Down", "K")
        self.sees("Kill client 2")
        self.tmux.press("y")
        self.sees_what_was_recorded(
            row("2", "stopped"), "client-2 was killed by the operator", kind=t.ClientLeft, client="2"
        )

    def pause_and_go_on(self):
        self.tmux.press("P")
        self.sees("paused,", r"updates (\d+)/\1 ")
        opened = len(self.recorded(t.RoundOpened))
        self.tmux.press("P")
        self.sees("running for")
        self.sees_round(opened + 1)

    def search_the_logs(self):
        self.tmux.press("3", "/")
        self.tmux.type("joined, with part")
        self.sees("joined, with part [0-4] of 5")

    def zoom_a_chart(self):
        self.tmux.press("2", "Enter")
        self.tmux.wait_until(lambda screen: "1 Clients:" not in screen and "Global" in screen, "one chart")
        self.tmux.press("Enter")
        self.sees("1 Clients:")

    def detach(self):
        self.tmux.press("d")
        self.sees(r"(?m)^ready>$", "it goes on")

    def stop(self):
        self.tmux.press("X")
        self.sees("Stop now")
        self.tmux.press("y")
        self.sees("stopped by the operator")
        self.tmux.wait_until(lambda screen: "Stopping the run" not in screen, "the dialog's end")
        self.tmux.press("q")
        self.sees(r"(?m)^ready>$")


def row(client, state):
    """A client's line in the table."""
    return rf"(?m)^\W*{client} .*({state})"


@pytest.mark.tensorflow
@pytest.mark.broker
@pytest.mark.timeout(300)  # on a busy machine it takes TensorFlow most of a minute to be there
def test_a_run_is_watched_changed_left_and_stopped(terminal, flconsole, tmp_path):
    session = Session(terminal(columns=120, rows=40), tmp_path)

    session.tmux.type(flconsole)
    session.start_on_digits(rounds=2000)
    session.sees_round(3)
    session.tmux.press("4", "v", "v")
    session.sees("4 Timeline: .*all but rounds")

    session.add_two_clients()
    session.kill_the_second_client()
    assert min(session.delays_s) < SHOWN_WITHIN_S
    session.pause_and_go_on()
    session.search_the_logs()
    session.zoom_a_chart()

    session.detach()
    assert session.recorded(t.RunEnded) == []
    session.tmux.type(f"{flconsole} attach")
    session.sees_round(len(session.recorded(t.RoundFinished)))
    session.sees(row("2", "stopped"))
    session.stop()

    agrees_with_what_was_done(session)


@pytest.mark.broker
def test_a_small_screen_is_enough(terminal, flconsole, tmp_path):
    session = Session(terminal(columns=60, rows=20), tmp_path)

    session.tmux.type(
        f"{flconsole} run --trainer null --dataset digits --model vector:1000000"
        " --clients 3 --parts 6 --rounds 100000"
    )
    session.sees_round(3)
    session.tmux.press("a")
    session.sees("Add clients", "Enter accepts")
    session.tmux.press("2", "Enter")
    session.sees(row("5", "idle|training|sending"))
    session.tmux.press("Down", "K")
    session.sees("Kill client 2")
    session.tmux.press("y")
    session.sees(row("2", "stopped"))
    for key, title in (("4", "4 Timeline: "), ("2", "2 Charts"), ("3", "3 Logs"), ("1", "1 Clients: 5")):
        session.tmux.press(key)
        session.sees(f"(?m)^.{title}")
    session.stop()

    ((_, killed),) = session.recorded(t.ProcessExited, name="client-2")
    assert killed.signal == "SIGKILL"
    ((_, outcome),) = session.recorded(t.RunEnded)
    assert isinstance(outcome, t.RunStopped)


def test_a_run_that_is_over_is_played_again(terminal, flconsole, tmp_path):
    write_run(tmp_path / "runs" / STORY.run, STORY)
    session = Session(terminal(columns=80, rows=24), tmp_path)
    killed_in = 18  # the seventeenth of twenty rounds is the first without client 4

    session.tmux.type(f"{flconsole} replay")
    session.sees("round 0/20", "replay")
    session.tmux.press("p", "g")
    session.sees("go to")
    session.tmux.type(str(killed_in))
    session.sees(f"round {killed_in}/20", row("4", "stopped"), row("1", "training|idle"))
    session.tmux.press("[", "[")
    session.sees(f"round {killed_in - 2}/20")
    session.tmux.press("]")
    session.sees(f"round {killed_in - 1}/20")
    session.tmux.press("g")
    session.sees("go to")
    session.tmux.type("5")
    session.sees("round 5/20", row("4", "training|idle"))
    session.tmux.press("4")
    session.sees("client 2 is back")
    session.tmux.press("q")
    session.sees(r"(?m)^ready>$")


def agrees_with_what_was_done(session):
    commands = [(event.command, event.ok) for _, event in session.recorded(t.Command)]
    assert commands == [
        ("add-client", True),
        ("kill-client", True),
        ("pause", True),
        ("unpause", True),
        ("stop", True),
    ]
    ((_, killed),) = session.recorded(t.ProcessExited, name="client-2")
    assert (killed.signal, killed.will_restart) == ("SIGKILL", False)
    assert {event.client for _, event in session.recorded(t.ClientJoined)} == {"1", "2", "3", "4", "5"}
    rounds = [event.round for _, event in session.recorded(t.RoundFinished)]
    ((_, outcome),) = session.recorded(t.RunEnded)
    assert isinstance(outcome, t.RunStopped)
    assert rounds == list(range(1, outcome.rounds + 1))
    assert all(verify_chain(session.run_dir / f"{name}.jsonl") is None for name in ("events", "processes"))
