"""Every action that changes a run, against a real supervisor; what the run looks like is staged."""

import signal
import tempfile

import pytest

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.tui.actions import ACTIONS
from flconsole.tui.key_line import KeyLine
from flconsole.tui.view import Liveness
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import accepted, finished, joined, started
from tests.flconsole.supervisor.harness import RunUnderTest

IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')"


@pytest.fixture(scope="module")
def runtime_dir():
    """Where the sockets are: what a login gives a user."""
    with tempfile.TemporaryDirectory(prefix="fl-") as path, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", path)
        yield path


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory, runtime_dir):
    """A supervisor with a stand-in server and two stand-in clients, for all tests that leave it running."""
    under_test = RunUnderTest(tmp_path_factory.mktemp("shared"))
    under_test.start()
    yield under_test
    under_test.end()


@pytest.fixture
def run(shared_run):
    """The shared run with both of its clients up, and nothing asked of it."""
    for client in ("1", "2"):
        if f"client-{client}" not in shared_run.running():
            shared_run.request("restart-client", client=client)
            shared_run.wait(lambda: f"client-{client}" in shared_run.running(), "it runs again")  # noqa: B023
    shared_run.asked_before = len(shared_run.events(t.Command))
    return shared_run


@pytest.fixture
def run_of_its_own(tmp_path, runtime_dir):
    under_test = RunUnderTest(tmp_path / "run")
    under_test.run_dir.mkdir()
    yield under_test
    under_test.end()


@pytest.fixture
def no_run(tmp_path, runtime_dir):
    """A run directory that nobody supervises."""
    return RunUnderTest(tmp_path)


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


# --- adding clients


def test_adding_clients_asks_how_many_and_on_what(run):
    async def scenario(operator):
        await operator.press("a")
        await operator.asked("free: 2, 3; empty: any")
        await operator.press("2", "enter")
        await operator.told("started client")
        assert not operator.is_asked

    at_both_sizes(scenario, run)

    assert commands(run) == [("add-client", {"count": 2}, True)] * 2


def test_a_client_can_be_given_its_part_and_its_gpu(run):
    async def scenario(operator):
        await operator.press("a", "tab", "3", "down", "0", "enter")
        await operator.until(lambda: commands(run), "it is asked")

    at_console(scenario, stage(run))

    assert [asked for _, asked, _ in commands(run)] == [{"count": 1, "part": 3, "gpu": 0}]


def test_what_cannot_be_added_is_said_in_the_dialog_and_nothing_is_asked(run):
    async def scenario(operator):
        await operator.press("a", "tab", "1", "enter")
        await operator.asked("Data part: 1 is taken; free: 2, 3")
        await operator.press("backspace", "9", "enter")
        await operator.asked("Data part: '9' will not do; a whole number from 0 to 3")
        await operator.press("up", "x", "enter")
        await operator.asked("How many: 'x' will not do; a whole number from 1 to 1000")
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "the dialog is left")

    at_both_sizes(scenario, run)

    assert commands(run) == []


def test_where_no_part_is_free_the_operator_learns_what_would_happen(no_run):
    async def scenario(operator):
        await operator.press("a")
        await operator.asked("All 4 parts of the data are taken, so the server will refuse another client")
        assert "--parts" in operator.screen

    at_both_sizes(scenario, no_run, joined("3", 2), joined("4", 3))


def test_one_more_client_with_one_key(run):
    async def scenario(operator):
        await operator.press("+")
        await operator.told("started client")

    at_both_sizes(scenario, run)

    assert commands(run) == [("add-client", {"count": 1}, True)] * 2


# --- ending and restarting clients

QUESTIONS = {
    "K": "Kill client 1?",
    "k": "Stop client 1?",
    "r": "Restart client 1?",
    "-": "Stop client 2, the newest?",
    "x": "End the run when the open round is finished?",
    "X": "End the run now, with its 3 processes?",
}


def test_nothing_is_ended_without_a_yes(run):
    async def scenario(operator):
        for key, question in QUESTIONS.items():
            await operator.press(key)
            await operator.asked(question)
            assert "[ Cancel (n) ]" in operator.screen
            await operator.press("enter")
            await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_both_sizes(scenario, run)

    assert commands(run) == []


def test_a_key_that_is_pressed_twice_asks_once(no_run):
    async def scenario(operator):
        operator.app.simulate_key("K")
        operator.app.simulate_key("K")
        await operator.asked("Kill client 1?")
        await operator.press("escape")
        await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_console(scenario, stage(no_run))


@pytest.mark.parametrize("no", ["n", "escape"])
def test_there_are_other_ways_to_say_no(run, no):
    async def scenario(operator):
        await operator.press("K")
        await operator.asked("Kill client 1?")
        await operator.press(no)
        await operator.until(lambda: not operator.is_asked, "the question is gone")

    at_console(scenario, stage(run))

    assert commands(run) == []


