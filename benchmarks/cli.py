"""How soon `flconsole --help` answers, and what the console's processes weigh."""

import json
import statistics
import subprocess
import sys
import time

from benchmarks._rows import Row, row

REPEATS = 15
HELP_TARGET_S = 0.200
SUPERVISOR_TARGET_MIB = 60

_WEIGH = """
import json, psutil
import flconsole.supervisor.supervisor, flconsole.headless, flconsole.cli, rich.live
print(json.dumps(psutil.Process().memory_info().rss))
"""


def run() -> list[Row]:
    """The rows of this benchmark."""
    seconds = statistics.median(_help_seconds() for _ in range(REPEATS))
    mib = _supervisor_bytes() / 2**20
    return [
        row(f"flconsole --help, median of {REPEATS}", seconds, "s", at_most=HELP_TARGET_S),
        row("supervisor in the foreground, imported", mib, "MiB", at_most=SUPERVISOR_TARGET_MIB),
    ]


def _help_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "flconsole", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _supervisor_bytes() -> float:
    finished = subprocess.run([sys.executable, "-c", _WEIGH], capture_output=True, text=True, check=True)
    return float(json.loads(finished.stdout))
