"""What the static import contracts cannot see: which libraries are really in a process."""

import json
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "numpy", "confluent_kafka", "sklearn", "matplotlib")
DRAWING = ("textual", "plotext", "rich")

REPORT = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(code):
    """The top-level packages in a fresh process after it ran the code."""
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(finished.stdout.splitlines()[-1]))


HELP = """
import contextlib
from flconsole.cli import main
with contextlib.suppress(SystemExit):
    main({arguments})
"""


@pytest.mark.parametrize(
    "code",
    [
        "import flconsole.cli",
        HELP.format(arguments=["--help"]),
        HELP.format(arguments=["run", "--help"]),
        "import flconsole.supervisor.supervisor",
        "import flconsole.plan, flconsole.headless, flconsole.reports, flconsole.tail",
    ],
)
def test_the_console_loads_neither_training_nor_kafka_nor_drawing(code):
    assert loaded_by(code).isdisjoint(HEAVY + DRAWING)


def test_help_does_not_load_what_only_a_running_supervisor_needs():
    assert loaded_by(HELP.format(arguments=["--help"])).isdisjoint({"asyncio", "psutil", "blake3"})


@pytest.mark.parametrize(
    "module", ["engine.server.__main__", "engine.client.__main__", "engine.nursery.__main__"]
)
def test_a_process_loads_tensorflow_only_where_it_trains(module):
    assert loaded_by(f"import {module}").isdisjoint({"tensorflow", "keras", "matplotlib"})
