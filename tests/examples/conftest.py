"""The examples, imported from the repository's root as their users import them."""

import importlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from engine.broker.embedded import wait_until_ready
from engine.config import RunConfig
from engine.loopback import HOST, free_port
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


@pytest.fixture(scope="module")
def embedded_address() -> Iterator[str]:
    """Of `python -m engine.broker`."""
    port = free_port()
    command = [sys.executable, "-m", "engine.broker", "--port", str(port)]
    process = subprocess.Popen([*command, "--cluster-id", uuid.uuid4().hex, "--parent", str(os.getpid())])
    wait_until_ready(port, 15.0)
    yield f"{HOST}:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def memory_address() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.broker)])
def meeting(request: pytest.FixtureRequest) -> dict[str, object]:
    """`bootstrap_servers` and `embedded`, each in turn."""
    address = request.getfixturevalue(f"{request.param}_address")
    return {"bootstrap_servers": address, "embedded": request.param == "embedded"}
