"""A client for tests: says that it is here, runs `<run_dir>/client-<id>.py` if there is one, and waits."""

import argparse
import signal
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--run-dir", type=Path, required=True)
parser.add_argument("--bootstrap-servers", required=True)
parser.add_argument("--embedded", action="store_true")
parser.add_argument("--client", required=True)
parser.add_argument("--part", type=int)
parser.add_argument("--insist", action="store_true")
parser.add_argument("--gpu", type=int)
arguments = parser.parse_args()

print(f"client {arguments.client} is here")  # noqa: T201  # its log
script = arguments.run_dir / f"client-{arguments.client}.py"
if script.exists():
    exec(compile(script.read_text(), script, "exec"))  # noqa: S102  # written by the test
while True:
    signal.pause()
