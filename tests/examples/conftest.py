"""The examples, imported from the repository's root as their users import them."""

import importlib
import os

import numpy as np
import pytest

from engine.config import RunConfig
from engine.training.factory import open_evaluator, open_trainers

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True)
def _configured_tensorflow(request):
    if request.node.get_closest_marker("tensorflow"):
        importlib.import_module("engine.training.runtime").configure(RunConfig(), index=0)


@pytest.fixture
def learn():
    """Federated averaging by hand: the accuracy before the first round and after each of some rounds."""

    def rounds_of(config, rounds):
        evaluator, open_one = open_evaluator(config), open_trainers(config)
        trainers = [open_one(str(part), part) for part in range(config.clients)]
        total = sum(trainer.num_examples for trainer in trainers)
        vector = evaluator.initial_weights().vector
        accuracies, delta = [evaluator.evaluate(vector).accuracy], np.empty_like(vector)
        for number in range(1, rounds + 1):
            mean = np.zeros(vector.size)
            for part, trainer in enumerate(trainers):
                trainer.train(vector, client=str(part), round_number=number, delta=delta)
                mean += delta * (trainer.num_examples / total)
            vector = (vector + mean).astype(np.float32)
            accuracies.append(evaluator.evaluate(vector).accuracy)
        return accuracies

    return rounds_of