@pytest.mark.parametrize(("key", "signum"), [("k", "SIGTERM"), ("K", "SIGKILL")])
def test_a_client_is_ended_gently_or_at_once(run, key, signum):
    async def scenario(operator):
        await operator.press(key)
        await operator.asked("client 1?")
        await operator.press("y")
        await operator.told("client 1 is being")

    at_console(scenario, stage(run))
    run.wait(lambda: run.process("client-1")["state"] == "out", "the client has ended")

    assert run.exits("client-1")[-1].signal == signum


def test_an_action_hits_all_marked_clients_and_says_so_once(run):
    async def scenario(operator):
        await operator.press("space", "down", "space", "K")
        await operator.asked("Kill 2 clients: 1, 2?")
        await operator.press("right", "enter")
        assert await operator.told("2 clients") == "done for 2 clients: 1, 2"

    at_console(scenario, stage(run), size=SIZES[1])

    assert commands(run) == [("kill-client", {"client": name, "hard": True}, True) for name in ("1", "2")]


def test_of_several_clients_the_refused_ones_are_named(run):
    async def scenario(operator):
        await operator.press("asterisk", "r")
        await operator.asked("Restart 3 clients: 1, 2, 99?")
        await operator.press("y")
        await operator.told("done for 2 clients: 1, 2; there is no client '99'")

    at_console(scenario, stage(run, started("client-99", "client", 199, "99"), joined("99", 2)))


def test_a_client_is_started_anew(run):
    async def scenario(operator):
        await operator.press("down", "r")
        await operator.asked("Restart client 2?")
        await operator.press("y")
        await operator.told("client 2 is being restarted")

    at_both_sizes(scenario, run)

    assert commands(run) == [("restart-client", {"client": "2"}, True)] * 2


def test_the_newest_client_is_stopped_with_one_key(run):
    async def scenario(operator):
        await operator.press("-")
        await operator.asked("Stop client 2, the newest?")
        await operator.press("y")
        await operator.told("client 2 is being stopped")

    at_console(scenario, stage(run))


# --- pausing


def test_clients_are_paused_and_if_all_are_they_go_on(run):
    async def scenario(operator):
        await operator.press("asterisk", "p")
        await operator.told("heard")

    at_both_sizes(scenario, run, t.ClientPaused(client="1"))
    at_both_sizes(scenario, run, t.ClientPaused(client="1"), t.ClientPaused(client="2"))

    asked = {"clients": ["1", "2"]}
    assert commands(run) == [("pause", asked, True)] * 2 + [("unpause", asked, True)] * 2


def test_the_federation_is_paused_and_goes_on(run):
    async def scenario(operator):
        await operator.press("P")
        await operator.told("heard")

    at_both_sizes(scenario, run)
    at_both_sizes(scenario, run, t.FederationPaused())

    assert [command for command, _, _ in commands(run)] == ["pause", "pause", "unpause", "unpause"]


# --- rules

RULED = t.RoundOpened(round=1, cohort=["1", "2", "3"], quorum=2, deadline_s=30.0, base="b")


def test_the_rules_in_force_are_there_to_be_changed(run):
    async def scenario(operator):
        await operator.press("e")
        await operator.asked("Quorum |2")
        assert "Deadline |30" in operator.screen
        await operator.press("1", "enter")
        await operator.told("heard")

    at_both_sizes(scenario, run, RULED)

    assert commands(run) == [("set", {"quorum": 1, "clear": []}, True)] * 2


def test_an_emptied_rule_is_taken_away(run):
    async def scenario(operator):
        await operator.press("e", "tab", "backspace", "enter")
        await operator.told("heard")

    at_console(scenario, stage(run, RULED))

    assert commands(run) == [("set", {"clear": ["deadline_s"]}, True)]


def test_rules_that_nobody_changed_are_left_alone(run):
    async def scenario(operator):
        await operator.press("e", "enter")
        await operator.until(lambda: not operator.is_asked, "the dialog is left")

    at_console(scenario, stage(run, RULED))

    assert commands(run) == []


def test_what_is_no_rule_is_refused_in_the_words_of_the_command_line(no_run):
    async def scenario(operator):
        await operator.press("e", "x", "enter")
        await operator.asked("quorum: 'x' will not do")

    at_both_sizes(scenario, no_run)


# --- saving


def test_the_checkpoint_and_the_charts_are_saved_and_told_in_one_notice(run):
    async def scenario(operator):
        await operator.press("s")
        assert await operator.told("heard") == f"heard; {len(saved())} charts in {run.run_dir / 'plots'}"

    def saved():
        return list((run.run_dir / "plots").glob("*.svg"))

    at_both_sizes(scenario, run, RULED, accepted("1", 1), finished(1, 1, 0.5))

    assert saved()
    assert commands(run) == [("save", {}, True)] * 2


def test_without_a_supervisor_the_charts_are_saved_all_the_same(no_run):
    async def scenario(operator):
        await operator.press("s")
        notice = await operator.told("no supervisor is running")
        assert notice.endswith(f"charts in {no_run.run_dir / 'plots'}")

    at_console(scenario, stage(no_run, RULED, accepted("1", 1), finished(1, 1, 0.5)))


# --- the end


