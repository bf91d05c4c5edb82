"""What a server does before its first word: lock the run, load its newest state, and take the next epoch."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from engine.config import RunConfig
from engine.errors import BrokerReset, BrokerUnreachable, CheckpointError, RunDirectoryBusy, RunDirectoryError
from engine.logger import get_server_logger
from engine.protocol.messages import header_number
from engine.server.checkpoint import Checkpoint, CheckpointHeader, CheckpointStore, RoundSummary, next_epoch
from engine.server.intake import UPDATE_PLACES
from engine.server.journal import Journal
from engine.strategies.base import Strategy
from engine.training.base import Evaluator
from engine.transport.base import CONTROL, MODEL_UPDATES, TELEMETRY, Place, Transport
from engine.transport.last_record import read_last_record

Ends = dict[str, dict[Place, int]]


@dataclass(frozen=True, slots=True)
class Takeover:
    """A run, locked and loaded, and where to read on."""

    lock: int
    """Descriptor that holds the run directory's lock until it is closed."""
    store: CheckpointStore
    journal: Journal
    checkpoint: Checkpoint
    epoch: int
    positions: dict[Place, int]
    replay_end: dict[Place, int]
    """Updates below these offsets were sent to an earlier server."""


def take_over(
    config: RunConfig, run_dir: Path, transport: Transport, evaluator: Evaluator, strategy: Strategy
) -> Takeover:
    """Locks the run, loads or makes its newest checkpoint, creates the topics and takes the next epoch.

    Raises:
        RunDirectoryError: another server holds the run, or its directory cannot be written.
        CheckpointError: none verifies, or the newest belongs to another run.
        BrokerError: the broker cannot be used.
    """
    lock = _lock(run_dir / "server.lock")
    try:
        store = CheckpointStore(run_dir / "checkpoints")
        newest = store.newest()
        seen_epoch, ends = _look_at_broker(transport, config.broker_timeout_s)
        checkpoint = newest or _first_checkpoint(config, evaluator, strategy, ends, transport.incarnation)
        if newest is None:
            store.write(checkpoint)
        header = checkpoint.header
        _check_run(header, config)
        return Takeover(
            lock=lock,
            store=store,
            journal=Journal(run_dir / "events.jsonl", config.run_id, get_server_logger()),
            checkpoint=checkpoint,
            epoch=next_epoch(run_dir / "epoch", header.epoch, seen_epoch),
            positions=_safe_positions(header, transport.incarnation) | ends[CONTROL] | ends[TELEMETRY],
            replay_end=ends[MODEL_UPDATES],
        )
    except BaseException:  # raised again once the lock is let go
        os.close(lock)
        raise


def _look_at_broker(transport: Transport, patience_s: float) -> tuple[int, Ends]:
    """The epoch of the last server that spoke, and where each topic that is read ends now.

    A broker that goes away or is replaced meanwhile is waited for, and looked at again.
    """
    while True:
        try:
            transport.create_topics()
            epoch = _epoch_on_control(transport)
            ends = {topic: transport.end_offsets(topic) for topic in (CONTROL, TELEMETRY, MODEL_UPDATES)}
        except BrokerReset:
            continue
        except BrokerUnreachable:
            if (transport.health().lost_for_s or 0.0) > patience_s:
                raise
        else:
            return epoch, ends


def _safe_positions(header: CheckpointHeader, incarnation: str) -> dict[Place, int]:
    """Where to read updates from: offsets of another broker mean nothing here."""
    if header.incarnation != incarnation:
        return dict.fromkeys(UPDATE_PLACES, 0)
    return {place: header.safe_offsets.get(str(place.partition), 0) for place in UPDATE_PLACES}


def _check_run(header: CheckpointHeader, config: RunConfig) -> None:
    if header.run != config.run_id:
        raise CheckpointError(
            f"the checkpoints are of run {header.run!r}, not of {config.run_id!r}; "
            "they were copied from elsewhere"
        )


def _first_checkpoint(
    config: RunConfig, evaluator: Evaluator, strategy: Strategy, ends: Ends, incarnation: str
) -> Checkpoint:
    """The state before round 1. No update that is in the broker already can be for this run."""
    weights = evaluator.initial_weights()
    state = strategy.init(weights.layout)
    header = CheckpointHeader(
        run=config.run_id,
        round=0,
        epoch=0,
        digest=weights.digest(),
        layout=weights.layout,
        accepted={},
        summary=RoundSummary(),
        members={},
        incarnation=incarnation,
        safe_offsets={str(place.partition): end for place, end in ends[MODEL_UPDATES].items()},
        strategy_arrays=tuple((name, array.size) for name, array in state.items()),
    )
    return Checkpoint(header, weights, state)


def _epoch_on_control(transport: Transport) -> int:
    """The epoch of the last record of `control`; 0 where there is none to be read."""
    (place, end), *_ = transport.end_offsets(CONTROL).items()
    record = read_last_record(transport, place, end)
    return 0 if record is None else max(0, header_number(record.headers, "epoch"))


def _lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunDirectoryBusy(f"{path.parent}: another server is running this run") from None
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}") from error
    return descriptor
