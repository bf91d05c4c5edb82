"""The parameters of a made-up run, and how what happens in it is written."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks import _inventions as invent
from engine import telemetry as t

STARTED_AT = 1_767_322_800.0
"""3:00 on 2 January 2026, UTC."""
HOST = "trainer-1"
_FIRST_PID = 4_100


@dataclass(frozen=True)
class Story:
    """What kind of run it is.

    Attributes:
        clients: that take part in all; the last one is added by an operator on the way.
        rounds: that were asked for.
        played: that happen; fewer than `rounds` in a run that is open, or was stopped.
        ended: whether the run has ended; otherwise its last round is open.
        seed: another one, another run.
        dataset: its name.
        stand_in: why it is not what was asked for.
        started_at: wall-clock seconds since the epoch.
        round_s: how long a round takes, about.
        sampled_s: seconds up to the end for which there are samples of the processes.
        logged_rounds: last rounds of which the logs tell; of all others only the incidents.
    """

    clients: int = 12
    rounds: int = 100
    played: int | None = None
    ended: bool = True
    seed: int = 1
    dataset: str = "digits"
    stand_in: str = "CIFAR-10 is not on this disk and cannot be downloaded"
    started_at: float = STARTED_AT
    round_s: float = 4.0
    sampled_s: float = 300.0
    logged_rounds: int = 200

    def __post_init__(self) -> None:
        if self.clients < 8 or self.rounds_played < 20:
            raise ValueError("a story needs 8 clients and 20 rounds at least, to have room for its incidents")

    @property
    def rounds_played(self) -> int:
        return self.rounds if self.played is None else self.played

    @property
    def run(self) -> str:
        """The run's id."""
        begun = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self.started_at))
        return f"{begun}-{self.seed % 2**16:04x}"


class Moment(NamedTuple):
    """One thing that is written."""

    ts: float
    """Wall-clock seconds since the epoch."""
    file: str
    """`events`, `processes`, `samples`, or the name of the process whose log it goes to."""
    content: t.Event | str
    """A line of a log is whole, with its time."""


class Scribe:
    """Puts what happens into events and lines of logs, at the story's time, `now`.

    Args:
        story: what is told.
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.random = random.Random(story.seed)
        self.now = story.started_at
        self.pids = {"supervisor": _FIRST_PID}
        """Of the processes that run."""
        self._last_pid = _FIRST_PID

    def event(self, event: t.Event, after: float = 0.0, *, logged: bool = True) -> list[Moment]:
        """An event of the server, which says it in its log as well."""
        said = self.log("server", invent.in_words(event), after) if logged else []
        return [Moment(self.now + after, "events", event), *said]

    def command(self, command: str, arguments: Mapping[str, object], answer: str) -> list[Moment]:
        event = t.Command(command=command, arguments=dict(arguments), ok=True, answer=answer)
        return [Moment(self.now, "processes", event)]

    def start(self, name: str, after: float) -> list[Moment]:
        self._last_pid += 7
        self.pids[name] = self._last_pid
        client = name.removeprefix("client-") if name.startswith("client-") else None
        started = t.ProcessStarted(
            name=name,
            role="client" if client else name,
            pid=self._last_pid,
            create_time=round(self.now + after - 0.01, 2),
            log=f"logs/{name}.log",
            host=HOST,
            client=client,
        )
        return [Moment(self.now + after, "processes", started)]

    def exit(
        self,
        name: str,
        *,
        code: int | None = None,
        signal: str | None = None,
        will_restart: bool,
        reason: str,
        after: float = 0.0,
    ) -> list[Moment]:
        exited = t.ProcessExited(
            name=name,
            pid=self.pids.pop(name),
            code=code,
            signal=signal,
            will_restart=will_restart,
            reason=reason,
        )
        return [Moment(self.now + after, "processes", exited)]

    def log(self, name: str, words: str, after: float = 0.0) -> list[Moment]:
        ts = self.now + after
        return [Moment(ts, name, invent.log_line(ts, name, words))]
