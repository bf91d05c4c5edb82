"""The command line: data on standard output, an error of one line, an exit code that tells of which kind."""

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.config import RunConfig
from flconsole.cli import app, main
from flconsole.resuming import MAY_CHANGE
from flconsole.settings import WRITTEN_BY_THE_RUN, settings
from tests.flconsole.recording import RUN

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture
def call(runs_dir, capfd):
    """Runs one command in this process: its exit code, output and narration."""

    def call_once(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        output, narration = capfd.readouterr()
        return ended.value.code or 0, output, narration

    return call_once


# --- what cannot be run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--roundz", "3"], ["--roundz", "--rounds"]),
        (["run", "--mode", "syn"], ["--mode", "'syn'", "did you mean 'sync'?"]),
        (["run", "--partition", "iids"], ["--partition", "did you mean 'iid'?"]),
        (["run", "--model", "lennet"], ["model", "did you mean 'lenet'?"]),
        (["run", "--rounds", "many"], ["--rounds", "'many'"]),
        (["run", "--rounds", "0"], ["--rounds", ">= 1"]),
        (["run", "--quorum", "9"], ["quorum = 9", "3 parts"]),
        (["run", "--init-from", "nowhere.keras"], ["init_from", "nowhere.keras", "no such file"]),
        (["run", "--frame-key-file", "nowhere.key"], ["frame_key_file", "nowhere.key", "openssl rand"]),
        (["--threads", "2", "--jit"], ["threads = 1"]),
        (["runn"], ["runn", "'run'"]),
        (["status", "nothing"], ["no runs in runs"]),
    ],
)
def test_what_cannot_be_run_ends_with_2_and_names_the_nearest(call, runs_dir, arguments, words):
    code, output, narration = call(*arguments)

    assert (code, output) == (2, "")
    assert all(word in narration for word in words), narration
    assert "Traceback" not in narration
    assert not runs_dir.exists()


def test_an_unknown_key_in_a_file_is_named_with_the_file(call, tmp_path):
    (tmp_path / "mine.toml").write_text("learning_rat = 0.1\n")
    code, _, narration = call("run", "--config", "mine.toml")

    assert code == 2
    assert narration == "error: mine.toml: 'learning_rat' is not a key; did you mean 'learning_rate'?\n"


# --- the options are the configuration's keys


def test_every_key_is_an_option_with_its_explanation(call):
    code, output, _ = call("run", "--help")

    assert code == 0
    for field in msgspec.structs.fields(RunConfig):
        option = "--" + field.name.replace("_", "-")
        assert (re.search(rf"^  {option}\b", output, re.MULTILINE) is not None) == (
            field.name not in WRITTEN_BY_THE_RUN
        )
    assert "round 1 waits" in output


def test_choices_are_shown_in_the_help(call):
    _, output, _ = call("run", "--help")

    assert "--partition iid|shards|dirichlet" in output
    assert "--jit / --no-jit" in output


def test_the_help_of_resume_tells_what_may_change(call):
    _, output, _ = call("resume", "--help")

    shown = set(re.findall(r"^  --([a-z-]+)", output, re.MULTILINE))
    assert {key.replace("_", "-") for key in MAY_CHANGE} == shown - {
        "headless", "json", "low-bandwidth", "runs-dir"
    }  # fmt: skip
    assert "[default" not in output


def test_resuming_with_what_may_not_change_is_an_error_of_usage(call, run_dir):
    code, output, narration = call("resume", "--seed", "2")

    assert (code, output) == (2, "")
    assert narration.startswith("error: seed = 2 cannot replace 1: ")
    assert len(narration.splitlines()) == 1


def test_every_setting_knows_its_type():
    assert settings()["rounds"].placeholder == "N"
    assert settings()["learning_rate"].placeholder == "X"
    assert settings()["jit"].is_flag


# --- looking at a recorded run


def test_runs_lists_what_is_there(call, run_dir):
    code, output, _ = call("runs")

    assert code == 0
    assert re.search(rf"{RUN} +stopped +2/3 +0.6100 +lenet +digits", output)


def test_runs_as_json(call, run_dir):
    _, output, narration = call("runs", "--json")
    (run,) = json.loads(output)

    assert (run["id"], run["status"], run["rounds_done"], run["accuracy"]) == (RUN, "stopped", 2, 0.61)
    assert narration == ""


def test_no_runs_are_an_empty_list(call):
    assert call("runs", "--json")[1] == "[]\n"


