"""Trains in a process of its own and prints a line of what came of each round: digest, examples, finite.

usage: train_rounds.py WORK_JSON ; with --fork, in a child forked after TensorFlow's import

The work is a list of [settings, client, [round, ...]]; what decides how TensorFlow is set up in a process
(threads, jit) must be the same in all settings.
"""

import importlib
import json
import os
import sys

import numpy as np
from blake3 import blake3

from engine.config import RunConfig
from engine.training.factory import open_trainer
from engine.training.layouts import get_random_weights


def train(settings, client, rounds):
    config = RunConfig(**settings)
    trainer = open_trainer(config, client=client, part=0)
    base = get_random_weights(config.model).vector
    delta = np.empty_like(base)
    for number in rounds:
        result = trainer.train(base, client=client, round_number=number, delta=delta)
        line = f"{blake3(delta.tobytes()).hexdigest()} {result.num_examples} {np.isfinite(delta).all()}\n"
        sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--fork" in arguments:
        arguments.remove("--fork")
        importlib.import_module("tensorflow")
        pid = os.fork()
        if pid != 0:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    for task in json.loads(arguments[0]):
        train(*task)
