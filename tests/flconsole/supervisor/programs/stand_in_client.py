"""Clients for tests: each says that it is here and runs its `<run_dir>/client-<id>.py`, if any."""

import argparse
import signal
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--run-dir", type=Path, required=True)
parser.add_argument("--bootstrap-servers", required=True)
parser.add_argument("--embedded", action="store_true")
parser.add_argument("--client", action="append", required=True)
parser.add_argument("--part", type=int, action="append")
parser.add_argument("--insist", action="store_true")
parser.add_argument("--gpu", type=int)
arguments = parser.parse_args()

for client in arguments.client:
    print(f"client {client} is here")  # noqa: T201  # its log
    script = arguments.run_dir / f"client-{client}.py"
    if script.exists():
        exec(compile(script.read_text(), script, "exec"))  # noqa: S102  # written by the test
while True:
    signal.pause()
