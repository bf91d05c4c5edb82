"""Runs the benchmarks, prints one table, and keeps the figures: `python -m benchmarks [NAME...]`.

A benchmark is a module of this folder with `run() -> list[Row]`; a name with an underscore first is a helper,
and those in `_PROGRAMS` are commands of their own.
"""

import datetime as dt
import importlib
import json
import os
import pkgutil
import platform
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._rows import Row
from flconsole.plan import versions

HERE = Path(__file__).parent
_PROGRAMS = ("pictures", "synthetic_run")


def main(wanted: Sequence[str]) -> int:
    """Runs the wanted benchmarks, or all and keeps the figures; 1 if one of them could not be run."""
    results: dict[str, Any] = {}
    broken = []
    for name in wanted or benchmarks():
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            results[name] = importlib.import_module(f"benchmarks.{name}").run()
        except Exception:  # noqa: BLE001  # one that is broken is reported, and does not hide the others
            traceback.print_exc()
            broken.append(name)
    print("\n".join(table(row for rows in results.values() for row in rows)))
    if not wanted:
        print(f"written to {write(results)}", file=sys.stderr)
    return 1 if broken else 0


def benchmarks() -> list[str]:
    """The names of all benchmarks."""
    names = [module.name for module in pkgutil.iter_modules([str(HERE)])]
    return sorted(name for name in names if not name.startswith("_") and name not in _PROGRAMS)


def table(rows: Iterable[Row]) -> list[str]:
    """One line for each row, with its verdict where it has a target."""
    verdicts = {True: "ok", False: "MISSED", None: ""}
    cells = [
        (row["name"], f"{row['value']:.4g} {row['unit']}", str(row["target"] or ""), verdicts[row["ok"]])
        for row in rows
    ]
    widths = [max(map(len, column), default=0) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def write(results: dict[str, Any]) -> Path:
    """Keeps the figures with the kind of machine and the versions they were measured on."""
    machine = {"cpu": _cpu_model(), "cores": len(os.sched_getaffinity(0)), "system": platform.system()}
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    host_class = re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']} {machine['cores']} cores".lower()).strip("-")
    path = HERE / "results" / f"{today}-{host_class}.json"
    path.parent.mkdir(exist_ok=True)
    document = {"date": today, "machine": machine, "versions": versions(), "results": results}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def _cpu_model() -> str:
    with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
