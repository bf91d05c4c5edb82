"""A run without a screen: it is narrated as it goes, and nobody who stops listening disturbs it."""

import io

import msgspec
import pytest

from engine import telemetry as t
from engine.config import RunConfig
from engine.errors import RunDirectoryBusy
from engine.event_log import EventLog
from flconsole.headless import ROUNDS_KEPT, JsonLines, LiveLine, Narrator, PlainLines, run_headless
from flconsole.narration import about, describe, progress, summary
from flconsole.runs import read_state
from flconsole.state import RunState
from flconsole.supervisor.lock import SupervisorLock
from tests.flconsole.recording import RUN, SERVER_EVENTS, SUPERVISOR_EVENTS, ended, finished, record


@pytest.fixture
def new_run(tmp_path):
    """The directory of a run that has just begun."""
    (tmp_path / RUN).mkdir()
    return tmp_path / RUN


def narrated(run_dir, make_display):
    """What a display shows of the recorded run when it is recorded before its eyes."""
    stream = io.StringIO()
    narrator = Narrator(run_dir, make_display(stream))
    record(run_dir / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS[:-1])
    record(run_dir / "events.jsonl", "server", SERVER_EVENTS)
    narrator.close()
    return stream.getvalue()


def test_the_first_line_says_what_the_data_are_and_that_they_stand_in(new_run):
    first, *_ = narrated(new_run, PlainLines).splitlines()

    assert first.startswith(
        "data digits (a stand-in: CIFAR-10 is not on this disk), model lenet, 3 clients, 3 rounds"
    )


def test_each_round_and_each_noteworthy_event_is_one_line(new_run):
    lines = narrated(new_run, PlainLines).splitlines()

    assert [line for line in lines if line.startswith("round ")] == [
        "round 1/3: accuracy 0.5500, loss 1.4500, 3 updates, 4.00 s",
        "round 2/3: accuracy 0.6100, loss 1.3900, 3 updates, 4.00 s, about 10 s left",
    ]
    assert "client-2 ended: killed by SIGSEGV; it is restarted" in lines
    assert "operator: kill-client client=3 hard=True: client 3 killed" in lines
    assert "broker lost: connection refused" in lines
    assert "broker is back after 0.40 s, empty: open transfers are sent again" in lines
    assert "client 4 refused: no part is free" in lines
    assert "update of client 3 rejected: not finite (NaN or infinity in the delta)" in lines


def test_json_is_the_lines_of_both_files_as_they_are_written(new_run):
    output = narrated(new_run, lambda stream: JsonLines(stream, PlainLines(io.StringIO())))
    recorded = (new_run / "processes.jsonl").read_text() + (new_run / "events.jsonl").read_text()

    assert sorted(output.splitlines()) == sorted(recorded.splitlines())


def test_what_was_recorded_before_is_folded_in_silence(run_dir):
    stream = io.StringIO()
    narrator = Narrator(run_dir, PlainLines(stream))
    narrator.close()

    assert stream.getvalue() == ""
    assert narrator.state == read_state(run_dir, samples=False)


def test_a_narrator_remembers_the_newest_rounds_and_the_newest_that_was_evaluated(new_run):
    narrator = Narrator(new_run, PlainLines(io.StringIO()))
    rounds = [finished(n, 3, 0.5 if n == 7 else None) for n in range(1, 20 * ROUNDS_KEPT)]
    record(new_run / "events.jsonl", "server", rounds)
    narrator.close()

    assert ROUNDS_KEPT < len(narrator.state.history) <= 2 * ROUNDS_KEPT + 1
    assert len(narrator.state.round_ends) <= 2 * ROUNDS_KEPT + 1
    assert narrator.state.rounds_done == 20 * ROUNDS_KEPT - 1
    assert narrator.state.accuracy == 0.5


def test_a_reader_that_went_away_does_not_end_the_run(new_run):
    class Gone(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    narrator = Narrator(new_run, PlainLines(Gone()))
    record(new_run / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS)
    narrator.close()

    assert isinstance(narrator.state.outcome, t.RunStopped)


def test_the_live_line_is_redrawn_in_place_below_the_others(new_run):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    display = LiveLine(stream)
    narrator = Narrator(new_run, display)
    record(new_run / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS[:-1])
    record(new_run / "events.jsonl", "server", SERVER_EVENTS)
    narrator.close()

    assert "round 2/3: accuracy 0.6100" in stream.getvalue()
    assert progress(narrator.state) == "round 3/3 · updates 1/2 · accuracy 0.6100 · about 10 s left"


def test_before_the_first_round_progress_is_who_has_joined(new_run):
    narrator = Narrator(new_run, PlainLines(io.StringIO()))
    record(new_run / "processes.jsonl", "supervisor", SUPERVISOR_EVENTS[:1])
    record(new_run / "events.jsonl", "server", SERVER_EVENTS[:3])
    narrator.close()

    assert progress(narrator.state) == "waiting for clients: 2 of 3 have joined"


def test_an_escape_in_an_event_is_shown_as_text():
    line = describe(t.ClientLeft(client="\x1b[2J", reason="gone\r"), RunState())

    assert line == r"client \x1b[2J left: gone\r"


def test_the_summary_says_how_it_ended_where_the_results_are_and_how_it_goes_on(run_dir):
    lines = summary(read_state(run_dir), run_dir)

    assert lines[:4] == [
        "stopped after 2 rounds in 10 s: stopped by an operator",
        "accuracy 0.6100, loss 1.3900",
        "model digest digest-2",
        f"results in {run_dir}",
    ]
    assert any("events.jsonl" in line for line in lines)
    assert lines[-1] == f"continue with: flconsole resume {RUN}"


def test_a_finished_run_is_not_to_be_continued(new_run):
    record(new_run / "processes.jsonl", "supervisor", [ended(t.RunFinished, rounds=3, reason="")])

    lines = summary(read_state(new_run), new_run)

    assert lines[0] == "finished after 3 rounds in 10 s"
    assert not any("resume" in line for line in lines)


def test_a_run_that_was_ended_early_can_go_on(run_dir):
    """`stop --after-round` ends a run well, and short of what was asked."""
    state = msgspec.structs.replace(read_state(run_dir), outcome=ended(t.RunFinished))

    assert summary(state, run_dir)[-1] == f"continue with: flconsole resume {RUN}"


def test_a_run_that_ended_without_a_word_says_so(new_run):
    assert summary(RunState(), new_run)[0] == "the run ended without saying why; its logs may"


def test_a_run_without_a_number_of_rounds_says_so():
    started = t.RunStarted(
        pid=1,
        run_dir="",
        resumed=False,
        clients=2,
        rounds=None,
        model="cnn",
        dataset="d",
        stand_in="",
        mode="sync",
    )

    assert about(started) == "data d, model cnn, 2 clients, as many rounds as it takes"


def test_the_state_of_a_narrator_follows_a_log_that_goes_on(new_run):
    narrator = Narrator(new_run, PlainLines(io.StringIO()))
    log = EventLog(new_run / "events.jsonl", run=RUN, origin="server")
    for number in range(1, 50):
        log.append(finished(number, 3, 0.5))
    log.close()
    narrator.close()

    assert narrator.state.rounds_done == 49


def test_a_run_that_another_supervisor_holds_is_not_told_to_have_ended(run_dir, capfd):
    with SupervisorLock(run_dir), pytest.raises(RunDirectoryBusy, match="already supervised"):
        run_headless(RunConfig.load(run_dir / "config.toml"), run_dir, resumed=True, json=False)

    assert capfd.readouterr() == ("", "")
    assert not (run_dir / "logs" / "supervisor.log").exists()
