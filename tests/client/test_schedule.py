"""When a client trains, and what it sends again: with the rounds in `sync`, else at its own pace."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.client.outbox import Outbox
from engine.client.schedule import Assignment, OwnPace, RoundByRound, open_schedule
from engine.config import MAX_KEPT_UPDATES, RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.protocol import messages
from engine.protocol.chunks import TransferHeader
from engine.training.layouts import get_random_weights
from engine.transport.base import MODEL_UPDATES, place_of
from engine.transport.memory import MemoryBroker, MemoryTransport

BASE = "ab" * 32
WEIGHTS = get_random_weights("vector:10", seed=1)


class Bench:
    """A schedule and its outbox before a broker in memory; the clock is set by hand."""

    def __init__(self, mode: str, **keys) -> None:
        self.now = 1000.0
        self.config = RunConfig(mode=mode, trainer="null", clients=2, run_id="run", **keys)
        self.broker = MemoryBroker()
        self.transport = MemoryTransport(self.broker)
        self.transport.create_topics()
        self.outbox = Outbox(
            client="1", run="run", codec="none", most=1 if mode == "sync" else MAX_KEPT_UPDATES,
            transport=self.transport, clock=self.clock,
        )  # fmt: skip
        self.schedule = open_schedule(self.config, "1", self.outbox, self.clock)

    def clock(self) -> float:
        return self.now

    def open(self, number: int, *, held=(), cohort=("1", "2"), interval_s=None) -> None:
        self.schedule.note_opened(
            messages.RoundOpened(
                run="run", epoch=1, round=number, base=BASE, cohort=cohort, quorum=1, deadline_s=None,
                held={"1": tuple(held)} if held else {}, interval_s=interval_s,
            )
        )  # fmt: skip

    def close(self, number: int, *accepted: str) -> None:
        self.schedule.note_closed(
            messages.RoundClosed(run="run", epoch=1, round=number, accepted=accepted, digest="next")
        )

    def answer(self, transfer: str, verdict: str, number: int = 1) -> bool:
        return self.schedule.note_receipt(
            messages.Receipt(run="run", epoch=1, round=number, client="1", transfer=transfer, verdict=verdict)
        )

    def due(self, *, is_training: bool = False) -> Assignment | None:
        return self.schedule.assignment(has_model=lambda digest: digest == BASE, is_training=is_training)

    def train(self, seconds: float = 1.0) -> str:
        """Trains what is due, and sends it; returns the transfer's id."""
        assignment = self.due()
        assert assignment is not None
        self.now += seconds
        self.schedule.note_training(seconds)
        return self.put(assignment)

    def put(self, assignment: Assignment) -> str:
        number, base, repeat = assignment
        update = ClientUpdate("1", number, base, 10, WEIGHTS.vector + repeat, TrainingMetrics(), repeat)
        self.outbox.put(update, WEIGHTS.layout, 1, 1.0)
        return self.sent()[-1]

    def sent(self) -> list[str]:
        """The transfers in the client's partition, oldest first."""
        self.transport.flush(0.0)
        records = self.broker.logs[place_of(MODEL_UPDATES, "1")]
        return [TransferHeader.from_record_headers(record.headers)[0].transfer for record in records]


@pytest.fixture
def bench():
    return Bench


@pytest.mark.parametrize(
    ("mode", "kind"), [("sync", RoundByRound), ("timed", OwnPace), ("buffered", OwnPace)]
)
def test_each_mode_has_its_schedule(bench, mode, kind):
    assert isinstance(bench(mode).schedule, kind)


@pytest.mark.parametrize("mode", ["sync", "timed", "buffered"])
def test_nothing_is_due_without_an_open_round_its_model_and_a_place_in_the_cohort(bench, mode):
    one = bench(mode)
    assert one.due() is None
    one.open(1, cohort=("2",))
    assert one.due() is None
    one.open(1)
    assert one.due(is_training=True) is None
    assert one.schedule.assignment(has_model=lambda digest: False, is_training=False) is None
    assert one.due() == Assignment(1, BASE)


def test_in_sync_a_round_is_trained_once(bench):
    one = bench("sync")
    one.open(1)
    one.train()

    assert one.due() is None
    assert not one.schedule.wants(Assignment(2, BASE))


def test_at_its_own_pace_the_same_base_is_trained_again_with_other_numbers(bench):
    one = bench("buffered")
    one.open(1)
    one.answer(one.train(), "held")

    assert one.due() == Assignment(1, BASE, repeat=1)


