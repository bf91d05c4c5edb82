"""What a death costs, how soon a client joins, how soon all is gone, and what sixteen clients weigh."""

import os
import signal
import time

import psutil

from benchmarks._federation import Federation
from benchmarks._rows import Row, row
from engine import telemetry

DIGITS = ("--dataset=digits", "--rounds=1000", "--seed=1")


def run() -> list[Row]:
    """The rows of this benchmark."""
    return [
        *_client_killed(),
        _server_killed(),
        _client_added(),
        _ended_by(signal.SIGINT),
        _ended_by(signal.SIGKILL),
        _sixteen_clients(),
    ]


def _client_killed() -> list[Row]:
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
        row(
            "a client killed with SIGKILL: its round takes, beside its new training",
            rounds[struck] - trained[struck],
            "s",
            at_most=5,
        ),
        row("    its new training, with loading, building and compiling", trained[struck], "s"),
    ]


def _server_killed() -> Row:
    """From the death to the end of the same round; less what its slowest client still had to train."""
    with Federation(*DIGITS, "--clients=3") as federation:
        federation.wait_for_round(6)
        died_at = federation.kill("server")
        struck = federation.events(telemetry.RoundOpened)[-1][1].round
        federation.wait_for(
            lambda: any(e.round == struck for _, e in federation.events(telemetry.RoundFinished))
        )
        finished_at = next(ts for ts, e in federation.events(telemetry.RoundFinished) if e.round == struck)
    return row(
        "the server killed with SIGKILL: its round is finished after", finished_at - died_at, "s", at_most=10
    )


def _client_added() -> Row:
    with Federation(*DIGITS, "--clients=2", "--parts=3") as federation:
        federation.wait_for_round(3)
        asked_at = time.time()
        federation.command("add-client")
        federation.wait_for(lambda: len(federation.events(telemetry.ClientJoined)) == 3)
        joined_at = federation.events(telemetry.ClientJoined)[-1][0]
    return row(
        "client_joined after add-client, the command's own start with it",
        joined_at - asked_at,
        "s",
        at_most=1.5,
    )


def _ended_by(number: signal.Signals) -> Row:
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
    return row(f"{number.name} to the supervisor: no process left after", seconds, "s", at_most=10)


def _sixteen_clients() -> Row:
    """Proportional memory of every process while all sixteen train."""
    with Federation(*DIGITS, "--clients=16") as federation:
        federation.wait_for_round(3)
        total = sum(process.memory_full_info().pss for process in federation.processes())
    return row("16 LeNet clients, server, broker and supervisor together (PSS)", total / 1e9, "GB", at_most=6)
