"""The steps of a round, called one by one from a program instead of by `start`."""

import threading

import msgspec
import numpy as np
import pytest

from engine import telemetry
from engine.core.weights import Weights
from engine.errors import ConfigError, OutOfRange
from engine.protocol.messages import ModelPublished, Receipt, RoundClosed, RoundOpened, RunEnded
from engine.server.checkpoint import CheckpointStore
from engine.server.federated_server import FederatedServer
from engine.strategies.fedavg import FedAvg
from engine.training.null import NullEvaluator
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES
from engine.transport.memory import MemoryTransport

DEADLINE_S = 20.0


@pytest.fixture
def server(federation):
    run = federation()
    server = FederatedServer(
        "memory://",
        GLOBAL_MODEL,
        MODEL_UPDATES,
        config=run.config,
        run_dir=run.run_dir,
        transport=MemoryTransport(run.broker),
        evaluator=NullEvaluator(run.config),
        clock=run.clock,
    )
    server.run = run
    yield server
    server.close()


@pytest.fixture
def peers(server):
    """Three clients before round 1, which is open."""
    server.send_global_model()
    peers = [server.run.peer(client) for client in "123"]
    for peer in peers:
        peer.ask_to_join()
    while not server._loop.has_open_round:
        assert list(server.receive_model_updates(timeout_ms=0)) == []
    return peers


def send_all(peers, number=1):
    opened = peers[0].wait_for(RoundOpened, round=number)
    return [peer.send(opened) for peer in peers]


# --- aggregating


def test_any_iterable_of_updates_is_aggregated_in_any_order(server):
    base = server.global_model.digest()
    updates = [server.run.peer(client).update(1, base) for client in "123"]

    first = server.aggregate_model_updates(iter(updates))
    again = server.aggregate_model_updates(updates[::-1])
    assert isinstance(first, Weights)
    assert first.digest() == again.digest() != base


def test_the_strategy_makes_the_step(server, monkeypatch):
    steps = []

    def apply(self, state, base, mean_delta, layout):
        steps.append(mean_delta)
        return state, base

    monkeypatch.setattr(FedAvg, "apply", apply)
    base = server.global_model.digest()
    update = server.run.peer("1").update(1, base)

    assert server.aggregate_model_updates([update]).digest() == base
    np.testing.assert_allclose(steps[0], update.delta, rtol=0, atol=1e-8)


def test_there_is_no_model_of_no_updates(server):
    with pytest.raises(OutOfRange, match="no mean of no updates"):
        server.aggregate_model_updates([])


# --- receiving


def test_nobody_comes(server):
    assert list(server.receive_model_updates(timeout_ms=0)) == []


def test_updates_are_received_up_to_a_number_and_none_is_lost(server, peers):
    send_all(peers)

    first = [update.client for update in server.receive_model_updates(max_updates=2)]
    rest = [update.client for update in server.receive_model_updates()]
    assert len(first) == 2
    assert sorted(first + rest) == ["1", "2", "3"]


def test_who_is_received_has_a_receipt_before_the_sum_is_made(server, peers):
    transfers = send_all(peers)

    next(server.receive_model_updates())
    assert sum(bool(peers[0].said(Receipt, transfer=t)) for t in transfers) == 1


# --- the end of a round


def test_the_round_closes_when_its_model_is_sent(server, peers):
    send_all(peers)
    weights = server.aggregate_model_updates(server.receive_model_updates())
    assert peers[0].said(RoundClosed) == []

    server.send_global_model()
    assert server.global_model is weights
    assert peers[0].wait_for(RoundClosed).digest == weights.digest()
    assert CheckpointStore(server.run.run_dir / "checkpoints").newest().header.round == 1


def test_rounds_by_hand_give_the_models_of_start(server, peers, undisturbed):
    for number in (1, 2):
        assert list(server.receive_model_updates(timeout_ms=0)) == []
        send_all(peers, number)
        server.aggregate_model_updates(server.receive_model_updates())
        server.send_global_model()
    server.conclude("enough")

    assert server.run.digests() == undisturbed
    assert peers[0].wait_for(RunEnded).reason == "enough"


