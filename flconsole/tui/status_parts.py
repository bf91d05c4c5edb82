"""What the status line says, as parts that give way to each other where there is little room. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from engine import telemetry
from flconsole.figures import UNKNOWN, clock, number
from flconsole.narration import updates
from flconsole.state import Process, Round, RunState, outcome_verb
from flconsole.text import listed, visible
from flconsole.tui.style import BAD, BOLD, DIM, FALLING, GOOD, RISING, STEADY, WARNING
from flconsole.tui.view import Liveness, View

NARROW, WIDE = 80, 160
"""Below the one, words are shortened; from the other on there is room for long ones and more figures."""
_SEPARATOR = Text(" · ", style=DIM)
_WIDEST_NAME, _WIDEST_ID = 32, 20
"""Cells of a run's name; what was named by a person may be longer than an id, and gives way to a stand-in."""
_LEAST_CUT = 12
"""Cells below which half a sentence says nothing."""
_SILENT_S = 5.0
"""Seconds in which a server that is well has answered several times."""
_ON_THE_WAY = (Liveness.RUNNING, Liveness.REPLAY)


class Part(NamedTuple):
    """One statement.

    Attributes:
        text: what it says.
        rank: where there is little room, those of the lowest ranks stay.
        can_be_cut: whether its beginning is worth something.
    """

    text: Text
    rank: int
    can_be_cut: bool = False


def status_rows(view: View, width: int, resume_key: str = "R") -> tuple[Text, Text]:
    """The two rows of the status line: what runs and how it is, and where it stands.

    Args:
        view: the run.
        width: cells of a row.
        resume_key: what to press to go on with a run whose supervisor was killed.
    """
    what_runs = _what_runs(view, width, resume_key)
    return _fitted(what_runs, width), _fitted(_where_it_stands(view, width >= WIDE), width)


def _fitted(parts: Sequence[Part], width: int) -> Text:
    """The parts that fit into a row, in their order."""
    chosen: dict[int, Text] = {}
    left = width + _SEPARATOR.cell_len
    for position, part in sorted(enumerate(parts), key=lambda pair: pair[1].rank):
        text, room = part.text, left - _SEPARATOR.cell_len
        if text.cell_len > room and part.can_be_cut and room >= _LEAST_CUT:
            text = text.copy()
            text.truncate(room, overflow="ellipsis")
        if text.cell_len <= room:
            chosen[position] = text
            left = room - text.cell_len
    return _SEPARATOR.join(chosen[position] for position in sorted(chosen))


# --- the first row


def _what_runs(view: View, width: int, resume_key: str) -> list[Part]:
    config, name = view.config, Text(visible(view.run_dir.name), BOLD)
    name.truncate(_WIDEST_NAME if width >= NARROW else _WIDEST_ID, overflow="ellipsis")
    parts = [
        Part(name, 0, can_be_cut=True),
        Part(_liveness(view, resume_key), 1),
        Part(Text(_data(view, width)), 2, can_be_cut=True),
        Part(Text(visible(config.model)), 3),
        Part(Text(config.mode), 4),
    ]
    if width >= WIDE:
        server = view.snapshot.state.server
        parameters = UNKNOWN if server is None else f"{server.parameters:,}"
        parts += [
            Part(Text(f"{parameters} parameters"), 5),
            *_codec(view),
            Part(Text(f"strategy {visible(config.strategy)}"), 7),
            Part(Text(f"partition {config.partition}"), 8),
            Part(Text(f"seed {config.seed}"), 9),
        ]
    return parts


def _codec(view: View) -> list[Part]:
    """How many times smaller the codec, if there is one, has made the updates so far."""
    if view.config.codec == "none":
        return []
    ratio = view.snapshot.state.compression
    saved = "" if ratio is None else f", compressed {ratio:.1f}x"
    return [Part(Text(f"codec {view.config.codec}{saved}"), 6)]


