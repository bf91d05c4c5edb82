"""A GPU that was asked for is there, or the client says so before it joins."""

import pytest

from engine.config import RunConfig
from engine.errors import ConfigError
from engine.training.factory import open_trainer, require_gpu


def test_where_nothing_is_trained_no_gpu_can_be_asked_for():
    with pytest.raises(ConfigError, match="--gpu 0: trainer = 'null' trains nothing"):
        require_gpu(RunConfig(trainer="null", model="vector:9"), 0)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("there", "asked_for", "words"),
    [(0, 0, "sees no GPUs"), (2, 2, "sees 2 GPUs"), (2, -1, "sees 2 GPUs")],
)
def test_a_gpu_that_is_not_there_is_named_with_those_that_are(monkeypatch, there, asked_for, words):
    monkeypatch.setattr("engine.training.runtime.num_gpus", lambda: there)

    with pytest.raises(ConfigError, match=f"--gpu {asked_for}: TensorFlow {words} on this machine"):
        require_gpu(RunConfig(), asked_for)


@pytest.mark.tensorflow
def test_a_gpu_that_is_there_may_be_used(monkeypatch):
    monkeypatch.setattr("engine.training.runtime.num_gpus", lambda: 2)

    require_gpu(RunConfig(), 1)


class Configured(Exception):
    """TensorFlow would be set up now, for the GPU of this index."""


@pytest.mark.tensorflow
@pytest.mark.parametrize(("gpu", "index"), [(1, 1), (0, 0), (None, 3)])
def test_a_client_trains_on_its_gpu_or_on_one_by_its_part(monkeypatch, gpu, index):
    def configure(config, *, index):
        raise Configured(index)

    monkeypatch.setattr("engine.training.keras.configure", configure)
    with pytest.raises(Configured, match=str(index)):
        open_trainer(RunConfig(), client="4", part=3, gpu=gpu)
