"""A change of the rules is in the run's configuration, which every further server reads."""

import pytest

from engine.commands import SetRound
from engine.config import RunConfig
from engine.errors import ConfigError
from flconsole.supervisor.rules import keep_rules


@pytest.fixture
def run_dir(tmp_path):
    config = RunConfig(quorum=3, deadline_s=9.0, clients=4, seed=7)
    (tmp_path / "config.toml").write_text(config.to_toml())
    return tmp_path


def test_a_change_is_written_and_all_else_stays(run_dir):
    keep_rules(run_dir, SetRound(quorum=2))

    expected = RunConfig(quorum=2, deadline_s=9.0, clients=4, seed=7)
    assert RunConfig.load(run_dir / "config.toml") == expected


def test_a_rule_that_is_cleared_is_gone(run_dir):
    keep_rules(run_dir, SetRound(clear=("quorum", "deadline_s")))

    config = RunConfig.load(run_dir / "config.toml")
    assert (config.quorum, config.deadline_s) == (None, None)


def test_a_value_wins_over_a_clear_of_the_same_rule(run_dir):
    keep_rules(run_dir, SetRound(quorum=1, clear=("quorum",)))

    assert RunConfig.load(run_dir / "config.toml").quorum == 1


def test_interval_and_minimum(tmp_path):
    (tmp_path / "config.toml").write_text(RunConfig(mode="timed").to_toml())
    keep_rules(tmp_path, SetRound(aggregation_interval_seconds=0.5, min_updates_per_aggregation=2))

    config = RunConfig.load(tmp_path / "config.toml")
    assert (config.interval_s, config.min_updates) == (0.5, 2)


def test_a_configuration_that_cannot_be_read_is_left_alone(run_dir):
    (run_dir / "config.toml").write_text("not = ")

    with pytest.raises(ConfigError):
        keep_rules(run_dir, SetRound(quorum=2))
    assert (run_dir / "config.toml").read_text() == "not = "
