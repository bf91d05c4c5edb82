"""What the supervisor weighs while it runs a federation, and what a child of the nursery costs."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks._rows import Row, row
from engine.commands import Spawn, encode
from flconsole.supervisor.client import SupervisorGone, connect
from flconsole.supervisor.programs import NURSERY_ENVIRONMENT

CLIENTS = 16
SPAWNS = 15
SUPERVISOR_TARGET_MIB = 60
DEADLINE_S = 120.0

_SUPERVISE = """
import sys
from pathlib import Path
from engine.config import RunConfig
from flconsole.supervisor.programs import Programs
from flconsole.supervisor.supervisor import run_supervisor
config = RunConfig(clients=int(sys.argv[2]), trainer="null")
run_supervisor(config, Path(sys.argv[1]), resumed=False, programs=Programs(server="idle", client="idle"))
"""
_IDLE = "import signal\nwhile True: signal.pause()\n"
_CHILD = """
import time
first = time.monotonic()
import json, psutil, sys
import tensorflow as tf
ready = time.monotonic()
own = psutil.Process().memory_full_info().uss
tf.reduce_sum(tf.constant([1.0])).numpy()
print(json.dumps([first, ready, own, psutil.Process().memory_full_info().uss]))
"""


def run() -> list[Row]:
    """The rows of this benchmark."""
    mib = _supervisor_bytes() / 2**20
    firsts, readies, own, own_after_operation = zip(*_spawn_children(), strict=True)
    return [
        row(
            f"supervisor with {CLIENTS} clients and a broker, resident",
            mib,
            "MiB",
            at_most=SUPERVISOR_TARGET_MIB,
        ),
        row(
            f"nursery: Spawn to first instruction, median of {SPAWNS}", statistics.median(firsts) * 1e3, "ms"
        ),
        row("nursery: Spawn to TensorFlow imported", statistics.median(readies) * 1e3, "ms"),
        row("nursery: a child's private memory, TensorFlow imported", statistics.median(own) / 2**20, "MiB"),
        row("the same after one operation", statistics.median(own_after_operation) / 2**20, "MiB"),
    ]


def _supervisor_bytes() -> int:
    """Resident memory of a supervisor whose processes all run, after its first samples."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        (run_dir / "idle.py").write_text(_IDLE)
        path = os.pathsep.join([folder, str(Path.cwd())])
        process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISE, folder, str(CLIENTS)], env={**os.environ, "PYTHONPATH": path}
        )
        try:
            _wait(lambda: _all_run(run_dir) and (run_dir / "samples.jsonl").read_bytes().count(b"\n") >= 3)
            return int(psutil.Process(process.pid).memory_info().rss)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _all_run(run_dir: Path) -> bool:
    try:
        with connect(run_dir) as supervisor:
            processes = supervisor.request("status").data["processes"]
    except SupervisorGone:
        return False
    return len(processes) == CLIENTS + 3 and all(process["state"] == "running" for process in processes)


def _spawn_children() -> list[tuple[float, float, int, int]]:
    """Seconds to the first instruction and to TensorFlow, private bytes before and after an operation."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "child.py").write_text(_CHILD)
        path = os.pathsep.join([folder, str(Path.cwd())])
        nursery = subprocess.Popen(
            [sys.executable, "-m", "engine.nursery", "--preload", "tensorflow", "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **NURSERY_ENVIRONMENT, "PYTHONPATH": path},
        )
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdout.readline()  # ready
        children = [_spawn_one(nursery, Path(folder) / f"{number}.log") for number in range(SPAWNS)]
        nursery.communicate()
        return children


def _spawn_one(nursery: "subprocess.Popen[bytes]", log: Path) -> tuple[float, float, int, int]:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    sent = time.monotonic()
    nursery.stdin.write(encode(Spawn(name="child", module="child", args=[], log=str(log))))
    nursery.stdin.flush()
    nursery.stdout.readline()  # started
    nursery.stdout.readline()  # exited
    first, ready, own, own_after_operation = json.loads(log.read_text().splitlines()[-1])
    return first - sent, ready - sent, own, own_after_operation


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the processes did not all run within {DEADLINE_S:g} s")
        time.sleep(0.1)
