"""Five clients in one process before a server that is moved by hand."""

import logging
import threading
import time

import msgspec
import pytest

from engine.client.client_group import ClientGroup
from engine.errors import ConfigError, DataError, TrainingError
from engine.protocol import messages
from engine.protocol.messages import Have, Heartbeat, Join, Leave, RepublishRequested
from engine.protocol.serialization import parse_frame
from engine.training.null import NullTrainer
from engine.transport.memory import MemoryBroker, MemoryTransport

DEADLINE_S = 20.0
CLIENTS = ("1", "2", "3", "4", "5")


class GroupScene:
    """A group before one server."""

    def __init__(self, config, clock, hand_server) -> None:
        self.config, self.clock, self.broker = config, clock, MemoryBroker()
        self.server = hand_server(config, self.broker)
        self.server.start()
        self.trained: list[str] = []
        """Clients, in the order in which they were trained."""
        self.may_train = threading.Event()
        self.may_train.set()
        self.failures: dict[str, Exception] = {}
        """Client -> what its trainer fails with when it is made."""
        self.transport = MemoryTransport(self.broker)
        self.group = ClientGroup(
            config,
            {client: int(client) - 1 for client in CLIENTS},
            transport=self.transport,
            open_trainer=self._open_trainer,
            clock=clock,
        )

    def _open_trainer(self, client: str, part: int) -> NullTrainer:
        if client in self.failures:
            raise self.failures[client]
        scene = self

        class ObservedTrainer(NullTrainer):
            def train(self, base, *, client, round_number, delta, repeat=0):
                assert scene.may_train.wait(DEADLINE_S)
                scene.trained.append(client)
                return super().train(
                    base, client=client, round_number=round_number, delta=delta, repeat=repeat
                )

        return ObservedTrainer(self.config, part=part)

    def turn_until(self, condition, what="the condition did not come true"):
        deadline = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < deadline, what
            self.group.turn()
        return value

    def told(self, kind, client=None):
        return [said for said in self.server.told(kind) if client in (None, said.client)]

    def join(self, *, refuse=()) -> dict[str, messages.Join]:
        """Lets all join that are not refused; returns their joins."""
        self.turn_until(lambda: len(self.told(Join)) == len(CLIENTS), "not all wanted to join")
        joins = {join.client: join for join in self.told(Join)}
        for client, join in joins.items():
            if client in refuse:
                self.server.admit(join, None, "no data part is free: all 5 are taken")
            else:
                self.server.admit(join, join.part)
        self.turn_until(lambda: all(self.group.participant(c).has_part for c in self.group.clients))
        return joins

    def sent(self, count):
        """The clients of the updates, once there are so many."""

        def arrived():
            self.server.listen()
            return len(self.server.updates) >= count

        self.turn_until(arrived, f"{count} updates did not come")
        return [transfer.header.client for transfer in self.server.updates]

    def idle(self):
        for _ in range(4):
            self.group.turn()


@pytest.fixture
def scene(config, clock, hand_server):
    made = GroupScene(msgspec.structs.replace(config, clients=5), clock, hand_server)
    yield made
    made.may_train.set()


def test_each_joins_for_itself_and_asks_for_its_own_part(scene):
    joins = scene.join()

    assert {client: join.part for client, join in joins.items()} == {c: int(c) - 1 for c in CLIENTS}
    assert len({join.session for join in joins.values()}) == len(CLIENTS)
    assert len({join.pid for join in joins.values()}) == 1


def test_a_round_is_trained_one_client_after_the_other_and_each_sends_its_own_update(scene):
    scene.join()
    scene.server.open(cohort=CLIENTS)

    assert sorted(scene.sent(5)) == list(CLIENTS)
    assert sorted(scene.trained) == list(CLIENTS)
    frames = [parse_frame(transfer.frame) for transfer in scene.server.updates]
    assert {frame.metadata.client: frame.metadata.num_examples for frame in frames} == {
        client: 999 + int(client) for client in CLIENTS
    }
    deltas = {frame.update(scene.server.weights.layout).delta.tobytes() for frame in frames}
    assert len(deltas) == len(CLIENTS)


def test_who_is_not_in_the_cohort_does_not_train(scene):
    scene.join()
    scene.server.open(cohort=("2", "4"))

    assert sorted(scene.sent(2)) == ["2", "4"]
    scene.idle()
    assert sorted(scene.trained) == ["2", "4"]


def test_a_model_that_does_not_come_is_asked_for_once_not_by_each(scene):
    scene.join()
    scene.server.say(
        messages.ModelPublished, round=1, digest="ab" * 32, transfer="cd" * 16, first_offset=7, size=2_000
    )
    scene.idle()
    scene.clock.advance(6)
    scene.idle()

    assert [said.digest for said in scene.told(RepublishRequested)] == ["ab" * 32]


