"""A server for tests: writes down what it is told, and obeys the lines of `<run_dir>/server.do`.

First it runs `<run_dir>/server.py`, if there is one.
Lines: `round N` (write round_finished), `end REASON` (write federation_ended), `recycle REASON` (ask for
another broker), `exit CODE`, `crash`.
What it hears goes to `<run_dir>/heard.jsonl`, preceded by a line `"started"` for each start.
"""

import argparse
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

from engine import telemetry
from engine.commands import Answer, Inspect, RecycleBroker, encode
from engine.event_log import EventLog

parser = argparse.ArgumentParser()
parser.add_argument("--run-dir", type=Path, required=True)
parser.add_argument("--bootstrap-servers", required=True)
parser.add_argument("--embedded", action="store_true")
parser.add_argument("--socket", type=Path, required=True)
arguments = parser.parse_args()


INSPECT = encode(Inspect()).strip()
"""Asked once a second, and not written down."""
VIEW = {
    "members": {"1": {"state": "sending", "round": 3, "bytes_up": 8, "bytes_down": 9, "silence_s": 0.5}},
    "parts": {"gpu-1": 0},
}


def hear(line: str) -> None:
    with (arguments.run_dir / "heard.jsonl").open("a") as file:
        file.write(line + "\n")


def take_orders() -> list[str]:
    """The lines that have been put down; each is taken once, whichever server takes it."""
    orders, taken = arguments.run_dir / "server.do", arguments.run_dir / "server.done"
    if not orders.exists():
        return []
    orders.rename(taken)
    return taken.read_text().splitlines()


def round_finished(number: int) -> telemetry.RoundFinished:
    return telemetry.RoundFinished(
        round=number, updates=2, examples=20, accuracy=0.5, loss=1.0, digest=f"digest-{number}", seconds=0.1,
        parts={}, bytes_up=1, bytes_down=1,
    )  # fmt: skip


def obey(line: str, connections: list[socket.socket]) -> None:
    verb, _, argument = line.partition(" ")
    if verb == "round":
        events.append(round_finished(int(argument)))
    elif verb == "end":
        events.append(telemetry.FederationEnded(reason=argument))
    elif verb == "recycle":
        connections[-1].sendall(encode(RecycleBroker(reason=argument)))
    elif verb == "exit":
        sys.exit(int(argument))
    elif verb == "crash":
        raise RuntimeError("the server has crashed as it was told")


script = arguments.run_dir / "server.py"
if script.exists():
    exec(compile(script.read_text(), script, "exec"))  # noqa: S102  # written by the test
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
events = EventLog(arguments.run_dir / "events.jsonl", run="test", origin="server")
arguments.socket.unlink(missing_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(str(arguments.socket))
listener.listen()
hear(json.dumps("started"))
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
connections: list[socket.socket] = []
while True:
    for key, _ in selector.select(0.01):
        if key.fileobj is listener:
            connections.append(listener.accept()[0])
            selector.register(connections[-1], selectors.EVENT_READ)
        elif data := key.fileobj.recv(1 << 16):
            for heard in data.splitlines():
                if heard == INSPECT:
                    key.fileobj.sendall(encode(Answer(ok=True, data=VIEW)))
                    continue
                hear(heard.decode())
                key.fileobj.sendall(encode(Answer(ok=True, text="heard")))
        else:
            selector.unregister(key.fileobj)
    for line in take_orders():
        obey(line, connections)
