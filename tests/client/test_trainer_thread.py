"""Training beside the main thread: one at a time, whoever it is for, and no error is lost."""

import threading
import time

import numpy as np
import pytest

from engine.client.schedule import Assignment
from engine.client.trainer_thread import Task, TrainerThread
from engine.core.weights import Layout, Tensor, Weights
from engine.errors import DataError, LayoutMismatch, TrainingError
from engine.training.layouts import get_random_weights
from engine.training.null import NullTrainer

DEADLINE_S = 20.0


@pytest.fixture
def base(config):
    return get_random_weights(config.model, seed=config.seed)


@pytest.fixture
def start(config, clock):
    def start_thread(open_trainer=lambda _, part: NullTrainer(config, part=part)):
        return TrainerThread(open_trainer, clock)

    return start_thread


def result(thread):
    deadline = time.monotonic() + DEADLINE_S
    while (trained := thread.poll()) is None:
        assert time.monotonic() < deadline, "training did not end"
        time.sleep(0.001)
    return trained


def test_a_training_gives_an_update_from_its_base(start, base, config):
    thread = start()
    thread.submit("1", 0, Task(Assignment(3, "digest"), base))
    trained = result(thread)

    expected = np.empty(base.layout.size, np.float32)
    NullTrainer(config, part=0).train(base.vector, client="1", round_number=3, delta=expected)
    assert trained.error is None
    assert (trained.client, trained.update.round, trained.update.client) == ("1", 3, "1")
    assert (trained.update.base_digest, trained.update.num_examples) == ("digest", 1000)
    assert trained.update.delta.tobytes() == expected.tobytes()


def test_trainings_are_done_one_after_the_other_in_the_order_in_which_they_came(start, base, config):
    under_way, most = [], []

    class WatchedTrainer(NullTrainer):
        def train(self, base, *, client, round_number, delta, repeat=0):
            under_way.append(client)
            most.append(len(under_way))
            result = super().train(base, client=client, round_number=round_number, delta=delta, repeat=repeat)
            under_way.remove(client)
            return result

    thread = start(lambda _, part: WatchedTrainer(config, part=part))
    for client in ("3", "1", "2"):
        thread.submit(client, int(client), Task(Assignment(1, "digest"), base))

    done = [result(thread).update for _ in range(3)]
    assert [(update.client, update.num_examples) for update in done] == [
        ("3", 1003),
        ("1", 1001),
        ("2", 1002),
    ]
    assert most == [1, 1, 1]


def test_each_client_has_one_trainer_which_is_made_in_the_thread(start, base, config):
    made = []

    def open_trainer(client, part):
        made.append((client, part, threading.current_thread().name))
        return NullTrainer(config, part=part)

    thread = start(open_trainer)
    thread.prepare("1", 0)
    for round_number in (1, 2):
        for client in ("1", "2"):
            thread.submit(client, int(client) - 1, Task(Assignment(round_number, "digest"), base))
    for _ in range(4):
        result(thread)

    assert made == [("1", 0, "training"), ("2", 1, "training")]


def test_an_update_is_not_overwritten_by_the_next_training(start, base):
    thread = start()
    thread.submit("1", 0, Task(Assignment(1, "digest"), base))
    first = result(thread).update.delta
    before = first.copy()
    thread.submit("1", 0, Task(Assignment(2, "digest"), base))
    result(thread)

    assert np.array_equal(first, before)


def test_it_is_busy_until_the_last_result_is_taken(start, base, clock):
    thread = start()
    assert thread.busy_since is None
    assert thread.poll() is None
    thread.submit("1", 0, Task(Assignment(1, "digest"), base))
    thread.submit("2", 1, Task(Assignment(1, "digest"), base))
    assert thread.busy_since == clock.now
    clock.advance(5)
    result(thread)
    assert thread.busy_since == clock.now
    result(thread)
    assert thread.busy_since is None


def test_why_a_trainer_cannot_be_made_is_told_and_the_others_go_on(start, base, config):
    def open_trainer(client, part):
        if client == "1":
            raise DataError("no such part")
        return NullTrainer(config, part=part)

    thread = start(open_trainer)
    thread.prepare("1", 0)
    thread.submit("2", 1, Task(Assignment(1, "digest"), base))
    failed, trained = result(thread), result(thread)

    assert (failed.client, type(failed.error)) == ("1", DataError)
    assert (trained.client, trained.error) == ("2", None)


def test_an_error_of_training_is_handed_over(start, base, config):
    class FailingTrainer(NullTrainer):
        def train(self, base, *, client, round_number, delta, repeat=0):
            raise TrainingError("out of memory")

    thread = start(lambda *_: FailingTrainer(config, part=0))
    thread.submit("1", 0, Task(Assignment(4, "digest"), base))
    trained = result(thread)

    assert (trained.client, trained.update) == ("1", None)
    assert isinstance(trained.error, TrainingError)


def test_what_is_queued_for_a_client_that_ended_is_not_trained(start, base, config):
    trained, may_train = [], threading.Event()

    class HeldTrainer(NullTrainer):
        def train(self, base, *, client, round_number, delta, repeat=0):
            assert may_train.wait(DEADLINE_S)
            trained.append(client)
            return super().train(base, client=client, round_number=round_number, delta=delta)

    thread = start(lambda _, part: HeldTrainer(config, part=part))
    for client in ("1", "2", "3"):
        thread.submit(client, 0, Task(Assignment(1, "digest"), base))
    thread.withdraw("2")
    may_train.set()

    assert [result(thread).client for _ in range(2)] == ["1", "3"]
    assert trained == ["1", "3"]


def test_a_model_of_another_layout_is_refused_with_the_layers_that_differ(start):
    other = Layout((Tensor("vector", (7,)), Tensor("head", (2, 2))))
    thread = start()
    thread.submit("1", 0, Task(Assignment(1, "digest"), Weights(other, np.zeros(11, np.float32))))
    error = result(thread).error

    assert isinstance(error, LayoutMismatch)
    assert "head: unexpected; vector: [7] trainable instead of [500] trainable" in str(error)
