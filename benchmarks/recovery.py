"""What a death costs, how soon a client joins, how soon all is gone, and what sixteen clients weigh."""

import os
import signal
import time
from typing import Any

import psutil

from benchmarks._federation import Federation
from engine import telemetry

DIGITS = ("--dataset=digits", "--rounds=1000", "--seed=1")


def run() -> list[dict[str, Any]]:
    """The rows of this benchmark."""
    return [
        *_client_killed(),
        _server_killed(),
        _client_added(),
        _ended_by(signal.SIGINT),
        _ended_by(signal.SIGKILL),
        _sixteen_clients(),
    ]


def _row(name: str, value: float, unit: str, most: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "target": f"<= {most:g}", "ok": value <= most}


def _client_killed() -> list[dict[str, Any]]:
    """The struck round, and what of it is neither the first nor the killed client's second training."""
    with Federation(*DIGITS, "--clients=3") as federation:
        federation.wait_for_round(6)
        federation.kill("client-2")
        struck = federation.events(telemetry.RoundOpened)[-1][1].round
        federation.wait_for_round(struck + 2)
        rounds = {e.round: e.seconds for _, e in federation.events(telemetry.RoundFinished)}
        trained = {
            e.round: e.train_s for _, e in federation.events(telemetry.UpdateAccepted) if e.client == "2"
        }
    return [
        _row(
            "a client killed with SIGKILL: its round takes, beside its new training",
            rounds[struck] - trained[struck],
            "s",
            5,
        ),
        {
            "name": "    its new training, with loading, building and compiling",
            "value": trained[struck],
            "unit": "s",
            "target": None,
            "ok": None,
        },
    ]


def _server_killed() -> dict[str, Any]:
    """From the death to the end of the same round; less what its slowest client still had to train."""
    with Federation(*DIGITS, "--clients=3") as federation:
        federation.wait_for_round(6)
        died_at = federation.kill("server")
        struck = federation.events(telemetry.RoundOpened)[-1][1].round
        federation.wait_for(
            lambda: any(e.round == struck for _, e in federation.events(telemetry.RoundFinished))
        )
        finished_at = next(ts for ts, e in federation.events(telemetry.RoundFinished) if e.round == struck)
    return _row("the server killed with SIGKILL: its round is finished after", finished_at - died_at, "s", 10)


def _client_added() -> dict[str, Any]:
    with Federation(*DIGITS, "--clients=2", "--parts=3") as federation:
        federation.wait_for_round(3)
        asked_at = time.time()
        federation.command("add-client")
        federation.wait_for(lambda: len(federation.events(telemetry.ClientJoined)) == 3)
        joined_at = federation.events(telemetry.ClientJoined)[-1][0]
    return _row(
        "client_joined after add-client, the command's own start with it", joined_at - asked_at, "s", 1.5
    )


def _ended_by(number: signal.Signals) -> dict[str, Any]:
    with Federation(*DIGITS, "--clients=4") as federation:
        federation.wait_for_round(3)
        family = federation.processes()
        started = time.monotonic()
        os.kill(federation.process.pid, number)
        federation.process.wait()
        _, alive = psutil.wait_procs(family, timeout=60)
        seconds = time.monotonic() - started
    if alive:
        seconds = float("inf")
    return _row(f"{number.name} to the supervisor: no process left after", seconds, "s", 10)


def _sixteen_clients() -> dict[str, Any]:
    """Proportional memory of every process while all sixteen train."""
    with Federation(*DIGITS, "--clients=16") as federation:
        federation.wait_for_round(3)
        total = sum(process.memory_full_info().pss for process in federation.processes())
    return _row("16 LeNet clients, server, broker and supervisor together (PSS)", total / 1e9, "GB", 6)


def main() -> None:
    """Prints the rows."""
    for row in run():
        print(f"{row['name']}: {row['value']:.2f} {row['unit']} (target {row['target']})")


if __name__ == "__main__":
    main()
