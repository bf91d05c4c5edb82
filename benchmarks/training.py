"""Local training: speed beside `keras.Model.fit`, the price of augmentation, private memory, compilation.

Each figure is taken in a process of its own. For speed, both sides run in turns in one process that is bound
to one processor, with TensorFlow's threads at one: `fit` would otherwise feed itself from a second one.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks._rows import Row, row

PART = 12_500
"""Images of one of four clients on CIFAR-10."""
SPEED = {"lenet": (3200, 12, 1.3), "cnn": (640, 5, 1.0)}
"""Images, repeats, and the least ratio to `fit`."""
IMAGES_MB = PART * 3072 / 2**20
SHARING = 8
"""Clients of one process."""
MEMORY = (("without XLA", False, 200), ("with XLA", True, 300))
"""MB at most."""


def run() -> list[Row]:
    """The rows of this benchmark."""
    rows = []
    for model, (_, _, target) in SPEED.items():
        figures = _in_process("speed", model)
        ours, theirs = figures["ours"], figures["fit"]
        rows.append(row(f"{model}: samples/s beside fit", ours / theirs, "ratio", at_least=target))
        rows.append(row(f"{model}: samples/s", ours, "1/s"))
        rows.append(row(f"{model}: keras.Model.fit", theirs, "1/s"))
        rows.append(row(f"{model}: first round less a later one (compilation)", figures["compile_s"], "s"))
    figures = _in_process("augmented", "lenet")
    rows.append(row("lenet: samples/s, augmented beside not", figures["ratio"], "ratio", at_least=0.8))
    for label, jit, limit in MEMORY:
        figures = _in_process("memory", "jit" if jit else "plain")
        name = f"lenet client of {PART} images, forked, {label}"
        rows.append(row(f"{name}: private memory", figures["private_mb"], "MB", at_most=limit))
        rows.append(row(f"{name}: from the fork to the first delta", figures["ready_s"], "s"))
    figures = _in_process("sharing", str(SHARING))
    name = f"each further lenet client of {PART} images in a process"
    rows.append(row(f"{name}: private memory", figures["private_mb"], "MB", at_most=IMAGES_MB + 4))
    rows.append(row(f"{name}: of that its images", IMAGES_MB, "MB"))
    rows.append(row(f"{name}: until its first delta", figures["ready_s"], "s"))
    return rows


def speed(model: str) -> dict[str, float]:
    """Samples per second of both sides, best of some rounds in turns, and the seconds that compiling took."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    num_images, repeats, _ = SPEED[model]
    ours, fit = _our_round(model, num_images), _fit_round(model, num_images)
    first = _seconds(ours)
    fit()
    best = _best_in_turns(ours, fit, repeats)
    return {"ours": num_images / best[0], "fit": num_images / best[1], "compile_s": first - best[0]}


def augmented(model: str) -> dict[str, float]:
    """Speed of training with augmentation, divided by that of training without."""
    num_images, repeats, _ = SPEED[model]
    plain, flipped = (_our_round(model, num_images, augmentation=name) for name in ("none", "flip_crop"))
    plain()
    flipped()
    best = _best_in_turns(plain, flipped, repeats)
    return {"ratio": best[0] / best[1]}


def memory(kind: str) -> dict[str, float]:
    """Private memory after three rounds in a child forked from a parent that has imported TensorFlow."""
    import keras  # noqa: F401, PLC0415 - what the nursery does before it forks

    if (pid := os.fork()) != 0:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    import psutil  # noqa: PLC0415 - the child's own

    start = time.perf_counter()
    train = _our_round("lenet", PART, jit=kind == "jit")
    train()
    ready_s = time.perf_counter() - start
    train()
    train()
    return {"private_mb": psutil.Process().memory_full_info().uss / 2**20, "ready_s": ready_s}