@pytest.mark.parametrize("name", [[], [RUN], [RUN[:10]], [f"runs/{RUN}"]])
def test_a_run_is_named_by_id_prefix_or_path_and_is_otherwise_the_newest(call, run_dir, name):
    code, output, _ = call("status", *name)

    assert code == 0
    assert output.startswith(f"run {RUN}: stopped\n")


def test_a_prefix_of_several_runs_names_them(call, run_dir):
    other = run_dir.with_name("20260102-999999-ffff")
    other.mkdir()
    (other / "config.toml").write_text("")
    code, _, narration = call("status", "20260102")

    assert code == 2
    assert RUN in narration
    assert other.name in narration


def test_status_says_what_is_trained_on_what(call, run_dir):
    _, output, _ = call("status")

    assert "data digits (a stand-in: CIFAR-10 is not on this disk)" in output
    assert re.search(r"^3 +stopped +here +2 +2 +1 ", output, re.MULTILINE)
    assert re.search(r"^server +- +1 ", output, re.MULTILINE)


def test_status_as_json_is_the_whole_state(call, run_dir):
    state = json.loads(call("status", "--json")[1])

    assert (state["status"], state["rounds_done"]) == ("stopped", 2)
    assert state["client_states"] == {"1": "stopped", "2": "stopped", "3": "stopped", "4": "stopped"}
    assert state["history"]["2"]["digest"] == "digest-2"


def test_events_are_the_lines_of_both_files_unchanged(call, run_dir):
    _, output, _ = call("events")
    recorded = (run_dir / "events.jsonl").read_text() + (run_dir / "processes.jsonl").read_text()

    assert sorted(output.splitlines()) == sorted(recorded.splitlines())


def test_logs_are_named_when_there_are_several(call, run_dir):
    _, output, _ = call("logs")

    assert output.startswith("client-1 | training\nserver | server is up\n")


def test_the_log_of_one_process_is_unchanged_in_a_pipe(call, run_dir):
    _, output, _ = call("logs", "--process", "server")

    assert output == (run_dir / "logs" / "server.log").read_text()


def test_a_process_without_a_log_is_named_with_the_nearest(call, run_dir):
    code, _, narration = call("logs", "--process", "serve")

    assert code == 2
    assert "did you mean 'server'?" in narration


def test_following_a_run_that_has_ended_ends(call, run_dir):
    assert call("events", "-f") == call("events")
    assert call("logs", "-f") == call("logs")


# --- stepping in


@pytest.mark.parametrize(
    "command", [["stop"], ["add-client"], ["kill-client", RUN, "1"], ["set", RUN, "quorum=2"]]
)
def test_a_run_that_has_ended_cannot_be_changed(call, run_dir, command):
    code, output, narration = call(*command)

    assert (code, output) == (1, "")
    assert "flconsole resume" in narration


@pytest.mark.parametrize(
    "rule",
    [
        "quorum",
        "quorums=2",
        "quorum=0",
        "quorum=two",
        "deadline_s=-1",
        "aggregation_interval_seconds=none",
        "aggregation_interval_seconds=1e308",
        "min_updates_per_aggregation=0",
        "clear=quorum",
    ],
)
def test_a_rule_that_is_none_is_refused(call, run_dir, rule):
    code, _, narration = call("set", RUN, rule)

    assert code == 2
    assert rule in narration


def test_a_run_with_nothing_left_to_do_is_not_resumed(call, run_dir):
    code, _, narration = call("resume", RUN, "--rounds", "2")

    assert code == 2
    assert "all 2 rounds are done" in narration
    assert "rounds = 3" in (run_dir / "config.toml").read_text()


# --- the process itself


def test_the_module_is_the_command():
    finished = subprocess.run(
        [sys.executable, "-m", "flconsole", "--help"], capture_output=True, text=True, check=True, timeout=60
    )

    assert {command.name for command in app.registered_commands if command.name} <= set(
        finished.stdout.split()
    )


def test_an_error_in_a_process_is_one_line_and_its_code(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "flconsole", "status", "--runs-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1


def test_the_documentation_has_every_option_as_the_help_tells_it():
    documented = re.findall(
        r"^\| `--([a-z-]+)[^|]*?(?:\\\|[^|]*?)*` \| (.*?) *\|$", REFERENCE.read_text(), re.MULTILINE
    )

    assert documented == [(key.replace("_", "-"), setting.help) for key, setting in settings().items()]


def test_the_documentation_has_every_command():
    documented = re.findall(r"^\| `flconsole ([a-z-]+)", REFERENCE.read_text(), re.MULTILINE)

    assert documented == [info.name or info.callback.__name__ for info in app.registered_commands]
