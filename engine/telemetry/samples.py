"""What the processes use and the clients do: `samples.jsonl`, once a second, outside the chain."""

from typing import ClassVar

import msgspec

from engine.telemetry.envelope import Event


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """One process at one moment; null where the system does not tell."""

    cpu_percent: float | None = None
    rss_bytes: int | None = None
    private_bytes: int | None = None
    gpu_bytes: int | None = None
    gpu_percent: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


class ClientSample(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the federation at one moment, as the server has heard it; null where it has not."""

    state: str | None = None
    """`joining`, `idle`, `training` or `sending`."""
    round: int | None = None
    """The round that `state` is about."""
    bytes_up: int | None = None
    """Of its accepted updates, in the whole run."""
    bytes_down: int | None = None
    """Of the models that it said it had received, since this server started."""
    silence_s: float | None = None
    """Since it was last heard."""
    interval_s: float | None = None
    """Seconds from the start of a training to the next, where the client sets its pace."""


class Sample(Event, frozen=True, tag="sample"):
    """What the processes use, and what the clients do."""

    chained: ClassVar[bool] = False
    processes: dict[str, ProcessSample]
    clients: dict[str, ClientSample] = msgspec.field(default_factory=dict)
    """By client; empty where the server was not there, or too busy to say."""
    disk_free_bytes: int | None = None
