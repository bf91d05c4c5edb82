"""Several clients in one process: one model, one traced function, and the bits of processes of their own."""

import textwrap

import msgspec
import numpy as np
import pytest

from engine.config import RunConfig
from engine.training.factory import open_evaluator, open_trainer, open_trainers

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own reading of a variable, under numpy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]

# parts of other sizes, some of fewer examples than a batch, each with a local test set
UNEVEN = RunConfig(
    dataset="digits",
    clients=4,
    partition="dirichlet",
    dirichlet_alpha=0.2,
    subset_size=90,
    local_test_fraction=0.2,
    class_weighting="balanced",
    augmentation="flip_crop",
)
WITH_STATISTICS = """
    import keras
    from keras import layers

    def model(input_shape, classes):
        return keras.Sequential([
            keras.Input(input_shape), layers.Rescaling(1 / 255), layers.Flatten(),
            layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(classes),
        ])
    """


@pytest.fixture(params=["lenet", "with_statistics:model"])
def config(request, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "with_statistics.py").write_text(textwrap.dedent(WITH_STATISTICS))
    return msgspec.structs.replace(UNEVEN, model=request.param)


def trained(trainer, base, client, round_number):
    delta = np.empty_like(base)
    result = trainer.train(base, client=client, round_number=round_number, delta=delta)
    return delta.tobytes(), result


def test_clients_that_take_turns_compute_what_each_would_compute_alone(config):
    base = open_evaluator(config).initial_weights().vector
    work = [("a", 0, 1), ("b", 1, 1), ("b", 1, 2), ("a", 0, 2), ("a", 3, 3)]

    alone = []
    for client, part, number in work:
        alone.append(trained(open_trainer(config, client=client, part=part), base, client, number))
    open_one = open_trainers(config)
    trainers = {(client, part): open_one(client, part) for client, part, _ in work}
    together = [trained(trainers[client, part], base, client, number) for client, part, number in work]

    assert together == alone
    assert len({trainer.num_examples for trainer in trainers.values()}) == 3
    assert {id(trainer._shared) for trainer in trainers.values()} == {id(trainers["a", 0]._shared)}
    assert trainers["a", 0]._shared.sgd._run.experimental_get_tracing_count() == 1


def test_clients_of_the_null_trainer_share_a_process():
    open_one = open_trainers(RunConfig(trainer="null", model="vector:9", clients=2))

    assert [open_one(client, part).num_examples for client, part in (("1", 0), ("2", 1))] == [1000, 1001]