def test_all_show_themselves_while_one_trains(scene):
    scene.join()
    scene.may_train.clear()
    scene.server.open(cohort=CLIENTS)
    scene.turn_until(lambda: len(scene.told(Have)) == len(CLIENTS))
    before = {client: len(scene.told(Heartbeat, client)) for client in CLIENTS}
    scene.clock.advance(5)
    scene.idle()

    assert scene.trained == []
    assert {client: len(scene.told(Heartbeat, client)) - before[client] for client in CLIENTS} == (
        dict.fromkeys(CLIENTS, 1)
    )


def test_a_receipt_is_its_clients_alone(scene):
    scene.join()
    scene.server.open(cohort=CLIENTS)
    scene.sent(5)
    scene.server.answer()
    held = scene.server.updates[-1].header.client
    scene.turn_until(lambda: not scene.group.participant(held).is_sending)

    assert [c for c in CLIENTS if scene.group.participant(c).is_sending] == [c for c in CLIENTS if c != held]


def test_who_is_refused_ends_alone_and_says_so(scene, caplog):
    scene.join(refuse=("3",))
    scene.server.open(cohort=("1", "2", "4", "5"))

    assert sorted(scene.sent(4)) == ["1", "2", "4", "5"]
    assert scene.group.clients == ["1", "2", "4", "5"]
    (leave,) = scene.told(Leave)
    assert (leave.client, leave.final, leave.failed) == ("3", True, True)
    assert leave.reason == "the server does not admit client 3: no data part is free: all 5 are taken"
    assert ("client-3", logging.ERROR, leave.reason) in caplog.record_tuples


def test_who_has_no_data_ends_alone(scene):
    scene.failures["2"] = DataError("part 1: missing\n\x1b[31mwhat is \x00 shown")
    scene.join()
    scene.turn_until(lambda: "2" not in scene.group.clients)
    scene.server.open(cohort=("1", "3", "4", "5"))

    assert sorted(scene.sent(4)) == ["1", "3", "4", "5"]
    assert [(said.client, said.reason) for said in scene.told(Leave)] == [
        ("2", "part 1: missing [31mwhat is  shown")
    ]


def test_whose_update_is_refused_for_good_ends_alone(scene):
    scene.join()
    scene.server.open(cohort=CLIENTS)
    scene.sent(5)
    scene.server.answer("not_finite")
    refused = scene.server.updates[-1].header.client
    scene.turn_until(lambda: refused not in scene.group.clients)

    assert len(scene.group.clients) == 4
    assert "not_finite" in scene.told(Leave, refused)[0].reason


def test_the_first_error_is_raised_once_nobody_is_left(scene):
    scene.failures = {client: DataError(f"nothing for client {client}") for client in CLIENTS[1:]}
    scene.turn_until(lambda: len(scene.told(Join)) == len(CLIENTS))
    joins = sorted(scene.told(Join), key=lambda join: join.client)
    scene.server.admit(joins[0], None, "no data part is free")
    scene.turn_until(lambda: "1" not in scene.group.clients)
    for join in joins[1:]:
        scene.server.admit(join, join.part)

    with pytest.raises(ConfigError, match="does not admit client 1"):
        scene.turn_until(lambda: False)
    assert len(scene.told(Leave)) == 4  # whoever started the process hears of the last


def test_what_may_go_well_in_another_process_ends_this_one(scene):
    scene.failures["4"] = TrainingError("out of memory")
    scene.join()

    with pytest.raises(TrainingError, match="out of memory"):
        scene.turn_until(lambda: False)
    assert scene.told(Leave) == []


def test_who_is_dismissed_ends_alone_without_an_error(scene):
    session = scene.join()["5"].session
    scene.may_train.clear()
    scene.server.open(cohort=CLIENTS)
    scene.turn_until(lambda: len(scene.told(Have)) == len(CLIENTS))
    scene.server.say(messages.Dismissed, client="5", session=session, reason="killed by the operator")
    scene.turn_until(lambda: "5" not in scene.group.clients)
    scene.may_train.set()

    assert sorted(scene.sent(4)) == ["1", "2", "3", "4"]
    assert sorted(scene.trained) == ["1", "2", "3", "4"]
    assert scene.told(Leave) == []


def test_a_dismissal_of_an_earlier_process_is_not_obeyed(scene):
    scene.join()
    scene.server.say(messages.Dismissed, client="5", session="another", reason="killed by the operator")
    scene.idle()

    assert "5" in scene.group.clients


def test_when_all_are_dismissed_it_ends_without_an_error(scene):
    for client, join in scene.join().items():
        reason = "killed by the operator"
        scene.server.say(messages.Dismissed, client=client, session=join.session, reason=reason)

    assert scene.group.start() == "dismissed: killed by the operator"


def test_all_say_goodbye(scene):
    scene.join()
    scene.group.leave("told to end", final=False)

    assert {said.client for said in scene.told(Leave)} == set(CLIENTS)


def test_the_end_of_the_run_is_everybodys(scene):
    scene.join()
    scene.server.say(messages.RunEnded, reason="all 3 rounds are done")

    assert scene.group.start() == "all 3 rounds are done"
