"""The configuration is strict, says what is wrong and where, and survives its own file."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import RunConfig
from engine.errors import ConfigError

FILE = "run.toml"


def refused(**values):
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_mapping(values, source=FILE)
    return str(caught.value)


def test_the_defaults_are_a_configuration():
    config = RunConfig.from_mapping({}, source=FILE)

    assert config == RunConfig()
    assert config.num_parts == config.clients
    assert config.round_limit == 5
    assert config.embedded_broker
    assert not config.jit


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("round", "rounds"), ("learningrate", "learning_rate"), ("boostrap_servers", "bootstrap_servers")],
)
def test_an_unknown_key_is_refused_with_the_file_and_the_nearest_name(key, nearest):
    message = refused(**{key: 3})

    assert FILE in message
    assert repr(key) in message
    assert f"did you mean {nearest!r}?" in message


def test_an_unknown_key_like_no_other_is_answered_with_all_names():
    assert "valid: clients, parts, rounds" in refused(zzzzzzzz=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strategy": "fedavgg"}, "did you mean 'fedavg'?"),
        ({"codec": "nome"}, "did you mean 'none'?"),
        ({"dataset": "digit"}, "did you mean 'digits'?"),
        ({"model": "lennet"}, "did you mean 'lenet'?"),
        ({"dataset": "letters"}, "valid: auto, cifar10, digits or write module:function"),
        ({"model": "vector:many", "trainer": "null"}, "vector:N"),
        ({"model": "vector:10"}, "trainer = 'null'"),
        ({"model": "my:model", "trainer": "null"}, "vector:N"),
        ({"quorum": 4}, "can never be reached with 3 parts"),
        ({"clients": 4, "parts": 3}, "raise parts"),
        ({"clients": 10**9}, "clients = 1000000000: a round weighs at most 2097151 examples"),
        ({"parts": 2**21}, "parts = 2097152: a round weighs at most 2097151 examples"),
        ({"mode": "timed", "aggregation_interval_seconds": 1e308}, "<= 1000000000.0"),
        ({"mode": "timed", "aggregation_interval_seconds": 5e-324}, ">= 0.001"),
        ({"mode": "buffered", "training_interval_seconds": 1e308}, "<= 1000000000.0"),
        ({"max_staleness": 5}, "max_staleness belongs to mode = 'timed' or 'buffered'; this run's is 'sync'"),
        ({"mode": "timed", "over_selection": 1.5}, "over_selection belongs to mode = 'sync'"),
        ({"adapt": True}, "adapt needs init_from"),
        ({"threads": 2, "jit": True}, "threads = 1"),
        ({"rounds": 0}, ">= 1"),
        ({"rounds": "many"}, "rounds"),
        ({"mode": "syn"}, "mode"),
        ({"local_test_fraction": 1.0}, "local_test_fraction"),
        ({"learning_rate": math.inf}, "learning_rate = inf"),
        ({"weight_decay": math.nan}, "weight_decay"),
        ({"model": "vector:²", "trainer": "null"}, "vector:N"),
        ({"model": "vector:0", "trainer": "null"}, "vector:N"),
        ({"model": "vector:" + "9" * 5000, "trainer": "null"}, "vector:N"),
        ({"bootstrap_servers": ""}, "'' is not HOST:PORT"),
        ({"bootstrap_servers": "kafka"}, "'kafka' is not HOST:PORT"),
        ({"bootstrap_servers": "kafka:0"}, "'kafka:0' is not HOST:PORT"),
        ({"bootstrap_servers": "kafka:65536"}, "'kafka:65536' is not HOST:PORT"),
        ({"bootstrap_servers": "a:9092, b:9092"}, "' b:9092' is not HOST:PORT"),
        ({"runs_dir": "runs\udcff"}, "is not UTF-8"),
        ({"topic_prefix": "my runs/"}, "topic_prefix = 'my runs/'"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(values, words):
    message = refused(**values)

    assert words in message
    assert FILE in message


@pytest.mark.parametrize("servers", ["kafka:9092", "10.0.0.1:1,b-2.example.org:65535", "[::1]:9092"])
def test_brokers_are_named_by_host_and_port(servers):
    assert RunConfig(bootstrap_servers=servers, topic_prefix="team-1.run_2-").bootstrap_servers == servers


def test_users_own_models_and_data_are_named_module_function():
    config = RunConfig.from_mapping({"model": "mine:model", "dataset": "mine:data"}, source=FILE)

    assert (config.model, config.dataset) == ("mine:model", "mine:data")


def test_time_or_accuracy_alone_set_no_limit_of_rounds():
    assert RunConfig(duration_minutes=1.0).round_limit is None
    assert RunConfig(target_accuracy=0.5).round_limit is None
    assert RunConfig(target_accuracy=0.5, rounds=7).round_limit == 7


@pytest.mark.parametrize("content", [b"rounds = ", b"\xff\xfe", b"rounds = 1\nrounds = 2\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / FILE
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=FILE):
        RunConfig.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        RunConfig.load(tmp_path / FILE)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
configurations = st.builds(
    RunConfig,
    clients=st.integers(1, 3),
    parts=st.none() | st.integers(3, 100),
    rounds=st.none() | st.integers(1, 10**6),
    target_accuracy=st.none() | st.floats(0, 1),
    duration_minutes=st.none() | st.floats(1e-3, 1e6),
    learning_rate=st.floats(1e-12, 10),
    threads=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    topic_prefix=st.from_regex(r"[a-zA-Z0-9._-]{0,20}", fullmatch=True),
    runs_dir=names,
    stand_in=names,
    versions=st.dictionaries(names, names, max_size=3),
)


@given(config=configurations)
def test_what_is_written_is_read_back(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("run") / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")

    assert RunConfig.load(path) == config


def test_a_configuration_never_changes():
    with pytest.raises(AttributeError):
        RunConfig().rounds = 6


def test_no_key_can_hold_a_secret():
    suspicious = ("password", "secret", "token", "key")
    named = [
        field for field in msgspec.structs.fields(RunConfig) if any(word in field.name for word in suspicious)
    ]

    assert [field.name for field in named if not field.name.endswith(("_file", "_env"))] == []
