"""A real supervisor in a process of its own, with stand-ins for the server and the clients."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from engine import commands, telemetry
from engine.commands import Answer
from engine.event_log import read_events
from flconsole.supervisor.client import SupervisorGone, connect
from flconsole.supervisor.placement import deal
from tests.nursery.harness import DEADLINE_S, is_gone, wait_until

PROGRAMS = Path(__file__).parent / "programs"
NO_BROKER = {"bootstrap_servers": "127.0.0.1:9"}
"""Nothing listens there, and the stand-ins do not care."""


class RunUnderTest:
    """One run directory and the supervisors that were started on it."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.supervisors: list[subprocess.Popen[bytes]] = []

    # --- starting and ending

    def supervise(self, *flags: str, **config: Any) -> subprocess.Popen[bytes]:
        """Starts a supervisor; without `embedded_broker=True` the run has no broker."""
        broker = {} if config.pop("embedded_broker", False) else NO_BROKER
        values = {"clients": 2, "trainer": "null", "stop_timeout_s": 2.0, **broker, **config}
        path = os.pathsep.join([str(Path.cwd()), str(PROGRAMS), str(self.run_dir)])
        with (self.run_dir / "supervisor.out").open("ab") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(PROGRAMS / "supervise.py"),
                    str(self.run_dir),
                    json.dumps(values),
                    *flags,
                ],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": path},
            )
        self.supervisors.append(process)
        return process

    def start(self, *flags: str, **config: Any) -> subprocess.Popen[bytes]:
        """Starts a supervisor and waits until its server and all its clients run and the link is there."""
        supervisor = self.supervise(*flags, **config)
        first = [str(number) for number in range(1, config.get("clients", 2) + 1)]
        names = {"server", *(process.name for process in deal(first, config.get("clients_per_process", 1)))}
        self.wait(lambda: names <= set(self.running()) and self.status()["server_connected"], "all running")
        return supervisor

    def wait(self, condition, what: str) -> None:
        def or_dead() -> bool:
            assert self.supervisors[-1].poll() is None or condition(), (
                f"the supervisor has ended: {self.output()}"
            )
            return condition()

        wait_until(or_dead, what)

    def exit_code(self) -> int:
        return self.supervisors[-1].wait(DEADLINE_S)

    def end(self) -> None:
        for process in self.supervisors:
            if process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE_S)
            finally:
                process.kill()

    # --- steering

    def client_does(self, client: str, program: str) -> None:
        """What the client runs from its next start on."""
        (self.run_dir / f"client-{client}.py").write_text(program)

    def server_starts_with(self, program: str) -> None:
        """What the server runs first, at each start."""
        (self.run_dir / "server.py").write_text(program)

    def server_does(self, *orders: str) -> None:
        draft = self.run_dir / "server.draft"
        draft.write_text("".join(f"{order}\n" for order in orders))
        draft.rename(self.run_dir / "server.do")
        self.wait(lambda: not (self.run_dir / "server.do").exists(), "orders taken")

    def request(self, command: str, **arguments: Any) -> Answer:
        with connect(self.run_dir) as supervisor:
            return supervisor.request(command, **arguments)

    # --- looking

    def status(self) -> dict[str, Any]:
        return self.request("status").data

    def process(self, name: str) -> dict[str, Any]:
        return next(process for process in self.status()["processes"] if process["name"] == name)

    def running(self) -> list[str]:
        try:
            return [one["name"] for one in self.status()["processes"] if one["state"] == "running"]
        except SupervisorGone:
            return []

    def pids(self) -> list[int]:
        """Every process of the run that lives, and whatever it started."""
        pids = [one["pid"] for one in self.status()["processes"] if one["pid"]]
        return sorted(
            {child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)} | set(pids)
        )

    def heard(self) -> list[Any]:
        """What the servers heard, in order."""
        path = self.run_dir / "heard.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The commands of this kind that the servers heard."""
        return [message for message in self.heard() if message != "started" and message["type"] == kind]

    def told_server(self, number: int) -> list[dict[str, Any]]:
        """What the server that was started as this one, from 1, heard."""
        starts = [at for at, message in enumerate(self.heard()) if message == "started"]
        return self.heard()[starts[number - 1] + 1 :] if number <= len(starts) else []

    def events(self, kind: type[telemetry.Event] = telemetry.Event) -> list[Any]:
        return [
            event for _, event in read_events(self.run_dir / "processes.jsonl") if isinstance(event, kind)
        ]

    def samples(self) -> list[telemetry.Sample]:
        path = self.run_dir / "samples.jsonl"
        return [event for _, event in read_events(path) if isinstance(event, telemetry.Sample)]

    def starts(self, name: str) -> list[telemetry.ProcessStarted]:
        return [event for event in self.events(telemetry.ProcessStarted) if event.name == name]

    def exits(self, name: str) -> list[telemetry.ProcessExited]:
        return [event for event in self.events(telemetry.ProcessExited) if event.name == name]

    def log(self, name: str) -> str:
        return (self.run_dir / "logs" / f"{name}.log").read_text()

    def delays(self) -> list[float]:
        """The delays before restarts, in order; the supervisor under test does not wait for them."""
        path = self.run_dir / "delays"
        return [float(line) for line in path.read_text().splitlines()] if path.exists() else []

    def output(self) -> str:
        return (self.run_dir / "supervisor.out").read_text()


def all_gone(pids: list[int]) -> bool:
    return all(is_gone(pid) for pid in pids)


def as_heard(command: commands.Message) -> Any:
    """A command as the stand-in of the server keeps it."""
    return json.loads(commands.encode(command))
