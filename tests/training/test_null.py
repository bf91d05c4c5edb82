"""Seeded noise in place of training, without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from engine.config import RunConfig
from engine.errors import ConfigError
from engine.training.factory import open_evaluator, open_trainer
from engine.training.layouts import get_random_weights, static_layout


def noise(config, client="1", round_number=1):
    trainer = open_trainer(config, client=client, part=0)
    delta = np.empty(trainer.layout.size, np.float32)
    trainer.train(np.zeros_like(delta), client=client, round_number=round_number, delta=delta)
    return delta


def test_the_noise_is_normal_with_a_deviation_of_a_thousandth():
    delta = noise(RunConfig(trainer="null", model="vector:1000000"))

    assert delta.mean() == pytest.approx(0, abs=5e-6)
    assert delta.std() == pytest.approx(1e-3, rel=5e-3)


def test_seed_client_and_round_decide_it():
    config = RunConfig(trainer="null", model="vector:100")
    others = [
        noise(config, client="2"),
        noise(config, round_number=2),
        noise(RunConfig(trainer="null", model="vector:100", seed=2)),
    ]

    assert np.array_equal(noise(config), noise(config))
    assert not any(np.array_equal(noise(config), other) for other in others)


@pytest.mark.parametrize("model", ["lenet", "cnn", "vector:12345"])
def test_it_knows_the_layouts_of_its_models(model):
    config = RunConfig(trainer="null", model=model)

    assert open_trainer(config, client="1", part=0).layout == static_layout(model)
    assert open_evaluator(config).initial_weights().layout == static_layout(model)


def test_the_parts_differ_in_weight_and_the_evaluator_knows_them():
    config = RunConfig(trainer="null", clients=3)
    trainers = [open_trainer(config, client="1", part=part) for part in range(3)]

    assert {p: t.num_examples for p, t in enumerate(trainers)} == open_evaluator(config).examples_by_part()
    assert len({trainer.num_examples for trainer in trainers}) == 3


def test_there_is_nothing_to_evaluate_or_to_save(tmp_path):
    evaluator = open_evaluator(RunConfig(trainer="null"))
    vector = evaluator.initial_weights().vector

    assert evaluator.evaluate(vector) is None
    assert not evaluator.save_model(vector, str(tmp_path / "final.keras"))
    assert list(tmp_path.iterdir()) == []


def test_it_starts_from_a_checkpoint_but_not_from_a_keras_file():
    stored = get_random_weights("vector:10", seed=5)

    def start(path):
        config = RunConfig(trainer="null", model="vector:10", init_from=path)
        return open_evaluator(config, read_checkpoint=lambda _: stored).initial_weights()

    assert np.array_equal(start("round-000003.ckpt").vector, stored.vector)
    with pytest.raises(ConfigError, match="starts from a checkpoint only"):
        start("final.keras")


def test_a_model_of_the_users_has_no_static_layout():
    with pytest.raises(ConfigError, match="known only once TensorFlow has built it"):
        static_layout("mine:model")


def test_neither_training_nor_preparing_it_loads_tensorflow(tmp_path):
    (tmp_path / "config.toml").write_text('trainer = "null"\nmodel = "lenet"\n')
    program = (
        "import sys, numpy as np\n"
        "from engine.config import RunConfig\n"
        "from engine.training import prepare\n"
        "from engine.training.factory import open_trainer, open_evaluator\n"
        "config = RunConfig(trainer='null')\n"
        "base = open_evaluator(config).initial_weights().vector\n"
        "open_trainer(config, client='1', part=0)"
        ".train(base, client='1', round_number=1, delta=np.empty_like(base))\n"
        f"sys.argv = ['prepare', '--config', {str(tmp_path / 'config.toml')!r}]\n"
        "assert prepare.main() == 0\n"
        "loaded = [name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules]\n"
        "print(loaded, file=sys.stderr)"  # standard output had the answer, and has nothing else
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stderr.splitlines()[-1] == "[]"
