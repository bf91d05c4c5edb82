"""What a server or a client that is used from a program of your own needs and was not given."""

import secrets
import time
from pathlib import Path

import msgspec

from engine.config import RunConfig
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES, TopicNames, Transport
from engine.transport.open import open_transport

_LONGEST_RUN_ID = 200


def complete_config(config: RunConfig | None, model_topic: str) -> RunConfig:
    """The configuration to work with: the default one for None.

    A run without an id is called after the topic of its models: all who name that topic belong to it.
    """
    given = config or RunConfig()
    return given if given.run_id else msgspec.structs.replace(given, run_id=model_topic[:_LONGEST_RUN_ID])


def connect(
    bootstrap_servers: str,
    config: RunConfig,
    *,
    model_topic: str,
    update_topic: str,
    embedded: bool,
    name: str,
) -> Transport:
    """Connects to the broker under these names of the two topics, and the prefix for the others.

    Raises:
        ConfigError: a topic cannot be called so.
        BrokerUnreachable: nothing answers within 5 s; BrokerRefused: it answers and says no.
    """
    topics = TopicNames(config.topic_prefix, {GLOBAL_MODEL: model_topic, MODEL_UPDATES: update_topic})
    return open_transport(bootstrap_servers, embedded=embedded, topics=topics, name=name)


def new_run_dir(config: RunConfig) -> Path:
    """Makes a directory of its own for a run, in `runs_dir`; its name begins with the time (UTC).

    Raises:
        OSError: it cannot be made.
    """
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    path = Path(config.runs_dir) / name
    path.mkdir(parents=True)
    return path
