"""Chooses the trainer and the evaluator of a run. TensorFlow is loaded only if the choice needs it."""

from collections.abc import Callable
from pathlib import Path

from engine.config import RunConfig
from engine.core.weights import Weights
from engine.data.user import DataFunction
from engine.errors import ConfigError
from engine.training.base import Evaluator, ModelFunction, Trainer
from engine.training.null import NullEvaluator, NullTrainer


def require_gpu(config: RunConfig, gpu: int) -> None:
    """Makes sure, before a client joins, that it can train on this GPU.

    Raises:
        ConfigError: there is no such GPU here, or nothing is trained.
    """
    if config.trainer == "null":
        raise ConfigError(f"--gpu {gpu}: trainer = 'null' trains nothing")
    from engine.training.runtime import num_gpus  # noqa: PLC0415 - loads TensorFlow, seconds and 300 MB

    if gpu not in range(num_gpus()):
        raise ConfigError(f"--gpu {gpu}: TensorFlow sees {num_gpus() or 'no'} GPUs on this machine")


def open_trainers(
    config: RunConfig,
    *,
    gpu: int | None = None,
    model: ModelFunction | None = None,
    data: DataFunction | None = None,
) -> Callable[[str, int], Trainer]:
    """What opens the trainers of all clients of one process: `open(client, part)`.

    With Keras they share one model, which is built, and its training compiled, for the first of them: only
    one may train at a time. What each computes is what it would compute in a process of its own.

    Args:
        config: of the run.
        gpu: the GPU to train on; None for one by the first trainer's part.
        model: makes the model instead of what `config.model` names.
        data: makes the data instead of what `config.dataset` names.

    Returns:
        A function that raises as `open_trainer` does.
    """
    if config.trainer == "null":
        return lambda _, part: NullTrainer(config, part=part)
    from engine.training.keras import KerasTrainers  # noqa: PLC0415 - loads TensorFlow, seconds and 300 MB

    return KerasTrainers(config, gpu=gpu, model=model, data=data)


def open_trainer(config: RunConfig, *, client: str, part: int, gpu: int | None = None) -> Trainer:
    """The trainer of one client on its part of the data, in a process of its own.

    Args:
        config: of the run.
        client: its id.
        part: which part of the data is its own.
        gpu: the GPU to train on; None for one by its part.

    Raises:
        ConfigError: the model cannot be built.
        DataError: the part cannot be loaded.
        TrainingError: TensorFlow does not start on this host.
    """
    return open_trainers(config, gpu=gpu)(client, part)


def open_evaluator(
    config: RunConfig,
    *,
    read_checkpoint: Callable[[Path], Weights] | None = None,
    model: ModelFunction | None = None,
    data: DataFunction | None = None,
) -> Evaluator:
    """The server's evaluator.

    Args:
        config: of the run.
        read_checkpoint: reads an `init_from` that is not a `.keras` file.
        model: makes the model instead of what `config.model` names.
        data: makes the data instead of what `config.dataset` names.

    Raises:
        ConfigError: the model cannot be built, or `init_from` does not fit it.
        DataError: the held-out examples cannot be loaded.
        TrainingError: TensorFlow does not start on this host.
    """
    if config.trainer == "null":
        return NullEvaluator(config, read_checkpoint=read_checkpoint)
    from engine.training.keras import KerasEvaluator  # noqa: PLC0415 - loads TensorFlow, seconds and 300 MB

    return KerasEvaluator(config, read_checkpoint=read_checkpoint, model=model, data=data)
