"""What a client takes from elsewhere than its configuration: from the server, or from `start`."""

import msgspec

from engine.config import RunConfig


def with_terms(config: RunConfig, *, mode: str, parts: int) -> RunConfig:
    """The client's configuration under the server's terms.

    Args:
        config: the client's own.
        mode: how rounds close in this federation.
        parts: parts that its data are cut into.

    Raises:
        ConfigError: a key of `config` does not go with them.
    """
    interval_s = 0.0 if mode == "sync" else config.training_interval_seconds
    changed = {"mode": mode, "parts": parts, "clients": min(config.clients, parts)}
    return _changed(config, **changed, training_interval_seconds=interval_s)


def with_interval(config: RunConfig, seconds: float) -> RunConfig:
    """The configuration of a client that lets at least so long pass from one training to the next.

    Raises:
        ConfigError: a key of `config` does not go with that.
    """
    mode = "timed" if config.mode == "sync" else config.mode
    return _changed(config, mode=mode, training_interval_seconds=float(seconds))


def _changed(config: RunConfig, **keys: object) -> RunConfig:
    return RunConfig.from_mapping({**msgspec.structs.asdict(config), **keys}, source="this client")
