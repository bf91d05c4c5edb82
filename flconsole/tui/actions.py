"""Everything an operator can do in the console, in one table.

Key bindings, the footer, the help screen, the command palette and `docs/console.md` are made from it, and a
user's own keys (`console.toml`, see `flconsole.tui.keys`) name these actions. No imports of Textual here:
the documentation is generated without a screen.
"""

# ruff: noqa: E501  # a table: one action, one line

from dataclasses import dataclass
from enum import StrEnum

from flconsole.tui.view import Liveness


class Place(StrEnum):
    """Where an action's keys work: everywhere, or while that pane has the focus."""

    EVERYWHERE = "everywhere"
    CLIENTS = "clients"
    CHARTS = "charts"
    LOGS = "logs"
    TIMELINE = "timeline"
    REPLAY = "replay"
    """Everywhere, in a replay."""


ALWAYS = frozenset(Liveness)
LIVE = frozenset({Liveness.RUNNING})
RESUMABLE = frozenset({Liveness.GONE, Liveness.ENDED})
RUN = ALWAYS - {Liveness.REPLAY}
REPLAY = frozenset({Liveness.REPLAY})


@dataclass(frozen=True)
class Action:
    """One thing an operator can do.

    Attributes:
        name: for the user's own keys and the palette; the method is `action_<name>` with underscores.
        keys: Textual's names of the keys, in the order of preference.
        title: one or two words, for the footer.
        help: one sentence.
        place: where its keys work.
        when: in which runs it can be done.
        changes: whether it changes the run, so that `--read-only` refuses it.
        asks: whether it asks before it does anything.
        footer: whether the footer shows it.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    help: str
    place: Place = Place.EVERYWHERE
    when: frozenset[Liveness] = ALWAYS
    changes: bool = False
    asks: bool = False
    footer: bool = False

    @property
    def method(self) -> str:
        """The name that Textual calls it by."""
        return self.name.replace("-", "_")


def _run(name: str, key: str, title: str, text: str, *, asks: bool = False, footer: bool = False) -> Action:
    return Action(name, (key,), title, text, when=LIVE, changes=True, asks=asks, footer=footer)


def _clients(
    name: str, key: str, title: str, text: str, *, asks: bool = False, footer: bool = False
) -> Action:
    return Action(name, (key,), title, text, Place.CLIENTS, LIVE, changes=True, asks=asks, footer=footer)


ACTIONS = (
    # --- the run
    _run("add-clients", "a", "Add", "Add clients: how many, on which part of the data, on which GPU.", footer=True),
    _run("add-one", "plus", "Add one", "Add one client at once."),
    _run("stop-newest", "minus", "Stop newest", "Stop the client that was added last.", asks=True),
    _run("pause-federation", "P", "Pause all", "Pause the federation after the open round, or go on."),
    _run("set-rules", "e", "Rules", "Change what closes a round."),
    _run("save", "s", "Save", "Keep the newest checkpoint for good, and the charts as pictures."),
    _run("stop-after-round", "x", "Stop after round", "End the run when the open round is finished.", asks=True),
    _run("stop-now", "X", "Stop now", "End the run at once; it can be resumed.", asks=True),
    Action("resume-run", ("r", "R"), "Resume", "Go on with a run that has ended or was killed.",
           when=RESUMABLE, changes=True, footer=True),
    # --- clients
    _clients("stop-client", "k", "Stop", "Stop the chosen clients gracefully, for good.", asks=True, footer=True),
    _clients("kill-client", "K", "Kill", "Kill the chosen clients at once, for good.", asks=True, footer=True),
    _clients("restart-client", "r", "Restart", "Start the chosen clients anew.", asks=True, footer=True),
    _clients("pause-client", "p", "Pause", "Leave the chosen clients out of the next rounds, or take them back.", footer=True),
    Action("mark", ("space",), "Mark", "Mark this client, so that an action hits all marked ones.", Place.CLIENTS),
    Action("mark-all", ("asterisk",), "Mark all", "Mark all clients shown, or none.", Place.CLIENTS),
    Action("sort-next", ("right", "o"), "Sort", "Sort by the next column.", Place.CLIENTS),
    Action("sort-previous", ("left",), "Sort back", "Sort by the column before.", Place.CLIENTS),
    Action("sort-reverse", ("O",), "Reverse", "Turn the order around.", Place.CLIENTS),
    Action("filter-clients", ("slash",), "Filter", "Show only clients that match; nothing shows all.", Place.CLIENTS),
    Action("client-log", ("enter",), "Log", "Show this client's log.", Place.CLIENTS),
    # --- charts
    Action("chart-next", ("right",), "Next", "The next chart.", Place.CHARTS, footer=True),
    Action("chart-previous", ("left",), "Previous", "The chart before.", Place.CHARTS),
    Action("chart-log-scale", ("l",), "Log", "Logarithmic y axis, or linear.", Place.CHARTS, footer=True),
    Action("chart-smooth", ("m",), "Smooth", "Smooth more; once more than the most is not at all.", Place.CHARTS, footer=True),
    Action("chart-basis", ("b",), "Rounds/time", "Rounds or time on the x axis.", Place.CHARTS, footer=True),
    Action("chart-zoom", ("enter",), "Zoom", "This chart on the whole screen, or back.", Place.CHARTS),
    # --- logs
    Action("log-next", ("right",), "Next", "The log of the next process; after the last, all merged.", Place.LOGS),
    Action("log-previous", ("left",), "Previous", "The log of the process before.", Place.LOGS),
    Action("log-follow", ("f",), "Follow", "Follow what is written, or stay here; End follows too.", Place.LOGS, footer=True),
    Action("log-level", ("v",), "Level", "Show only lines of at least the next level; after ERROR, all.", Place.LOGS, footer=True),
    Action("log-search", ("slash",), "Search", "Find a regular expression; small letters match both cases.", Place.LOGS, footer=True),
    Action("log-match-next", ("n",), "Next match", "Go to the next match.", Place.LOGS),
    Action("log-match-previous", ("N",), "Previous match", "Go to the match before.", Place.LOGS),
    Action("log-filter", ("ampersand",), "Filter", "Show only lines that match a regular expression; nothing shows all.", Place.LOGS, footer=True),
    Action("log-wrap", ("w",), "Wrap", "Wrap long lines, or cut them.", Place.LOGS),
    Action("log-write", ("W",), "Write", "Write all lines that pass level and filter to a file in `views/` of the run.", Place.LOGS),
    Action("log-copy", ("y",), "Copy", "Copy the lines in view, whole, to the terminal's clipboard.", Place.LOGS),
    # --- timeline
    Action("filter-timeline", ("slash",), "Filter", "Show only entries that match; nothing shows all.", Place.TIMELINE, footer=True),
    Action("timeline-kind", ("v",), "Kind", "Show only warnings and errors, all but rounds, or one kind after the other.", Place.TIMELINE, footer=True),
    Action("timeline-follow", ("f",), "Follow", "Follow what happens, or stay here.", Place.TIMELINE, footer=True),
    Action("entry-log", ("enter",), "Log", "Show the log of the process that this entry is about.", Place.TIMELINE, footer=True),
    # --- replay
    Action("play", ("p",), "Play/pause", "Play or pause the replay.", Place.REPLAY, REPLAY, footer=True),
    Action("step", ("full_stop",), "Step", "One event forward.", Place.REPLAY, REPLAY, footer=True),
    Action("step-back", ("comma",), "Step back", "One event back.", Place.REPLAY, REPLAY),
    Action("round-next", ("right_square_bracket",), "Next round", "The end of the next round.", Place.REPLAY, REPLAY, footer=True),
    Action("round-previous", ("left_square_bracket",), "Previous round", "The end of the round before.", Place.REPLAY, REPLAY),
    Action("faster", ("greater_than_sign",), "Faster", "Play twice as fast.", Place.REPLAY, REPLAY),
    Action("slower", ("less_than_sign",), "Slower", "Play half as fast.", Place.REPLAY, REPLAY),
    Action("seek", ("g",), "Go to", "Go to a round, a share or a time of the run: 12, 50%, 1:02:03.", Place.REPLAY, REPLAY, footer=True),
    # --- the screen
    Action("help", ("question_mark", "f1"), "Help", "Show every key.", footer=True),
    Action("detach", ("d",), "Detach", "Leave the console; the run goes on.", when=RUN, footer=True),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave; asks whether the run is to be stopped.", footer=True),
    Action("zoom", ("z",), "Zoom", "This pane on the whole screen, or back.", footer=True),
    Action("show-clients", ("1",), "Clients", "Go to the clients."),
    Action("show-charts", ("2",), "Charts", "Go to the charts."),
    Action("show-logs", ("3",), "Logs", "Go to the logs."),
    Action("show-timeline", ("4",), "Timeline", "Go to the timeline."),
    Action("next-pane", ("tab",), "Next pane", "Go to the next pane."),
    Action("previous-pane", ("shift+tab",), "Previous pane", "Go to the pane before."),
    Action("traceback", ("t",), "Traceback", "Show the first traceback of the failure chosen, or of the newest."),
    Action("screenshot", ("f12",), "Screenshot", "Write the screen as a picture into the run directory."),
    Action("redraw", ("ctrl+l",), "Redraw", "Draw the whole screen again."),
    Action("suspend", ("ctrl+z",), "Suspend", "Give the terminal back to the shell for a while; `fg` brings the console back."),
    Action("palette", ("colon", "ctrl+p"), "Commands", "Find an action by its name."),
)  # fmt: skip
"""In the order in which the help shows them."""

BY_NAME = {action.name: action for action in ACTIONS}


_WHY_NOT = {
    Liveness.RUNNING: "the run is going on",
    Liveness.ENDED: "the run has ended",
    Liveness.GONE: "no supervisor runs it: it has to be resumed first",
    Liveness.REPLAY: "this is a replay",
}


def why_not(action: Action, liveness: Liveness, *, read_only: bool) -> str:
    """Why it cannot be done now; empty where it can."""
    if liveness not in action.when:
        return "only in a replay" if action.when == REPLAY else _WHY_NOT[liveness]
    return "read-only: nothing is changed from here" if read_only and action.changes else ""


def can_meet(one: Action, other: Action) -> bool:
    """Whether one key cannot serve both: there is a run and a pane in which either could be meant."""
    panes = {one.place, other.place} - {Place.EVERYWHERE, Place.REPLAY}
    return len(panes) < 2 and not one.when.isdisjoint(other.when)


def sections() -> dict[str, tuple[Action, ...]]:
    """All actions under the headings of the help: what changes the run, each place, the screen itself."""
    grouped: dict[str, list[Action]] = {}
    for action in ACTIONS:
        grouped.setdefault(section_of(action), []).append(action)
    return {heading: tuple(actions) for heading, actions in grouped.items()}


def section_of(action: Action) -> str:
    """The heading under which the help shows it."""
    if action.place is Place.EVERYWHERE:
        return "The run" if action.changes else "The screen"
    return action.place.capitalize()


def actions_of(place: Place) -> tuple[Action, ...]:
    """The actions whose keys work in that place."""
    return tuple(action for action in ACTIONS if action.place is place)
