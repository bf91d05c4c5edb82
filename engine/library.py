"""What a server or a client that is used from a program of your own needs and was not given."""

import secrets
import time
from pathlib import Path

import msgspec

from engine.config import RunConfig
from engine.errors import RunDirectoryError
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES, TopicNames, Transport
from engine.transport.open import open_transport

_LONGEST_RUN_ID = 200


def complete_config(config: RunConfig | None, model_topic: str) -> RunConfig:
    """The configuration to work with: the default one for None.

    A run without an id is called after the topic of its models: all who name that topic belong to it.
    """
    given = config or RunConfig()
    return given if given.run_id else msgspec.structs.replace(given, run_id=model_topic[:_LONGEST_RUN_ID])


def with_rules(
    config: RunConfig,
    *,
    duration_minutes: float | None,
    aggregation_interval_seconds: float | None,
    min_updates_per_aggregation: int | None,
) -> RunConfig:
    """The configuration with what was given beside it. With an interval, or a minimum in `sync`: `timed`.

    Raises:
        ConfigError: they do not go together.
    """
    given = {
        "duration_minutes": duration_minutes,
        "aggregation_interval_seconds": aggregation_interval_seconds,
        "min_updates_per_aggregation": min_updates_per_aggregation,
    }
    changed: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    has_minimum = min_updates_per_aggregation is not None
    if aggregation_interval_seconds is not None or (has_minimum and config.mode == "sync"):
        changed["mode"] = "timed"
    return RunConfig.from_mapping({**msgspec.structs.asdict(config), **changed}, source="start")


def connect(
    bootstrap_servers: str,
    config: RunConfig,
    topics: tuple[str, str],
    *,
    embedded: bool,
    name: str,
) -> Transport:
    """Connects to the broker.

    Args:
        bootstrap_servers: where it is.
        config: has the prefix of the other topics.
        topics: what it calls those of the models and of the updates.
        embedded: whether it is the embedded one.
        name: what its logs call us.

    Raises:
        ConfigError: a topic cannot be called so.
        BrokerUnreachable: nothing answers within 5 s; BrokerRefused: it answers and says no.
    """
    names = TopicNames(config.topic_prefix, dict(zip((GLOBAL_MODEL, MODEL_UPDATES), topics, strict=True)))
    return open_transport(bootstrap_servers, embedded=embedded, topics=names, name=name)


def make_run_dir(chosen: Path | None, config: RunConfig) -> Path:
    """The directory of a run; for None a new one in `runs_dir`, whose name begins with the time (UTC).

    Raises:
        RunDirectoryError: it cannot be made.
    """
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    path = Path(config.runs_dir) / name if chosen is None else chosen
    try:
        path.mkdir(parents=True, exist_ok=chosen is not None)
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}") from error
    return path