def test_the_run_ends_after_the_round(run_of_its_own):
    async def scenario(operator):
        await operator.press("x")
        await operator.asked("End the run when the open round is finished?")
        await operator.press("y")
        await operator.told("the run ends when the open round is finished")

    run_of_its_own.start()
    at_both_sizes(scenario, run_of_its_own)

    assert {"type": "StopAfterRound"} in run_of_its_own.heard()


def test_the_run_ends_now_and_the_console_stays(run_of_its_own):
    async def scenario(operator):
        await operator.press("X")
        await operator.asked("End the run now")
        await operator.press("y")
        await operator.until(lambda: run_of_its_own.supervisors[0].poll() is not None, "the run has ended")
        await operator.until(lambda: not operator.is_asked, "the list of the living is gone")

    run_of_its_own.start()

    assert at_console(scenario, stage(run_of_its_own)) is None
    assert run_of_its_own.exit_code() == 143


def test_whoever_keeps_a_run_from_ending_is_named_and_can_be_killed(run_of_its_own):
    run = run_of_its_own
    run.client_does("1", IGNORE_TERM)
    run.start(stop_timeout_s=60.0)
    run.wait(lambda: "deaf" in run.log("client-1"), "the client is deaf")

    async def scenario(operator):
        await operator.press("X")
        await operator.asked("End the run now")
        await operator.press("y")
        await operator.asked("Still alive: nursery pid")
        await operator.until(
            lambda: "client-1 pid" in operator.screen and "client-2 pid" not in operator.screen, "one is left"
        )
        await operator.press("K")
        await operator.until(lambda: not operator.is_asked, "nobody is left")

    at_console(scenario, stage(run))

    assert run.exits("client-1")[0].signal == "SIGKILL"


# --- leaving


def test_leaving_asks_and_detaching_is_the_default(run):
    async def stays(operator):
        for no in ("escape", "c"):
            await operator.press("q")
            await operator.asked("[ Detach (d) ] Stop the run (s) Cancel (c)")
            await operator.press(no)
            await operator.until(lambda: not operator.is_asked, "the question is gone")

    async def leaves(operator):
        await operator.press("q")
        await operator.asked("Detach")
        await operator.press("enter")

    for size in SIZES:
        assert at_console(stays, stage(run), size=size) is None
        assert at_console(leaves, stage(run), size=size) == 0
    assert commands(run) == []


def test_leaving_can_stop_the_run(run_of_its_own):
    async def scenario(operator):
        await operator.press("q")
        await operator.asked("Stop the run")
        await operator.press("s")
        await operator.until(lambda: operator.app.return_value is not None, "the console has ended")

    run_of_its_own.start()

    assert at_console(scenario, stage(run_of_its_own)) == 0
    assert run_of_its_own.exit_code() == 143


@pytest.mark.parametrize("liveness", [Liveness.ENDED, Liveness.GONE, Liveness.REPLAY])
def test_where_nothing_goes_on_leaving_asks_nothing(no_run, liveness):
    source = stage(no_run)
    source.liveness = liveness

    async def scenario(operator):
        await operator.press("q")

    assert at_console(scenario, source) == 0


# --- a supervisor that does not answer


def test_a_supervisor_that_hangs_holds_nothing_up(run):
    async def scenario(operator):
        operator.run_screen.answer_timeout_s = 1.0
        await operator.press("plus", "2")
        assert operator.run_screen.active_pane == "charts"
        assert operator.notices == []
        await operator.told("has not answered 'add-client' for 1 s; its process is there, but does nothing")

    (supervisor,) = run.supervisors
    supervisor.send_signal(signal.SIGSTOP)
    try:
        at_console(scenario, stage(run))
    finally:
        supervisor.send_signal(signal.SIGCONT)


def test_a_supervisor_that_is_gone_is_said_to_be(no_run):
    async def scenario(operator):
        await operator.press("plus")
        await operator.told("no supervisor is running")

    at_console(scenario, stage(no_run))


# --- who may not


@pytest.mark.parametrize("liveness", [Liveness.RUNNING, Liveness.GONE])
def test_looking_only_changes_nothing_and_says_so(run, liveness):
    async def scenario(operator):
        for action in ACTIONS:
            if action.changes and liveness in action.when:
                await operator.press(action.keys[0])
                await operator.told(f"{action.title}: read-only: nothing is changed from here")
                assert not operator.is_asked
        in_last_line = {item.title: item.enabled for item in operator.run_screen.query_one(KeyLine)._items}
        assert not any(in_last_line.get(action.title) for action in ACTIONS if action.changes)
        assert in_last_line["Help"]

    at_both_sizes(scenario, run, read_only=True, liveness=liveness)

    assert commands(run) == []


@pytest.mark.parametrize(
    ("liveness", "reason"),
    [
        (Liveness.ENDED, "the run has ended"),
        (Liveness.GONE, "no supervisor runs it: it has to be resumed first"),
        (Liveness.REPLAY, "this is a replay"),
    ],
)
def test_what_needs_a_running_run_says_why_it_cannot_be_done(no_run, liveness, reason):
    source = stage(no_run)
    source.liveness = liveness

    async def scenario(operator):
        await operator.press("a")
        await operator.told(f"Add: {reason}")
        assert not operator.is_asked

    at_console(scenario, source)
