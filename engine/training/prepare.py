"""`python -m engine.training.prepare --config FILE`: checks data and model before a run starts.

One JSON line on standard output, narration on standard error. TensorFlow is loaded only for a download or
for a model whose layout only TensorFlow knows.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.codecs import open_codec
from engine.commands import Prepared, encode
from engine.config import MODELS, RunConfig
from engine.core.weights import Layout
from engine.data import load_held_out, load_labels, resolve_dataset
from engine.data.user import import_function
from engine.errors import ConfigError, DataError, EngineError
from engine.lifecycle import Terminated, die_with_parent, raise_on_signals
from engine.protocol.serialization import MAX_PAYLOAD_BYTES
from engine.training.fetch import fetch_cifar10
from engine.training.flat_model import read_layout
from engine.training.layouts import static_layout
from engine.training.null import null_num_examples
from engine.training.quiet_start import load_tensorflow, native_output_held_back


def prepare(config: RunConfig) -> Prepared:
    """Resolves the data set, reads it once, and builds the model if that is what it takes to know its size.

    Raises:
        ConfigError: the model cannot be built, or not be sent.
        DataError: the data set is missing, malformed, too large, or too small for its parts.
    """
    if config.trainer == "null":
        return Prepared(
            dataset=config.dataset,
            stand_in="the null trainer reads no data; seeded noise stands in for training",
            examples=sum(null_num_examples(part) for part in range(config.num_parts)),
            num_parameters=_num_parameters(config),
        )
    dataset, stand_in = resolve_dataset(config.dataset, fetch=fetch_cifar10)
    config = msgspec.structs.replace(config, dataset=dataset)
    if ":" in dataset:
        with native_output_held_back():  # beside the data there may be a model of Keras in that module
            import_function(dataset, key="dataset")
    if len(load_held_out(config).y) == 0:
        raise DataError(f"dataset = {dataset!r}: no held-out examples to evaluate the global model on")
    examples = sum(map(len, load_labels(config)))
    if dataset == "digits" and config.augmentation == "flip_crop":
        sys.stderr.write("warning: augmentation = 'flip_crop' mirrors digits: most are none any more\n")
    return Prepared(
        dataset=dataset, stand_in=stand_in, examples=examples, num_parameters=_num_parameters(config)
    )


def _num_parameters(config: RunConfig) -> int:
    size = _layout(config).size
    payload = open_codec(config.codec).max_bytes(size)
    if payload > MAX_PAYLOAD_BYTES:
        raise ConfigError(
            f"model = {config.model!r}: {payload:,} bytes; a frame carries at most {MAX_PAYLOAD_BYTES:,}"
        )
    return size


def _layout(config: RunConfig) -> Layout:
    if config.trainer == "null" or (config.model in MODELS and ":" not in config.dataset):
        return static_layout(config.model)
    load_tensorflow()
    from engine.training.keras import build_run_model  # noqa: PLC0415 - loads TensorFlow

    return read_layout(build_run_model(config))


def main() -> int:
    """Prints what a run will use; returns the exit code of the error that forbids it."""
    parser = argparse.ArgumentParser(prog="python -m engine.training.prepare", description=prepare.__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="RUN_DIR/config.toml")
    parser.add_argument("--parent", type=int, metavar="PID", help="die with this process")
    arguments = parser.parse_args()
    raise_on_signals()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    try:
        with _answer_alone() as answer:
            answer.write(encode(prepare(RunConfig.load(arguments.config))))
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except Terminated as signal:  # whoever asked knows
        return signal.exit_code
    return 0


@contextlib.contextmanager
def _answer_alone() -> Iterator[BinaryIO]:
    """Standard output for the answer; what the operator's code and what it loads print is narration."""
    with os.fdopen(os.dup(1), "wb") as answer, contextlib.redirect_stdout(sys.stderr):
        os.dup2(2, 1)
        yield answer


if __name__ == "__main__":
    sys.exit(main())
