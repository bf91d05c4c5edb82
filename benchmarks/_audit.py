"""Proves from a run's files alone that no update was lost and none counted twice.

The event log says what was accepted and what is in each model; the clients' logs say what was trained. The
two are written by different processes. For `timed` and `buffered`, in which every training is an update.
"""

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from engine import telemetry
from engine.config import RunConfig
from engine.event_log import read_events, verify_chain
from engine.telemetry import UpdateId

_JOINED = re.compile(r" client-(?P<client>\S+): joined, with part ")
_TRAINED = re.compile(
    r"(?P<time>\S+ \S+) \w+ +client-(?P<client>\S+): "
    r"round (?P<round>\d+): trained in (?P<seconds>[\d.]+) s"
)

Event = telemetry.AnyEvent


class Training(NamedTuple):
    """One local training."""

    update: UpdateId
    seconds: float
    ended_at: float
    """Wall-clock seconds."""


@dataclass(frozen=True, slots=True)
class TrainingsOfProcess:
    """What one process of a client trained, in this order; a successor draws the same numbers again."""

    client: str
    trainings: list[Training] = field(default_factory=list)

    @property
    def updates(self) -> list[UpdateId]:
        return [training.update for training in self.trainings]


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of every update of a run."""

    problems: list[str]
    """In words; empty where nothing was lost or counted twice."""
    trained: int
    """Updates that the clients' logs tell of, each once."""
    counted: int
    """Updates that are in a model."""
    rejected: int
    open_at_end: int
    """Trained, and in no model when the run ended."""
    closed_at: list[float]
    """Wall-clock seconds of each aggregation."""
    updates_per_round: list[int]
    staleness: Counter[int]
    """Of the counted ones."""


def audit(run_dir: Path) -> Audit:
    """Reads and checks a run's files.

    Raises:
        RunDirectoryError: a line is damaged.
    """
    timed = [(e.ts, event) for e, event in read_events(run_dir / "events.jsonl") if event is not None]
    events = [event for _, event in timed]
    trainings = read_trainings(sorted((run_dir / "logs").glob("client*.log")))
    closed = [event for event in events if isinstance(event, telemetry.RoundClosed)]
    counted = [update for event in closed for update in event.accepted]
    trained = {update for process in trainings for update in process.updates}
    in_model = set(counted)
    return Audit(
        problems=[
            *chain_problems(run_dir),
            *event_problems(events, mode=RunConfig.load(run_dir / "config.toml").mode),
            *loss_problems(trainings, counted, _rejected(events)),
        ],
        trained=len(trained),
        counted=len(counted),
        rejected=sum(isinstance(event, telemetry.UpdateRejected) for event in events),
        open_at_end=len(trained.difference(counted)),
        closed_at=[ts for ts, event in timed if isinstance(event, telemetry.RoundClosed)],
        updates_per_round=[event.updates for event in closed],
        staleness=Counter(
            event.staleness
            for event in events
            if isinstance(event, telemetry.UpdateAccepted) and _id(event) in in_model
        ),
    )


def chain_problems(run_dir: Path) -> Iterator[str]:
    """Where an event file was altered after it was written."""
    for name in ("events.jsonl", "processes.jsonl"):
        if (line := verify_chain(run_dir / name)) is not None:
            yield f"{name}: the chain is broken at line {line}"


def event_problems(events: Sequence[Event], *, mode: str) -> list[str]:
    """Where the events contradict each other, or the rules of the mode."""
    checks: tuple[Callable[[Sequence[Event]], Iterator[str]], ...] = (
        _counted_twice,
        _rounds_out_of_order,
        _counted_and_not_accepted,
        _accepted_and_not_counted,
        _fewer_than_required,
        _models_that_do_not_follow,
    )
    problems = [problem for check in checks for problem in check(events)]
    return [*problems, *_wrong_scales(events, mode)]


def loss_problems(
    trainings: Iterable[TrainingsOfProcess], counted: Iterable[UpdateId], rejected: Iterable[tuple[str, int]]
) -> Iterator[str]:
    """Updates that were trained and vanished.

    A client's updates are looked at in the order in which it made them. So what is in no model, and was not
    rejected, can only be the newest ones of its process: those that were on their way when it ended.
    """
    in_model, refused = set(counted), set(rejected)
    for process in trainings:
        last = max((n for n, update in enumerate(process.updates) if update in in_model), default=-1)
        for update in process.updates[: last + 1]:
            if update not in in_model and (update.client, update.round) not in refused:
                yield f"lost: {_shown(update)} is in no model, a later one of its client is"