def sharing(clients: str) -> dict[str, float]:
    """What each client but the first costs in a process that all share: private memory, and seconds."""
    import numpy as np  # noqa: PLC0415 - the measured process's own
    import psutil  # noqa: PLC0415

    from engine.config import RunConfig  # noqa: PLC0415
    from engine.training.keras import KerasTrainers  # noqa: PLC0415

    config = RunConfig(dataset="benchmarks.training:part_of_noise", clients=int(clients))
    open_one, trainers, private, ready_s = KerasTrainers(config), [], [], []
    for part in range(config.clients):
        start = time.perf_counter()
        trainers.append(open_one(str(part), part))
        vector = np.zeros(trainers[0].layout.size, np.float32)
        trainers[-1].train(vector, client=str(part), round_number=1, delta=vector.copy())
        ready_s.append(time.perf_counter() - start)
        private.append(psutil.Process().memory_full_info().uss / 2**20)
    return {
        "private_mb": (private[-1] - private[1]) / (config.clients - 2),
        "ready_s": sum(ready_s[1:]) / (config.clients - 1),
    }


def part_of_noise(part: int, parts: int, seed: int) -> Any:  # noqa: ARG001 - what every data function takes
    """A part that differs from the others in its number of images."""
    from engine.data import Dataset  # noqa: PLC0415

    x, y = _images(PART - part)
    return Dataset(x, y, x[:10], y[:10], name="noise")


def _our_round(
    model: str, num_images: int, *, jit: bool = False, augmentation: Any = "none"
) -> Callable[[], object]:
    from engine.config import RunConfig  # noqa: PLC0415 - TensorFlow only in the measured process
    from engine.data import cifar10  # noqa: PLC0415
    from engine.data.randomness import generator  # noqa: PLC0415
    from engine.training.flat_model import read_weights  # noqa: PLC0415
    from engine.training.local_sgd import LocalSgd, plan_batches  # noqa: PLC0415
    from engine.training.models import build_model  # noqa: PLC0415
    from engine.training.runtime import configure  # noqa: PLC0415

    config = RunConfig(model=model, jit=jit, augmentation=augmentation)
    configure(config, index=0)
    built = build_model(model, seed=1, spec=cifar10.SPEC)
    sgd, base, rng = LocalSgd(built, cifar10.SPEC, config), read_weights(built).vector, generator(1)
    examples = sgd.place(_images(num_images))
    return lambda: sgd.train(base, examples, plan_batches(num_images, config.batch_size, 1, rng), rng)


def _fit_round(model: str, num_images: int) -> Callable[[], object]:
    import keras  # noqa: PLC0415 - TensorFlow only in the measured process

    from engine.config import RunConfig  # noqa: PLC0415
    from engine.data import cifar10  # noqa: PLC0415
    from engine.training.models import build_model  # noqa: PLC0415

    config = RunConfig()
    built = build_model(model, seed=1, spec=cifar10.SPEC)
    built.compile(
        keras.optimizers.SGD(config.learning_rate, config.momentum),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = _images(num_images)
    return lambda: built.fit(x, y, batch_size=config.batch_size, verbose=0)


def _images(count: int) -> Any:
    import numpy as np  # noqa: PLC0415 - TensorFlow only in the measured process

    from engine.data import Examples  # noqa: PLC0415
    from engine.data.randomness import generator  # noqa: PLC0415

    rng = generator(1, "benchmark")
    return Examples(rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 10, count, np.int32))


def _best_in_turns(
    one: Callable[[], object], other: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """The least seconds of each, taken in turns."""
    times = [(_seconds(one), _seconds(other)) for _ in range(repeats)]
    return min(first for first, _ in times), min(second for _, second in times)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _in_process(measure: str, what: str) -> dict[str, float]:
    """The figures of one measurement in a fresh interpreter."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", measure, what],
        stdout=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )
    figures: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Takes one measurement in this process, for example `speed lenet`."""
    measure, what = sys.argv[1:]
    measures = {"speed": speed, "augmented": augmented, "memory": memory, "sharing": sharing}
    print(json.dumps(measures[measure](what)), flush=True)


if __name__ == "__main__":
    main()
