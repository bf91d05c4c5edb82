"""A client for tests: says that it started, then follows `<run_dir>/client-<id>.py` if there is one, or waits."""

import argparse
import signal
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--run-dir", type=Path, required=True)
parser.add_argument("--bootstrap-servers", required=True)
parser.add_argument("--embedded", action="store_true")
parser.add_argument("--client", required=True)
parser.add_argument("--part", type=int)
arguments = parser.parse_args()

print(f"client {arguments.client} is here")
script = arguments.run_dir / f"client-{arguments.client}.py"
if script.exists():
    exec(compile(script.read_text(), script, "exec"))
while True:
    signal.pause()
