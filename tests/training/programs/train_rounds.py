"""Trains in a process of its own and prints a digest of each delta.

usage: train_rounds.py CONFIG_JSON CLIENT ROUND... ; with --fork, in a child forked after TensorFlow's import
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


def main(config_json, client, *rounds):
    config = RunConfig(**json.loads(config_json))
    trainer = open_trainer(config, client=client, part=0)
    base = get_random_weights(config.model).vector
    delta = np.empty_like(base)
    for number in map(int, rounds):
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
    main(*arguments)