def test_a_round_may_close_with_fewer_than_its_rule_asks_for(server, peers):
    send_all(peers)
    server.aggregate_model_updates(server.receive_model_updates(max_updates=1))
    server.send_global_model()

    (closed,) = server.run.events(telemetry.RoundClosed)
    assert closed.updates == 1


def test_what_was_received_and_not_aggregated_is_not_in_the_model_and_its_client_is_told(server, peers):
    transfers = dict(zip("123", send_all(peers), strict=True))
    updates = list(server.receive_model_updates())
    server.aggregate_model_updates(update for update in updates if update.client != "2")
    server.send_global_model()

    (closed,) = server.run.events(telemetry.RoundClosed)
    assert sorted(update.client for update in closed.accepted) == ["1", "3"]
    assert [event.client for event in server.run.events(telemetry.UpdateRejected, reason="left_out")] == ["2"]
    assert peers[1].verdict(transfers["2"], count=2) == "left_out"


def test_start_goes_on_with_the_round_that_was_begun_by_hand(server, peers, until):
    send_all(peers)
    (first,) = server.receive_model_updates(max_updates=1)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    until(lambda: server.run.events(telemetry.RoundClosed, round=1))
    send_all(peers, 2)
    thread.join(DEADLINE_S)

    accepted = [update.client for update in server.run.events(telemetry.RoundClosed)[0].accepted]
    assert sorted([first.client, *accepted]) == ["1", "2", "3"]
    (left_out,) = server.run.events(telemetry.UpdateRejected)
    assert (left_out.client, left_out.reason) == (first.client, "left_out")
    assert len(server.run.digests()) == 2


def test_a_model_of_updates_that_nobody_sent_cannot_be_published(server, peers):
    server.aggregate_model_updates([peers[0].update(1, server.global_model.digest())])

    with pytest.raises(ValueError, match="not received in round 1: \\['1'\\]"):
        server.send_global_model()


def test_what_was_left_out_is_looked_at_again_if_it_is_sent_again(server, peers):
    """Its client may have missed the answer, and takes a `duplicate` for held."""
    transfers = send_all(peers)
    (first,) = server.receive_model_updates(max_updates=1)
    server.aggregate_model_updates(server.receive_model_updates())
    server.send_global_model()
    peer, transfer = peers[int(first.client) - 1], transfers[int(first.client) - 1]
    peer.send_update(first)
    list(server.receive_model_updates(timeout_ms=0))

    assert peer.verdict(transfer, count=3) == "round_closed"


def test_a_broker_that_was_replaced_is_not_waited_for_before_it_has_the_topics_again(server, peers):
    send_all(peers)
    server.aggregate_model_updates(server.receive_model_updates())
    server.run.broker.restart()
    server._idle()  # takes notice
    sent_before = server._loop._channel.bytes_sent
    server.send_global_model()
    assert server._loop._channel.bytes_sent == sent_before

    assert list(server.receive_model_updates(timeout_ms=0)) == []
    peers[0].reconnect()
    assert peers[0].wait_for(ModelPublished).round == 1


def test_a_server_that_cannot_be_made_lets_go_of_the_run(federation, tmp_path):
    run = federation()
    key_file = tmp_path / "key"
    about = {"run_dir": run.run_dir, "evaluator": NullEvaluator(run.config)}

    def make(config):
        transport = MemoryTransport(run.broker)
        return FederatedServer(
            "memory://", GLOBAL_MODEL, MODEL_UPDATES, config=config, transport=transport, **about
        )

    with pytest.raises(ConfigError, match="key"):
        make(msgspec.structs.replace(run.config, frame_key_file=str(key_file)))

    make(run.config).close()


# --- the rules


def test_rules_are_given_before_the_run_begins(server, peers):
    with pytest.raises(ConfigError, match="the run has begun"):
        server.start(None, 10.0, 1)


# --- another run on the same topics


def test_a_run_that_has_just_begun_takes_no_update_of_an_earlier_one(server, peers, federation):
    send_all(peers)
    later = federation()
    later.broker = server.run.broker
    running = later.start_server()
    opened = later.peers("1", "2", "3")[0].wait_for(RoundOpened, round=1, epoch=2)

    assert opened.held == {}
    assert later.events(telemetry.UpdateAccepted) == []
    running.kill()
