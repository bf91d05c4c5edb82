"""A server for tests: writes down what it is told, and does what stands in `<run_dir>/server.do`, line by line.

Lines: `round N` (write round_finished), `recycle` (ask for another broker), `exit CODE`, `crash`.
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
from engine.commands import Answer, RecycleBroker, encode
from engine.event_log import EventLog

parser = argparse.ArgumentParser()
parser.add_argument("--run-dir", type=Path, required=True)
parser.add_argument("--bootstrap-servers", required=True)
parser.add_argument("--embedded", action="store_true")
parser.add_argument("--socket", type=Path, required=True)
arguments = parser.parse_args()


def hear(line: str) -> None:
    with (arguments.run_dir / "heard.jsonl").open("a") as file:
        file.write(line + "\n")


def round_finished(number: int) -> telemetry.RoundFinished:
    return telemetry.RoundFinished(
        round=number, updates=2, examples=20, accuracy=0.5, loss=1.0, digest=f"digest-{number}", seconds=0.1,
        parts={}, bytes_up=1, bytes_down=1,
    )  # fmt: skip


def obey(line: str, connections: list[socket.socket]) -> None:
    verb, _, argument = line.partition(" ")
    if verb == "round":
        events.append(round_finished(int(argument)))
    elif verb == "recycle":
        connections[-1].sendall(encode(RecycleBroker(reason=argument)))
    elif verb == "exit":
        sys.exit(int(argument))
    elif verb == "crash":
        raise RuntimeError("the server has crashed as it was told")


signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
events = EventLog(arguments.run_dir / "events.jsonl", run="test", origin="server")
orders = arguments.run_dir / "server.do"
done = 0
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
                hear(heard.decode())
                key.fileobj.sendall(encode(Answer(ok=True, text="heard")))
        else:
            selector.unregister(key.fileobj)
    if orders.exists() and (orders.stat().st_size > done):
        with orders.open() as file:
            file.seek(done)
            line = file.readline()
        if line.endswith("\n"):
            done += len(line)
            (arguments.run_dir / "server.do").write_text("") if line.startswith(("crash", "exit")) else None
            obey(line.strip(), connections)