def test_another_round_begins_with_the_first_repeat(bench):
    one = bench("buffered")
    one.open(1)
    one.answer(one.train(), "held")
    one.close(1)
    one.open(2)
    one.answer(one.sent()[0], "counted")

    assert one.due() == Assignment(2, BASE, repeat=0)


def test_the_same_round_told_again_goes_on_counting(bench):
    """It is told again when somebody joins, and by a server that takes over."""
    one = bench("buffered")
    one.open(1)
    one.answer(one.train(), "held")
    one.open(1)

    assert one.due() == Assignment(1, BASE, repeat=1)


def test_in_timed_the_next_training_waits_for_the_announced_interval(bench):
    one = bench("timed")
    one.open(1, interval_s=10.0)
    one.answer(one.train(1.0), "held")

    assert one.schedule.interval_s == 10.0
    assert one.due() is None
    one.now += 9.0
    assert one.due() is not None


def test_it_stops_training_while_it_keeps_too_many(bench):
    one = bench("buffered")
    one.open(1)
    sent = [one.train()]
    one.answer(sent[-1], "held")
    for _ in range(MAX_KEPT_UPDATES - 1):
        sent.append(one.train())
        one.answer(sent[-1], "held")

    assert one.due() is None
    one.close(1, sent[0])
    one.open(2)
    for transfer in sent[1:]:
        one.answer(transfer, "held")
    assert one.due() is not None


def test_after_a_takeover_it_sends_again_what_the_new_server_does_not_hold(bench):
    one = bench("buffered")
    one.open(1)
    first = one.train()
    one.answer(first, "held")
    second = one.train()
    one.answer(second, "held")
    one.schedule.note_takeover()
    one.due()
    assert one.sent() == [first, second]
    one.open(1, held=[second])

    assert one.sent() == [first, second, first]


def test_a_stale_update_is_still_wanted(bench):
    one = bench("timed")
    one.open(1)
    one.close(1)
    one.open(2)

    assert one.schedule.wants(Assignment(1, BASE))


def test_what_was_held_and_is_not_in_the_model_is_asked_about(bench):
    """Its place would be taken for good: the server counted another frame of the same update."""
    one = bench("buffered")
    one.open(1)
    mine = one.train()
    one.answer(mine, "duplicate")
    one.close(1, "another frame")

    assert one.sent() == [mine, mine]
    one.answer(mine, "counted")
    assert one.outbox.num_kept == 0


def test_what_was_not_held_yet_is_not_sent_twice_when_a_round_closes(bench):
    one = bench("buffered")
    one.open(1)
    mine = one.train()
    one.close(1, "of another client")

    assert one.sent() == [mine]


@pytest.mark.parametrize("verdict", ["too_stale", "round_full", "not_a_member"])
def test_what_is_refused_is_forgotten(bench, verdict):
    one = bench("buffered")
    one.open(1)

    assert one.answer(one.train(), verdict)
    assert one.outbox.num_kept == 0


class AtItsOwnPace(RuleBasedStateMachine):
    """A client in `buffered`, and a server that holds, counts, dies and forgets in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("buffered")
        self.number, self.assigned = 1, []
        self.sent: list[str] = []
        self.held: list[str] = []
        self.counted: set[str] = set()
        self.bench.open(1)

    @rule()
    def trains(self) -> None:
        assignment = self.bench.due()
        if assignment is not None:
            self.assigned.append(assignment)
            self.sent.append(self.bench.put(assignment))

    @rule(data=st.data())
    @precondition(lambda self: self.open())
    def is_held(self, data) -> None:
        transfer = data.draw(st.sampled_from(self.open()))
        self.held.append(transfer)
        self.bench.answer(transfer, "held")

    @rule()
    @precondition(lambda self: self.held)
    def closes(self) -> None:
        self.bench.close(self.number, *self.held)
        self.counted.update(self.held)
        self.held.clear()
        self.number += 1
        self.bench.open(self.number)

    @rule()
    def server_dies(self) -> None:
        self.held.clear()
        self.bench.schedule.note_takeover()
        self.bench.open(self.number)
        self.bench.due()

    def open(self) -> list[str]:
        return [t for t in dict.fromkeys(self.sent) if t not in self.held and t not in self.counted]

    @invariant()
    def no_training_is_repeated(self) -> None:
        assert len(set(self.assigned)) == len(self.assigned)

    @invariant()
    def what_is_in_no_model_is_kept(self) -> None:
        in_no_model = set(self.sent) - self.counted
        assert self.bench.outbox.num_kept == len(in_no_model) <= MAX_KEPT_UPDATES


AtItsOwnPace.TestCase.settings = settings(max_examples=30, stateful_step_count=30)
TestAtItsOwnPace = AtItsOwnPace.TestCase