def _liveness(view: View, resume_key: str) -> Text:
    """Whether the run goes on, and for how long it does or did."""
    state = view.snapshot.state
    if view.liveness is Liveness.GONE:
        return Text(f"supervisor gone: {resume_key} resumes", BAD)
    elapsed = UNKNOWN if state.started_at is None else clock(view.as_of - state.started_at)
    if state.outcome is None and view.liveness is Liveness.RUNNING:
        if state.paused:
            return Text(f"paused, {elapsed} elapsed", WARNING)
        return Text(f"running for {elapsed}", GOOD)
    ending = f"at {elapsed}" if state.outcome is None else _ending(state.outcome)
    if view.liveness is Liveness.REPLAY:
        return Text(f"replay: {ending}", BOLD)
    return Text(ending, BAD if isinstance(state.outcome, telemetry.RunFailed) else BOLD)


def _ending(outcome: telemetry.RunEnded) -> str:
    preposition = "in" if isinstance(outcome, telemetry.RunFinished) else "after"
    return f"{outcome_verb(outcome)} {preposition} {clock(outcome.seconds)}"


def _data(view: View, width: int) -> str:
    """The data set; a stand-in is always named as one."""
    config, started = view.config, view.snapshot.state.started
    dataset = visible(config.dataset if started is None else started.dataset)
    stand_in = visible(config.stand_in if started is None else started.stand_in)
    if config.trainer == "null":
        return "noise (stand-in)" if width < NARROW else "seeded noise (stand-in for training)"
    if not stand_in:
        return dataset
    if width >= WIDE:
        return f"{dataset} (stand-in: {stand_in})"
    wanted, colon, _why = stand_in.partition(":")
    return f"{dataset} ({wanted} stand-in)" if colon and width >= NARROW else f"{dataset} (stand-in)"


# --- the second row


def _where_it_stands(view: View, is_wide: bool) -> list[Part]:
    state = view.snapshot.state
    goes_on = state.outcome is None and view.liveness in _ON_THE_WAY
    parts = [Part(_round(state, view.config.clients), 0)]
    if view.loading is not None:
        parts.insert(0, Part(Text(f"reading the history: {view.loading:.0%}", WARNING), 0))
    if view.error:
        parts.insert(0, Part(Text(view.error, BAD), 0, can_be_cut=True))
    if goes_on and state.round is not None:
        parts.append(Part(_updates(state.round, state.mode, view.as_of, is_wide), 2))
    parts.append(Part(_accuracy(state, is_wide), 3))
    if goes_on:
        parts += [*_time_left(view, is_wide), *_health(view, is_wide)]
    elif state.outcome is not None and not isinstance(state.outcome, telemetry.RunFinished):
        style = BAD if isinstance(state.outcome, telemetry.RunFailed) else BOLD
        parts.append(Part(Text(visible(state.outcome.reason), style), 1, can_be_cut=True))
    return parts + _more_figures(state) if is_wide else parts


def _round(state: RunState, clients: int) -> Text:
    if state.round is None:
        joined = sum(client.membership == "joined" for client in state.clients.values())
        return Text(f"waiting for clients: {joined}/{clients}")
    of_all = "" if state.rounds is None else f"/{state.rounds}"
    return Text(f"round {state.round.number}{of_all}", BOLD)


def _updates(current: Round, mode: str, now: float, is_wide: bool) -> Text:
    text = Text(updates(current, mode))
    if current.closed:
        return text
    if current.interval_s is not None:
        into = max(0.0, now - current.opened_at) % current.interval_s
        return text.append(f", next in {clock(math.ceil(current.interval_s - into))}")
    if mode != "sync":
        return text
    rules = [f"quorum {current.quorum}"] if current.quorum < (current.goal or len(current.cohort)) else []
    if current.deadline_s is not None:
        left = current.deadline_s - (now - current.opened_at)
        rules.append(f"due in {clock(left)}" if left >= 0 else f"overdue {clock(-left)}")
    if rules:
        text.append(f" ({', '.join(rules)})")
    if is_wide and current.goal is None and current.missing:
        text.append(f", waiting for {listed(current.missing, 5)}", DIM)
    return text


def _accuracy(state: RunState, is_wide: bool) -> Text:
    """The newest accuracy, and how it differs from that of the round evaluated before."""
    values = [known.accuracy for known in _latest(state, "accuracy")]
    return _trend("accuracy" if is_wide else "acc", values, rising=GOOD, falling=WARNING)


