"""How soon `flconsole --help` answers, and what the console's processes weigh."""

import json
import statistics
import subprocess
import sys
import time
from typing import Any

REPEATS = 15
HELP_TARGET_S = 0.200
SUPERVISOR_TARGET_MIB = 60

_WEIGH = """
import json, psutil
import flconsole.supervisor.supervisor, flconsole.headless, flconsole.cli, rich.live
print(json.dumps(psutil.Process().memory_info().rss))
"""


def run() -> list[dict[str, Any]]:
    """The rows of this benchmark."""
    seconds = statistics.median(_help_seconds() for _ in range(REPEATS))
    mib = _supervisor_bytes() / 2**20
    return [
        {
            "name": f"flconsole --help, median of {REPEATS}",
            "value": seconds,
            "unit": "s",
            "target": f"<= {HELP_TARGET_S}",
            "ok": seconds <= HELP_TARGET_S,
        },
        {
            "name": "supervisor in the foreground, imported",
            "value": mib,
            "unit": "MiB",
            "target": f"<= {SUPERVISOR_TARGET_MIB}",
            "ok": mib <= SUPERVISOR_TARGET_MIB,
        },
    ]


def _help_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "flconsole", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _supervisor_bytes() -> float:
    finished = subprocess.run([sys.executable, "-c", _WEIGH], capture_output=True, text=True, check=True)
    return float(json.loads(finished.stdout))
