"""The same (seed, client, round) gives the same bits in any process; another one gives others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow

PROGRAM = Path(__file__).parent / "programs" / "train_rounds.py"
SETTINGS = {"dataset": "digits", "clients": 2, "subset_size": 70, "batch_size": 16}

ONE_THREAD = {
    "plain": ({}, "1"),
    "with dropout": ({"model": "cnn", "batch_size": 8}, "1"),
    "augmented, balanced": ({"augmentation": "flip_crop", "class_weighting": "balanced"}, "1"),
    "another client": ({}, "2"),
    "another seed": ({"seed": 2}, "1"),
}
TWO_THREADS = {"plain": ({"threads": 2}, "1")}
XLA = {"plain": ({"jit": True}, "1")}


def start(work, rounds, *options):
    """A process that trains each round of each piece of work."""
    tasks = [[SETTINGS | settings, client, rounds] for settings, client in work]
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), json.dumps(tasks), *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd()), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def digests(process, names, rounds):
    """By (name of the work, round), in the order in which the process has trained."""
    answer, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    lines = [line.split() for line in answer.splitlines()]
    assert {(examples, finite) for _, examples, finite in lines} == {("35", "True")}
    keys = [(name, number) for name in names for number in rounds]
    return dict(zip(keys, [digest for digest, _, _ in lines], strict=True))


FORKED = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@pytest.mark.parametrize(
    ("work", "options"),
    [
        pytest.param(ONE_THREAD, ["--fork"], id="one thread, forked after the import", marks=FORKED),
        pytest.param(TWO_THREADS, [], id="two threads"),
        pytest.param(XLA, [], id="XLA"),
    ],
)
def test_two_processes_compute_the_same_bits_whatever_they_trained_before(work, options):
    first = start(work.values(), [1, 2])
    second = start(reversed(work.values()), [2, 1], *options)

    bits = digests(first, work, [1, 2])
    assert digests(second, reversed(work), [2, 1]) == bits
    assert len(set(bits.values())) == len(bits)  # client, seed and round decide them