def read_trainings(logs: Iterable[Path]) -> list[TrainingsOfProcess]:
    """What the clients' logs say that was trained."""
    processes: list[TrainingsOfProcess] = []
    newest: dict[str, TrainingsOfProcess] = {}
    for line in (line for log in logs for line in log.read_text(encoding="utf-8").splitlines()):
        if joined := _JOINED.search(line):
            newest[joined["client"]] = TrainingsOfProcess(joined["client"])
            processes.append(newest[joined["client"]])
        elif trained := _TRAINED.search(line):
            process, number = newest[trained["client"]], int(trained["round"])
            repeat = sum(update.round == number for update in process.updates)
            ended_at = dt.datetime.strptime(trained["time"], "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007 - logs tell local time
            update = UpdateId(process.client, number, repeat)
            process.trainings.append(Training(update, float(trained["seconds"]), ended_at))
    return processes


def _counted_twice(events: Sequence[Event]) -> Iterator[str]:
    counts = Counter(update for event in _closed(events) for update in event.accepted)
    for update, count in counts.items():
        if count > 1:
            yield f"counted {count} times: {_shown(update)}"


def _rounds_out_of_order(events: Sequence[Event]) -> Iterator[str]:
    for kind in (telemetry.RoundClosed, telemetry.RoundFinished):
        numbers = [event.round for event in events if isinstance(event, kind)]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{kind.__struct_config__.tag} is not there once for each round: {numbers}"


def _counted_and_not_accepted(events: Sequence[Event]) -> Iterator[str]:
    """Every update of a model has its event of that round, and the numbers agree with `round_finished`."""
    examples = {(e.round, _id(e)): e.examples for e in events if isinstance(e, telemetry.UpdateAccepted)}
    finished = {event.round: event for event in events if isinstance(event, telemetry.RoundFinished)}
    for closed in _closed(events):
        missing = [update for update in closed.accepted if (closed.round, update) not in examples]
        yield from (f"round {closed.round}: no update_accepted of {_shown(update)}" for update in missing)
        if closed.updates != len(closed.accepted):
            yield f"round {closed.round}: {closed.updates} updates, {len(closed.accepted)} are named"
        end = finished.get(closed.round)
        total = sum(examples.get((closed.round, update), 0) for update in closed.accepted)
        if end is not None and (end.updates, end.examples) != (closed.updates, total):
            yield (
                f"round {closed.round}: {end.updates} updates with {end.examples} examples are told of, "
                f"{closed.updates} with {total} are in the model"
            )


def _accepted_and_not_counted(events: Sequence[Event]) -> Iterator[str]:
    """What a server has accepted is in the model of that round, unless it died before."""
    held: dict[UpdateId, int] = {}
    for event in events:
        match event:
            case telemetry.ServerStarted():
                held.clear()
            case telemetry.UpdateAccepted():
                held[_id(event)] = event.round
            case telemetry.RoundClosed():
                for update in event.accepted:
                    held.pop(update, None)
                left = [update for update, number in held.items() if number == event.round]
                yield from (f"round {event.round} was closed without {_shown(update)}" for update in left)
            case _:
                pass


def _fewer_than_required(events: Sequence[Event]) -> Iterator[str]:
    required: dict[int, int] = {}
    for event in events:
        match event:
            case telemetry.RoundOpened() | telemetry.RulesChanged():
                required[event.round] = event.quorum
            case telemetry.RoundClosed() if event.updates < required.get(event.round, 1):
                yield f"round {event.round} closed with {event.updates} of {required[event.round]} updates"
            case telemetry.RoundClosed() if event.round not in required:
                yield f"round {event.round} was closed and never opened"
            case _:
                pass


def _models_that_do_not_follow(events: Sequence[Event]) -> Iterator[str]:
    """A round starts from the model of the round before, and ends with the one that it was closed with."""
    digests = {event.round: event.digest for event in _closed(events)}
    for event in events:
        match event:
            case telemetry.RoundOpened() if digests.get(event.round - 1, event.base) != event.base:
                yield f"round {event.round} starts from another model than round {event.round - 1} made"
            case telemetry.RoundFinished() if digests.get(event.round) != event.digest:
                yield f"round {event.round} was finished with another model than it was closed with"
            case _:
                pass


def _wrong_scales(events: Sequence[Event], mode: str) -> Iterator[str]:
    for event in events:
        if isinstance(event, telemetry.UpdateAccepted):
            scale = 1 / math.sqrt(1 + event.staleness) if mode == "buffered" else 1.0
            if not math.isclose(event.scale, scale) or event.staleness < 0:
                yield f"{_shown(_id(event))}: staleness {event.staleness} counts by {event.scale:g}"


def _closed(events: Sequence[Event]) -> Iterator[telemetry.RoundClosed]:
    return (event for event in events if isinstance(event, telemetry.RoundClosed))


def _rejected(events: Sequence[Event]) -> Iterator[tuple[str, int]]:
    """(client, round that it was trained for) of updates that were refused for a reason."""
    for event in events:
        if isinstance(event, telemetry.UpdateRejected) and event.round is not None:
            yield event.client, event.round


def _id(event: telemetry.UpdateAccepted) -> UpdateId:
    return UpdateId(event.client, event.round - event.staleness, event.repeat)


def _shown(update: UpdateId) -> str:
    return f"update {update.repeat} of client {update.client} for round {update.round}"
