"""The doctor looks at the real thing; what is broken is really broken."""

import json
import os
import pty
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from engine.config import RunConfig
from flconsole.doctor import asking
from flconsole.doctor.asking import ask_engine
from flconsole.doctor.checks import CHECKS, Circumstances, diagnose
from flconsole.plan import user_config_file

ROOT = Path(__file__).parents[3]
BROKEN = "raise ImportError('libcudart.so.12: no such file')"
HANGS = """
import os, pathlib, subprocess, threading
sleeper = subprocess.Popen(["sleep", "600"])
pathlib.Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {sleeper.pid}")
threading.Event().wait()
"""
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"


@pytest.fixture
def here(runs_dir):
    """Nothing of the user's own, and no terminal."""
    return Circumstances(RunConfig(), runs_dir, {})


@pytest.fixture
def packages(runs_dir, tmp_path, monkeypatch):
    """A folder whose packages come before those that are installed."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    return folder


def found(check, here):
    return {finding.name: finding for finding in CHECKS[check](here)}


# --- each check


def test_this_python_and_this_machine_are_told(here):
    assert sys.executable in found("python", here)["python"].text
    assert found("machine", here)["machine"].level == "ok"
    assert found("machine", here)["open files"].text.endswith("in one process")


@pytest.mark.broker
def test_the_embedded_broker_carries_a_record_and_is_gone_afterwards(here):
    before = set(psutil.Process().children(recursive=True))
    broker = found("broker", here)["broker"]

    assert (broker.level, broker.exit_code) == ("ok", 1)
    assert "carries a record" in broker.text
    assert set(psutil.Process().children(recursive=True)) == before


def test_a_cluster_that_does_not_answer_is_a_problem_of_the_broker(here):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        config = RunConfig(bootstrap_servers=address)
        broker = found("broker", Circumstances(config, here.runs_dir, {}))["broker"]

    assert (broker.level, broker.exit_code) == ("problem", 3)
    assert broker.text.startswith(f"no broker at {address}")
    assert broker.remedy


def test_without_cifar10_the_digits_stand_in(here, tmp_path, monkeypatch):
    monkeypatch.delenv("FLCONSOLE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    data = found("data", here)

    assert [data["cifar10"].level, data["digits"].level] == ["note", "ok"]
    assert "FLCONSOLE_DATA" in data["cifar10"].remedy
    assert data["digits"].text.startswith("1,797 images")


def test_a_damaged_cifar10_is_a_problem_of_the_data(here, tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(b"torn")
    monkeypatch.setenv("FLCONSOLE_DATA", str(tmp_path))
    data = found("data", here)

    assert (data["cifar10"].level, data["cifar10"].exit_code) == ("problem", 4)
    assert str(folder) in data["cifar10"].text
    assert data["digits"].level == "ok"


def test_a_place_for_runs_can_be_written_has_room_and_a_socket(here, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="fl-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        runs = found("runs", here)

    assert [finding.level for finding in runs.values()] == ["ok", "ok", "ok"]
    assert runs["runs"].text == f"{here.runs_dir} can be made"
    assert runs["sockets"].text == f"{runtime}/flconsole"
    assert not here.runs_dir.exists()


def test_a_place_where_no_run_can_be_made_is_a_problem(here, tmp_path):
    (tmp_path / "file").touch()
    runs = found("runs", Circumstances(RunConfig(), tmp_path / "file" / "runs", {}))

    assert runs["runs"].level == "problem"
    assert f"{tmp_path}/file: " in runs["runs"].text
    assert "--runs-dir" in runs["runs"].remedy


def test_a_disk_with_less_room_than_a_run_wants_is_a_problem(here):
    greedy = RunConfig(min_free_disk_mb=10**12)
    disk = found("runs", Circumstances(greedy, here.runs_dir, {}))["disk"]

    assert disk.level == "problem"
    assert "flconsole prune" in disk.remedy


def test_where_a_path_is_too_long_for_a_socket_another_is_taken(here, tmp_path, monkeypatch):
    far = tmp_path / ("x" * 100)
    far.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(far))
    monkeypatch.setattr(tempfile, "tempdir", str(far))
    sockets = found("runs", here)["sockets"]

    assert sockets.level == "ok"
    assert len(sockets.text) < len(str(far))


# --- the processes that look


@pytest.mark.parametrize(
    ("program", "words"),
    [(BROKEN, "does not work: ImportError: libcudart.so.12: no such file"), (DIES, "killed by SIGILL")],
)
def test_a_tensorflow_that_does_not_work_is_a_problem_in_its_own_words(packages, program, words):
    (packages / "tensorflow.py").write_text(program)
    (finding,) = ask_engine("tensorflow")

    assert (finding.level, finding.exit_code) == ("problem", 1)
    assert words in finding.text
    assert finding.remedy


def test_whatever_hangs_is_ended_with_all_that_it_has_started(packages, tmp_path, monkeypatch):
    (packages / "tensorflow.py").write_text(HANGS)
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setitem(asking._TIMEOUT_S, "tensorflow", 3.0)
    (finding,) = ask_engine("tensorflow")

    assert finding.text.startswith("no answer within 3 s")
    started = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    living = [pid for pid in started if psutil.pid_exists(pid)]
    assert [pid for pid in living if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.tensorflow
def test_tensorflow_is_imported_and_computes(runs_dir):
    (finding,) = ask_engine("tensorflow")

    assert finding.level == "ok"
    assert "imported in" in finding.text


# --- all of them


def test_a_configuration_that_makes_no_sense_is_a_problem_and_the_other_checks_are_made(runs_dir):
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text("round = 3\n")
    checks = diagnose()
    name, findings = next(checks)
    (finding,) = findings

    assert (name, finding.level, finding.exit_code) == ("configuration", "problem", 2)
    assert str(user_config_file()) in finding.text
    assert [name for name, _ in checks] == list(CHECKS)


def doctor(*arguments, **environment):
    command = [sys.executable, "-m", "flconsole", "doctor", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )


@pytest.mark.broker
def test_the_command_makes_all_checks_although_one_fails(packages):
    (packages / "tensorflow.py").write_text(BROKEN)
    told = doctor("--json", PATH="")
    report = json.loads(told.stdout)
    levels = {finding["name"]: finding["level"] for finding in report["findings"]}

    assert (told.returncode, report["exit_code"], told.stderr) == (1, 1, "")
    assert levels["tensorflow"] == "problem"
    assert levels.keys() >= {"configuration", "python", "machine", "broker", "digits", "runs", "terminal"}
    assert {name for name, level in levels.items() if level == "problem"} == {"tensorflow"}


@pytest.mark.broker
def test_on_a_terminal_it_tells_of_the_terminal_in_colours(packages):
    (packages / "tensorflow.py").write_text(BROKEN)
    terminal, inner = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "TMUX": "", "STY": ""}
    command = [sys.executable, "-m", "flconsole", "doctor"]
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        seen = bytearray()
        try:
            while chunk := os.read(terminal, 4096):
                seen += chunk
        except OSError:  # how Linux says that the last writer has closed the terminal
            pass
    os.close(terminal)

    assert process.returncode == 1
    assert b"\x1b[1;31mproblem" in seen
    assert b"256 colours" in seen
    assert b"1 problem" in seen
