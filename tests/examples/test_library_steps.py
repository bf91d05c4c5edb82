"""The specification's classes in a program of one's own: step by step, or with its own words of when."""

import threading

import numpy as np
import pytest

from engine import telemetry
from engine.client.federated_client import FederatedClient
from engine.config import RunConfig
from engine.core.weights import Weights
from engine.data import Dataset
from engine.errors import ConfigError, LayoutMismatch
from engine.event_log import read_events
from engine.server.federated_server import FederatedServer
from engine.training.layouts import get_random_weights

CONFIG = RunConfig(trainer="null", model="vector:500", clients=2, rounds=3, seed=7)
DEADLINE_S = 20.0


class Federation:
    """A server, and clients in threads, which know of it what its topics are called."""

    def __init__(self, run_dir, meeting):
        self.run_dir, self.meeting, self.made, self.threads = run_dir, meeting, [], []

    def server(self, config=CONFIG, **options):
        server = FederatedServer(
            model_topic="models", update_topic="deltas", config=config, run_dir=self.run_dir,
            **self.meeting, **options,
        )  # fmt: skip
        self.made.append(server)
        return server

    def client(self, client_id, config=CONFIG, **options):
        client = FederatedClient(
            update_topic="deltas", model_topic="models", client_id=client_id, config=config,
            **self.meeting, **options,
        )  # fmt: skip
        self.made.append(client)
        return client

    def side_by_side(self, run, *arguments):
        self.threads.append(threading.Thread(target=run, args=arguments, daemon=True))
        self.threads[-1].start()

    def events(self, kind):
        events = [event for _, event in read_events(self.run_dir / "events.jsonl")]
        return [event for event in events if isinstance(event, kind)]

    def end(self):
        for thread in self.threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        for one in self.made:
            one.close()


@pytest.fixture
def federation(tmp_path, meeting):
    federation = Federation(tmp_path, meeting)
    yield federation
    federation.end()


@pytest.fixture
def in_memory(tmp_path, memory_address):
    federation = Federation(tmp_path, {"bootstrap_servers": memory_address})
    yield federation
    federation.end()


def take_part(client):
    """The loop of a client, by hand."""
    while (weights := client.receive_global_model()) is not None:
        client.send_model_update(client.train_local_model(weights))


def lead(server, rounds):
    """The loop of a server, by hand."""
    for _ in range(rounds):
        server.aggregate_model_updates(server.receive_model_updates(timeout_ms=60_000))
        server.send_global_model()
    server.conclude("enough")


# --- step by step


def test_loops_by_hand_and_start_make_the_same_models(federation, tmp_path):
    server = federation.server()
    for number in "12":
        federation.side_by_side(take_part, federation.client(number))
    lead(server, 3)
    by_hand = [event.digest for event in federation.events(telemetry.RoundFinished)]

    other = Federation(tmp_path / "other", {"bootstrap_servers": f"memory://{tmp_path}"})
    server = other.server()
    for number in "12":
        other.side_by_side(other.client(number).start)
    server.start()
    other.end()
    assert by_hand == [event.digest for event in other.events(telemetry.RoundFinished)]
    assert len(by_hand) == 3


def test_a_model_may_be_trained_by_other_means(in_memory):
    server, client = (
        in_memory.server(RunConfig(clients=1, trainer="null", model="vector:500")),
        in_memory.client("1"),
    )

    def shift_by_one():
        weights = client.receive_global_model()
        client.send_model_update(Weights(weights.layout, weights.vector + 1), num_examples=10)

    in_memory.side_by_side(shift_by_one)
    before = server.global_model.vector
    lead(server, 1)

    np.testing.assert_allclose(server.global_model.vector, before + 1, rtol=0, atol=1e-6)


def test_what_cannot_be_sent_is_refused_before_it_is(in_memory):
    server, client = in_memory.server(), in_memory.client("1")
    with pytest.raises(RuntimeError, match="receive_global_model comes first"):
        client.send_model_update(server.global_model, num_examples=10)
    with pytest.raises(RuntimeError, match="receive_global_model comes first"):
        client.train_local_model(server.global_model)
    assert client.receive_global_model(timeout_ms=0) is None

    in_memory.side_by_side(list, server.receive_model_updates())
    other = in_memory.client("2")
    in_memory.side_by_side(take_part_once, other)
    weights = client.receive_global_model()
    with pytest.raises(ValueError, match="how many examples"):
        client.send_model_update(weights)
    with pytest.raises(LayoutMismatch, match="the local model is not the global one"):
        client.send_model_update(get_random_weights("vector:7"), num_examples=1)
    client.send_model_update(client.train_local_model(weights))


def take_part_once(client):
    client.send_model_update(client.train_local_model(client.receive_global_model()))


# --- all by itself, in the specification's words


def test_an_interval_and_a_minimum_make_the_mode_timed_for_clients_too(in_memory):
    server = in_memory.server(RunConfig(trainer="null", model="vector:500", clients=2, rounds=2))
    clients = [in_memory.client(number, RunConfig(trainer="null", model="vector:500")) for number in "12"]
    for client in clients:
        in_memory.side_by_side(client.start, None, 0.05)

    assert server.start(1, 0.2, 2) == "all 2 rounds are done"
    assert [event.interval_s for event in in_memory.events(telemetry.RoundOpened)] == [0.2, 0.2]
    assert all(event.updates >= 2 for event in in_memory.events(telemetry.RoundFinished))
    assert {(client.config.mode, client.config.num_parts) for client in clients} == {("timed", 2)}


def test_without_a_directory_of_its_own_a_run_gets_one(in_memory, tmp_path):
    config = RunConfig(trainer="null", model="vector:500", runs_dir=str(tmp_path / "runs"))
    in_memory.run_dir = None
    servers = [in_memory.server(config), in_memory.server(config)]

    assert {server.run_dir.parent for server in servers} == {tmp_path / "runs"}
    assert servers[0].run_dir != servers[1].run_dir


def test_topics_of_one_name_are_refused(memory_address):
    with pytest.raises(ConfigError, match="the name of two topics"):
        FederatedClient(memory_address, "control", "models", "1")


# --- one's own data


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_each_client_may_have_data_of_its_own(in_memory):
    from keras import Input, Sequential, layers  # noqa: PLC0415 - loads TensorFlow

    def make_model(input_shape, classes):
        return Sequential([Input(input_shape), layers.Dense(classes)])

    def blobs(seed, count):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, count).astype(np.int32)
        x = (rng.normal(size=(count, 2)) + 4.0 * y[:, None] - 2.0).astype(np.float32)
        return Dataset(x, y, x, y, classes=2)

    config = RunConfig(clients=2, rounds=3, learning_rate=0.1)
    server = in_memory.server(config, model=make_model, data=blobs(0, 50))
    for number, count in (("1", 200), ("2", 60)):
        client = in_memory.client(number, config, model=make_model, data=blobs(int(number), count))
        in_memory.side_by_side(client.start)
    server.start()

    assert server.metrics.global_accuracy[-1] >= 0.95
    assert [event.examples for event in in_memory.events(telemetry.RoundFinished)] == [260] * 3
