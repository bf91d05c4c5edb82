"""A server and real clients, with a codec and a key: the same models in fewer bytes, and nobody else's."""

import threading

import numpy as np
import pytest

from engine import telemetry
from engine.client.federated_client import FederatedClient
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.errors import DigestMismatch
from engine.protocol.chunks import split
from engine.protocol.serialization import parse_frame
from engine.training.null import NullTrainer
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES, PARTITIONS, Place
from engine.transport.memory import MemoryTransport

KEY = b"k" * 32
DEADLINE_S = 20.0


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "frame.key"
    path.touch(0o600)
    path.write_text(KEY.hex())
    return str(path)


def start_client(run, client):
    """A client in a thread of its own."""
    part = int(client) - 1
    made = FederatedClient(
        "memory://",
        MODEL_UPDATES,
        GLOBAL_MODEL,
        client,
        config=run.config,
        transport=MemoryTransport(run.broker),
        open_trainer=lambda *_: NullTrainer(run.config, part=part),
        part=part,
    )
    thread = threading.Thread(target=made.start, name=f"client {client}", daemon=True)
    thread.start()
    return thread


def send_without_key(run, travels, layout):
    """An update for the first round, by somebody who knows everything but the key."""
    started = run.wait_for_event(telemetry.ServerStarted)
    delta = np.full(layout.size, 0.5, np.float32)
    update = ClientUpdate("1", 1, started.model_digest, 1000, delta, TrainingMetrics())
    transport = MemoryTransport(run.broker)
    for chunk in split(*travels(run.config, update)):
        transport.publish(Place(MODEL_UPDATES), chunk.value, headers=chunk.headers)


def frames(run):
    """Every frame in the broker; each is small enough for one record."""
    places = [Place(GLOBAL_MODEL), *(Place(MODEL_UPDATES, n) for n in range(PARTITIONS[MODEL_UPDATES]))]
    return [record.value for place in places for record in run.broker.logs[place]]


def is_of_this_federation(frame):
    """Whether it is made with the key, and compressed."""
    try:
        return parse_frame(frame, key=KEY).metadata.codec == "shuffle+zstd"
    except DigestMismatch:
        return False


def test_the_models_are_the_same_and_who_has_no_key_changes_nothing(
    federation, undisturbed, key_file, travels, layout
):
    run = federation(codec="shuffle+zstd", frame_key_file=key_file)
    running = run.start_server()
    send_without_key(run, travels, layout)
    clients = [start_client(run, client) for client in ("1", "2", "3")]
    running.finish()
    for client in clients:
        client.join(DEADLINE_S)
        assert not client.is_alive()

    assert run.digests() == undisturbed
    (rejected,) = run.events(telemetry.UpdateRejected)
    assert (rejected.client, rejected.reason) == ("1", "digest_mismatch")
    assert len(run.dead_letters()) == 1
    accepted = run.events(telemetry.UpdateAccepted)
    assert [event.codec for event in accepted] == ["shuffle+zstd"] * 6
    assert sorted(map(is_of_this_federation, frames(run))) == [False] + [True] * (3 + len(accepted))