def _latest(state: RunState, figure: str) -> list[telemetry.RoundFinished]:
    """The two newest rounds with that figure, the newest first."""
    known = (
        finished for finished in reversed(state.history.values()) if getattr(finished, figure) is not None
    )
    return [finished for finished, _ in zip(known, range(2), strict=False)]


def _trend(name: str, newest_first: Sequence[float | None], *, rising: Style, falling: Style) -> Text:
    newest, before = (*newest_first, None, None)[:2]
    text = Text(f"{name} {number(newest)}")
    if newest is None or before is None:
        return text
    difference = newest - before
    if abs(difference) < 0.00005:
        return text.append(f" {STEADY}")
    glyph, style = (RISING, rising) if difference > 0 else (FALLING, falling)
    return text.append(f" {glyph}{abs(difference):.4f}", style)


def _time_left(view: View, is_wide: bool) -> list[Part]:
    """Until the last round or the end of the time given, whichever comes first; nothing if nobody knows."""
    state, now = view.snapshot.state, view.as_of
    ends = []
    if state.seconds_left is not None and state.round_s is not None:
        ends.append(state.seconds_left - min(now - state.finished_at[-1], state.round_s))
    if view.config.duration_minutes is not None and state.started_at is not None:
        ends.append(60 * view.config.duration_minutes - (now - state.started_at))
    if not ends or state.paused:
        return []
    return [Part(Text(f"{'about ' if is_wide else ''}{clock(min(ends))} left"), 4)]


def _health(view: View, is_wide: bool) -> list[Part]:
    """How the server and the broker are; in few words where both are well."""
    server, broker = _server(view), _broker(view, is_wide)
    if not (is_wide or server.style or broker.style):
        return [Part(Text("server, broker up"), 5)]
    return [
        Part(text, 1 if text.style in (WARNING, BAD) else rank, can_be_cut=True)
        for text, rank in ((server, 5), (broker, 6))
    ]


def _server(view: View) -> Text:
    """The server as the supervisor sees it, and whether it answers; without members it tells nothing."""
    state = view.snapshot.state
    text = _process(state.processes.get("server"), "server", "server up")
    has_members = any(client.membership == "joined" for client in state.clients.values())
    if text.style or not has_members or state.server_told_at is None or state.sample_at is None:
        return text
    if state.sample_at - state.server_told_at < _SILENT_S:
        return text
    return Text(f"server silent for {clock(view.as_of - state.server_told_at)}", WARNING)


def _broker(view: View, is_wide: bool) -> Text:
    """The broker as the server sees it and, where it is ours, as the supervisor does."""
    state, address = view.snapshot.state, view.config.bootstrap_servers
    if state.broker.lost_since is not None:
        lost = f"broker lost for {clock(view.as_of - state.broker.lost_since)}"
        return Text(f"{lost}: {visible(state.broker.reason)}" if is_wide else lost, BAD)
    if address is None:
        up = "broker embedded" if is_wide else "broker up"
        return _process(state.processes.get("broker"), "broker", up)
    if state.server is None:  # nobody has reached it yet
        return Text(f"broker {UNKNOWN}", DIM)
    return Text(f"broker {visible(address)}" if is_wide else "broker up")


def _process(process: Process | None, name: str, up: str) -> Text:
    """How a process of the run is; without a style only where that is well."""
    if process is not None and process.pid is not None:
        return Text(up)
    if process is None or process.exit is None:
        return Text(f"{name} {UNKNOWN}", DIM)
    how, style = ("restarting", WARNING) if process.exit.will_restart else ("down", BAD)
    return Text(f"{name} {how}: {visible(process.exit.reason)}", style)


def _more_figures(state: RunState) -> list[Part]:
    """What else is worth knowing where there is room."""
    losses = [known.loss for known in _latest(state, "loss")]
    parts = [Part(_trend("loss", losses, rising=WARNING, falling=GOOD), 7)]
    evaluated = [finished for finished in state.history.values() if finished.accuracy is not None]
    if evaluated:
        best = max(evaluated, key=lambda finished: finished.accuracy or 0.0)
        parts.append(Part(Text(f"best {number(best.accuracy)} in round {best.round}"), 8))
    return parts
