"""From what was typed to a run directory: by precedence, whole or not at all."""

import os
import socket
import tomllib
from pathlib import Path

import msgspec
import pytest

from engine.config import RunConfig
from engine.errors import BrokerError, ConfigError, RunDirectoryError
from flconsole.plan import (
    PreparationError,
    changed_versions,
    create_run,
    reopen_run,
    resolve,
    user_config_file,
    versions,
    write_config,
)
from flconsole.supervisor.lock import SupervisorLock


@pytest.fixture
def user_config(runs_dir):
    """The user's own configuration file, still empty."""
    path = user_config_file()
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def silent_broker():
    """The address of a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def config_file(tmp_path):
    return tmp_path / "run.toml"


def test_an_option_goes_before_the_file_that_before_the_users_own_that_before_the_default(
    user_config, config_file
):
    user_config.write_text("rounds = 11\nclients = 12\nbatch_size = 13\n")
    config_file.write_text("rounds = 21\nclients = 22\n")

    config = resolve({"rounds": "31"}, config_file)

    assert (config.rounds, config.clients, config.batch_size) == (31, 22, 13)
    assert config.learning_rate == RunConfig().learning_rate


def test_without_any_file_the_defaults_stand(runs_dir):
    assert resolve({}, None) == RunConfig()


def test_a_file_that_was_named_must_be_there(runs_dir, config_file):
    with pytest.raises(ConfigError, match=r"run\.toml: No such file"):
        resolve({}, config_file)


@pytest.mark.parametrize("line", ["round = 3", "rounds = 'three'", "mode = 'syn'", "rounds = -1"])
def test_what_is_wrong_in_the_users_own_file_is_named_with_it(user_config, line):
    user_config.write_text(line)

    with pytest.raises(ConfigError, match=str(user_config)):
        resolve({}, None)


def test_a_users_own_file_that_cannot_be_looked_for_is_named(runs_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ("x" * 300)))

    with pytest.raises(ConfigError, match=f"{user_config_file()}: File name too long"):
        resolve({}, None)


def test_what_one_file_leaves_open_another_may_settle(user_config, config_file):
    """A file is not judged alone: only the whole must make sense."""
    user_config.write_text("quorum = 8\n")
    config_file.write_text("clients = 8\n")

    assert resolve({}, config_file).quorum == 8
    with pytest.raises(ConfigError, match=f"{user_config}: quorum = 8"):
        resolve({}, None)
    with pytest.raises(ConfigError, match=f"{user_config} and {config_file} and the options: quorum = 8"):
        resolve({"clients": "7"}, config_file)


def test_a_runs_own_file_starts_another_like_it(runs_dir, config_file):
    first = RunConfig(run_id="first", versions={"python": "2.7"}, stand_in="because", rounds=7)
    config_file.write_text(first.to_toml())

    assert resolve({}, config_file) == RunConfig(rounds=7)


def test_a_run_that_cannot_be_prepared_leaves_nothing_behind(runs_dir, capfd):
    with pytest.raises(PreparationError) as caught:
        create_run(RunConfig(runs_dir=str(runs_dir), dataset="no_such_module:data"))

    assert caught.value.exit_code != 0
    assert str(caught.value) == ""
    assert capfd.readouterr().err != ""  # the child has said why
    assert list(runs_dir.iterdir()) == []


def test_data_that_end_the_process_that_looks_at_them_are_said_to(runs_dir, tmp_path, monkeypatch):
    (tmp_path / "leaves_at_once.py").write_text("import os\nos._exit(0)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(PreparationError, match="ended without an answer") as caught:
        create_run(RunConfig(runs_dir=str(runs_dir), dataset="leaves_at_once:data"))

    assert caught.value.exit_code == 1
    assert list(runs_dir.iterdir()) == []


def test_a_broker_that_does_not_answer_leaves_nothing_behind(runs_dir, capfd, silent_broker):
    asked = RunConfig(runs_dir=str(runs_dir), trainer="null", bootstrap_servers=silent_broker)
    with pytest.raises(PreparationError) as caught:
        create_run(asked)

    assert caught.value.exit_code == BrokerError.exit_code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: no broker at {silent_broker}")
    assert not runs_dir.exists()


def test_a_run_whose_broker_does_not_answer_is_not_resumed(run_dir, capfd, silent_broker):
    config = msgspec.structs.replace(RunConfig.load(run_dir / "config.toml"), bootstrap_servers=silent_broker)
    write_config(config, run_dir)

    with pytest.raises(PreparationError):
        reopen_run(run_dir, {"rounds": "9"})

    assert capfd.readouterr().err.startswith(f"error: no broker at {silent_broker}")
    assert RunConfig.load(run_dir / "config.toml") == config


def test_whoever_has_the_screen_gets_the_reason_and_nothing_is_written_there(run_dir, capfd, silent_broker):
    config = msgspec.structs.replace(RunConfig.load(run_dir / "config.toml"), bootstrap_servers=silent_broker)
    write_config(config, run_dir)

    with pytest.raises(PreparationError, match=f"^no broker at {silent_broker}"):
        reopen_run(run_dir, {"rounds": "9"}, quiet=True)

    assert capfd.readouterr() == ("", "")


def test_a_run_without_room_leaves_nothing_behind(runs_dir):
    asked = RunConfig(runs_dir=str(runs_dir), trainer="null", min_free_disk_mb=10**12)

    with pytest.raises(RunDirectoryError, match=f"free for {runs_dir}, less than min_free_disk_mb"):
        create_run(asked)

    assert not runs_dir.exists()


def test_a_place_whose_name_no_file_could_hold_is_refused(tmp_path, monkeypatch):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(odd).mkdir()
    monkeypatch.chdir(odd)

    with pytest.raises(ConfigError, match="is not UTF-8"):
        create_run(RunConfig(trainer="null"))
    assert list(Path(odd).iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RunDirectoryError, match="file"):
        create_run(RunConfig(runs_dir=str(tmp_path / "file" / "runs")))


def test_a_configuration_is_replaced_whole(tmp_path):
    write_config(RunConfig(rounds=1), tmp_path)
    write_config(RunConfig(rounds=2), tmp_path)

    assert RunConfig.load(tmp_path / "config.toml").rounds == 2
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


# --- going on


def test_a_run_goes_on_with_what_may_change_changed(run_dir):
    config = reopen_run(run_dir, {"rounds": "9", "target_accuracy": "0.9"})

    written = tomllib.loads((run_dir / "config.toml").read_text())
    assert (config.rounds, config.target_accuracy) == (9, 0.9)
    assert (written["rounds"], written["target_accuracy"]) == (9, 0.9)


def test_a_run_that_was_stopped_goes_on_as_it_was(run_dir):
    before = RunConfig.load(run_dir / "config.toml")

    assert reopen_run(run_dir, {}) == before


def test_a_run_goes_on_only_with_a_key_that_can_be_read(run_dir, monkeypatch):
    monkeypatch.chdir(run_dir)
    before = (run_dir / "config.toml").read_text()
    with pytest.raises(ConfigError, match=r"frame_key_file = 'frame\.key': no such file"):
        reopen_run(run_dir, {"frame_key_file": "frame.key"})
    assert (run_dir / "config.toml").read_text() == before

    (run_dir / "frame.key").touch(0o600)
    (run_dir / "frame.key").write_text("ab" * 32)
    config = reopen_run(run_dir, {"frame_key_file": "frame.key"})

    assert config.frame_key_file == str(run_dir / "frame.key")
    assert "abab" not in (run_dir / "config.toml").read_text()


def test_what_may_not_change_is_refused_and_changes_nothing(run_dir):
    before = (run_dir / "config.toml").read_text()

    with pytest.raises(ConfigError, match=r"^learning_rate = 0\.5 cannot replace 0\.01: .*\brounds\b"):
        reopen_run(run_dir, {"rounds": "9", "learning_rate": "0.5"})

    assert (run_dir / "config.toml").read_text() == before


def test_a_key_that_is_none_is_named_with_the_nearest(run_dir):
    with pytest.raises(ConfigError, match="did you mean 'quorum'"):
        reopen_run(run_dir, {"quorun": "2"})


def test_a_run_does_not_go_on_without_room_and_does_where_it_asks_for_less(run_dir):
    with pytest.raises(RunDirectoryError, match="less than min_free_disk_mb"):
        reopen_run(run_dir, {"min_free_disk_mb": "1000000000000"})

    assert reopen_run(run_dir, {"min_free_disk_mb": "0"}).min_free_disk_mb == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": "2"}, "--rounds"),
        ({"target_accuracy": "0.6"}, "--target-accuracy"),
        ({"rounds": "no"}, "'no'"),
    ],
)
def test_what_leaves_nothing_to_do_is_refused_and_changes_nothing(run_dir, changes, words):
    before = (run_dir / "config.toml").read_text()

    with pytest.raises(ConfigError, match=words):
        reopen_run(run_dir, changes)

    assert (run_dir / "config.toml").read_text() == before


def test_a_run_that_is_going_on_is_not_resumed(run_dir):
    with SupervisorLock(run_dir), pytest.raises(RunDirectoryError, match="is running"):
        reopen_run(run_dir, {})


def test_versions_that_differ_from_the_start_are_named():
    config = RunConfig(versions={**versions(), "numpy": "1.0"})

    assert changed_versions(config) == [f"numpy 1.0 -> {versions()['numpy']}"]


def test_a_prepared_run_has_its_directory_and_its_resolved_configuration(runs_dir):
    asked = RunConfig(runs_dir=str(runs_dir), clients=2, trainer="null", model="vector:10")
    config, run_dir = create_run(asked)

    assert RunConfig.load(run_dir / "config.toml") == config
    assert (config.run_id, config.parts, config.rounds, config.jit) == (run_dir.name, 2, 5, False)
    assert config.versions == versions()
    assert sorted(path.name for path in run_dir.iterdir()) == [
        *("checkpoints", "config.toml", "logs", "supervisor.json")
    ]
    assert list(runs_dir.iterdir()) == [run_dir]


def test_a_run_keeps_where_its_key_is_and_not_the_key(runs_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("frame.key").touch(0o600)
    Path("frame.key").write_text("ab" * 32)
    asked = RunConfig(runs_dir=str(runs_dir), trainer="null", model="vector:10", frame_key_file="frame.key")
    config, run_dir = create_run(asked)

    assert config.frame_key_file == str(tmp_path / "frame.key")
    assert "abab" not in (run_dir / "config.toml").read_text()


def test_run_ids_sort_by_their_start_and_never_collide(runs_dir):
    asked = RunConfig(runs_dir=str(runs_dir), trainer="null", model="vector:10")
    run_ids = [create_run(asked)[0].run_id for _ in range(3)]

    assert len(set(run_ids)) == 3
    assert [run_id[:15] for run_id in run_ids] == sorted(run_id[:15] for run_id in run_ids)
