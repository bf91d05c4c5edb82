"""Training beside the main thread: one at a time, and no error is lost."""

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
    def start_thread(open_trainer=lambda: NullTrainer(config, part=0)):
        return TrainerThread("1", open_trainer, clock)

    return start_thread


def result(thread):
    deadline = time.monotonic() + DEADLINE_S
    while (trained := thread.poll()) is None:
        assert time.monotonic() < deadline, "training did not end"
        time.sleep(0.001)
    return trained


def test_a_training_gives_an_update_from_its_base(start, base, config):
    thread = start()
    thread.submit(Task(Assignment(3, "digest"), base))
    trained = result(thread)

    expected = np.empty(base.layout.size, np.float32)
    NullTrainer(config, part=0).train(base.vector, client="1", round_number=3, delta=expected)
    assert trained.error is None
    assert (trained.update.round, trained.update.client) == (3, "1")
    assert (trained.update.base_digest, trained.update.num_examples) == ("digest", 1000)
    assert trained.update.delta.tobytes() == expected.tobytes()


def test_an_update_is_not_overwritten_by_the_next_training(start, base):
    thread = start()
    thread.submit(Task(Assignment(1, "digest"), base))
    first = result(thread).update.delta
    before = first.copy()
    thread.submit(Task(Assignment(2, "digest"), base))
    result(thread)

    assert np.array_equal(first, before)


def test_it_is_busy_from_the_submission_until_the_result_is_taken(start, base, clock):
    thread = start()
    assert thread.busy_since is None
    assert thread.poll() is None
    thread.submit(Task(Assignment(1, "digest"), base))
    assert thread.busy_since == clock.now
    result(thread)
    assert thread.busy_since is None


def test_the_trainer_is_opened_in_the_thread(start, config):
    opened_in = []

    def open_trainer():
        opened_in.append(threading.current_thread())
        raise DataError("no such part")

    trained = result(start(open_trainer))
    assert opened_in[0] is not threading.main_thread()
    assert isinstance(trained.error, DataError)


def test_an_error_of_training_is_handed_over_with_its_round(start, base, config):
    class FailingTrainer(NullTrainer):
        def train(self, base, *, client, round_number, delta, repeat=0):
            raise TrainingError("out of memory")

    thread = start(lambda: FailingTrainer(config, part=0))
    thread.submit(Task(Assignment(4, "digest"), base))
    trained = result(thread)

    assert (trained.round, trained.update) == (4, None)
    assert isinstance(trained.error, TrainingError)


def test_a_model_of_another_layout_is_refused_with_the_layers_that_differ(start):
    other = Layout((Tensor("vector", (7,)), Tensor("head", (2, 2))))
    thread = start()
    thread.submit(Task(Assignment(1, "digest"), Weights(other, np.zeros(11, np.float32))))
    error = result(thread).error

    assert isinstance(error, LayoutMismatch)
    assert "head: unexpected; vector: [7] trainable instead of [500] trainable" in str(error)
