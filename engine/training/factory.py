"""Chooses the trainer and the evaluator of a run. TensorFlow is loaded only if the choice needs it."""

from collections.abc import Callable
from pathlib import Path

from engine.config import RunConfig
from engine.core.weights import Weights
from engine.training.base import Evaluator, Trainer
from engine.training.null import NullEvaluator, NullTrainer


def open_trainer(config: RunConfig, *, client: str, part: int) -> Trainer:
    """The trainer of one client on its part of the data.

    Raises:
        ConfigError: the model cannot be built.
        DataError: the part cannot be loaded.
        TrainingError: TensorFlow does not start on this host.
    """
    if config.trainer == "null":
        return NullTrainer(config, part=part)
    from engine.training.keras import KerasTrainer  # noqa: PLC0415 - loads TensorFlow, seconds and 300 MB

    return KerasTrainer(config, client=client, part=part)


def open_evaluator(
    config: RunConfig, *, read_checkpoint: Callable[[Path], Weights] | None = None
) -> Evaluator:
    """The server's evaluator.

    Args:
        config: of the run.
        read_checkpoint: reads an `init_from` that is not a `.keras` file.

    Raises:
        ConfigError: the model cannot be built, or `init_from` does not fit it.
        DataError: the held-out examples cannot be loaded.
        TrainingError: TensorFlow does not start on this host.
    """
    if config.trainer == "null":
        return NullEvaluator(config, read_checkpoint=read_checkpoint)
    from engine.training.keras import KerasEvaluator  # noqa: PLC0415 - loads TensorFlow, seconds and 300 MB

    return KerasEvaluator(config, read_checkpoint=read_checkpoint)
