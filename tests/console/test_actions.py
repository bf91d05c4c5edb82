"""The registry: every key leads to one action, and every action to a method."""

import pytest

from flconsole.tui.actions import ACTIONS, BY_NAME, Place, can_meet, sections, why_not
from flconsole.tui.key_line import KeyLine
from flconsole.tui.keys import Keys
from flconsole.tui.panes.charts import ChartsPane
from flconsole.tui.panes.clients import ClientsPane
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.panes.timeline import TimelinePane
from flconsole.tui.run_screen import RunScreen
from flconsole.tui.view import Liveness
from tests.console.operating import at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined

OWNERS = {
    Place.CLIENTS: ClientsPane,
    Place.CHARTS: ChartsPane,
    Place.LOGS: LogsPane,
    Place.TIMELINE: TimelinePane,
    Place.EVERYWHERE: RunScreen,
    Place.REPLAY: RunScreen,
}
PANES = [Place.CLIENTS, Place.CHARTS, Place.LOGS, Place.TIMELINE]

each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)


def test_no_key_could_mean_two_things():
    Keys().check("the registry")


def test_two_actions_can_meet_where_a_pane_and_a_run_are_theirs():
    kill, restart, resume, play = (
        BY_NAME[n] for n in ("kill-client", "restart-client", "resume-run", "play")
    )
    follow, detach = BY_NAME["log-follow"], BY_NAME["detach"]

    assert can_meet(kill, restart)
    assert can_meet(kill, detach)
    assert not can_meet(kill, follow)  # other panes
    assert not can_meet(restart, resume)  # other runs
    assert not can_meet(BY_NAME["pause-client"], play)


def test_names_are_unique():
    assert len(BY_NAME) == len(ACTIONS)


@each_action
def test_every_action_is_a_method_where_its_key_works(action):
    owner = RunScreen if action.changes else OWNERS[action.place]

    assert callable(getattr(owner, f"action_{action.method}", None))


@each_action
def test_every_action_says_what_it_does_in_a_sentence(action):
    assert action.help.endswith(".")
    assert action.help[0].isupper()
    assert len(action.title) <= 16
    assert action.keys
    assert action.when


def test_the_help_groups_every_action_once():
    grouped = [action for actions in sections().values() for action in actions]

    assert sorted(grouped, key=ACTIONS.index) == list(ACTIONS)
    assert list(sections()) == ["The run", "Clients", "Charts", "Logs", "Timeline", "Replay", "The screen"]


def test_what_changes_a_run_needs_one_that_can_be_changed():
    changing = [action for action in ACTIONS if action.changes]

    assert all(Liveness.REPLAY not in action.when for action in changing)
    assert all(why_not(action, liveness, read_only=True) for action in changing for liveness in Liveness)
    assert not any(why_not(a, Liveness.RUNNING, read_only=False) for a in changing if a.name != "resume-run")


def test_what_destroys_asks():
    asking = {action.name for action in ACTIONS if action.asks}

    assert asking == {
        "stop-newest", "stop-after-round", "stop-now", "stop-client", "kill-client", "restart-client"
    }  # fmt: skip


# --- the last line


@pytest.mark.parametrize("liveness", Liveness)
def test_80_columns_hold_the_keys_that_matter(liveness):
    pinned = {"Play/pause", "Step"} if liveness is Liveness.REPLAY else {"Detach", "Quit"}

    for pane, shown in keys_shown(liveness, width=80).items():
        own = {a.title for a in ACTIONS if a.place is pane and a.footer and liveness in a.when}
        assert own | pinned | {"Help"} <= set(shown)


def test_60_columns_hold_what_ends_clients_and_the_console():
    shown = keys_shown(Liveness.RUNNING, width=60)

    assert shown[Place.CLIENTS] == ["Stop", "Kill", "Restart", "Pause", "Add", "Detach", "Help"]


def keys_shown(liveness, *, width):
    """The titles in the last line, while each pane has the focus."""
    source, shown = Stage(run_started(), joined("1", 0)), {}
    source.liveness = liveness

    async def scenario(operator):
        for pane in PANES:
            operator.run_screen.activate(pane)
            await operator.pilot.pause()
            shown[pane] = [item.title for item in operator.run_screen.query_one(KeyLine)._shown]

    at_console(scenario, source, size=(width, 24))
    return shown
