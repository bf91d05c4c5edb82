"""Fuzzes what reads bytes from outside, guided by coverage: `python -m tests.hostile_frames.fuzz [--runs N]`.

It starts from the corpus and ends with 0 after so many inputs, or at the first that is not refused in order.
"""

import argparse
import importlib.util
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tests.hostile_frames.honest import model_frame, update_frame
from tests.hostile_frames.make import CORPUS
from tests.hostile_frames.mutations import MESSAGES, SUBJECTS

_LARGEST_INPUT = 1 << 16
_LONGEST_INPUT_S = 20
_MOST_MEMORY_MB = 1024
_FRAME, _SEALED_FRAME, _RECORDS, _MESSAGE, _PICKLE = range(5)
"""First byte of an input: who reads it (`fuzz_target.READERS`)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the fuzzer in a process of its own; returns its exit code, or 2 where there is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile_frames.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="inputs (100000)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (1)")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed; on Linux: pip install -e '.[fuzz]'\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(first_inputs()):
            (Path(folder) / str(number)).write_bytes(content[:_LARGEST_INPUT])
        command = (
            *(sys.executable, "-m", "tests.hostile_frames.fuzz_target", folder),
            *(f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={_LARGEST_INPUT}"),
            *(f"-timeout={_LONGEST_INPUT_S}", f"-rss_limit_mb={_MOST_MEMORY_MB}", "-print_final_stats=1"),
        )
        return subprocess.run(command, check=False).returncode


def first_inputs() -> Iterator[bytes]:
    """What is honest, and the corpus, for each reader."""
    for frame in (update_frame(), model_frame(), *(subject.frame for subject in SUBJECTS)):
        yield bytes([_FRAME]) + frame
        yield bytes([_SEALED_FRAME]) + frame[:-32]
    for folder in ("frame", "packed_frame", "update_sync"):
        for path in sorted((CORPUS / folder).iterdir()):
            yield bytes([_FRAME]) + path.read_bytes()
            yield bytes([_SEALED_FRAME]) + path.read_bytes()[:-32]
    yield from (bytes([_RECORDS]) + bytes(places) for places in (b"\0\0\0", b"\0\1\2\3\4" * 5))
    for message in MESSAGES:
        yield bytes([_MESSAGE]) + message
    for folder in ("control", "telemetry"):
        for path in sorted((CORPUS / folder).iterdir()):
            yield bytes([_MESSAGE]) + path.read_bytes()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        batch = {b"data": np.zeros((2, 3), np.uint8), b"labels": [0, 1], b"names": ("a", b"b")}
        yield bytes([_PICKLE]) + pickle.dumps(batch, protocol)


if __name__ == "__main__":
    sys.exit(main())
