"""The command lines that make up a run."""

import os
import sys
from pathlib import Path

import pytest

from engine.config import RunConfig
from flconsole.supervisor.placement import ClientProcess, Placement
from flconsole.supervisor.programs import EngineCommands, Programs, broker_command, nursery_command


def commands(config: RunConfig) -> EngineCommands:
    return EngineCommands(Programs(), config, Path("/runs/r"), "127.0.0.1:20000", Path("/run/s.sock"))


def test_the_broker_and_the_nursery_know_whom_to_die_with():
    parent = ["--parent", str(os.getpid())]

    broker = broker_command(Programs(), port=20000, cluster_id="abc")
    assert broker == [
        sys.executable,
        "-m",
        "engine.broker",
        "--port",
        "20000",
        "--cluster-id",
        "abc",
        *parent,
    ]
    assert nursery_command(Programs(preload=("x", "y")), RunConfig()) == [
        *(sys.executable, "-m", "engine.nursery", "--preload", "x", "--preload", "y"),
        *parent,
    ]


@pytest.mark.parametrize(("trainer", "loads_training"), [("keras", True), ("null", False)])
def test_tensorflow_is_preloaded_only_for_a_run_that_trains_with_it(trainer, loads_training):
    preload = Programs().preload_for(RunConfig(trainer=trainer))

    assert ("engine.training.keras" in preload) is loads_training


def test_the_server_listens_for_the_supervisor():
    spawn = commands(RunConfig()).server()

    assert (spawn.name, spawn.module, spawn.log) == ("server", "engine.server", "/runs/r/logs/server.log")
    assert " ".join(spawn.args) == (
        "--run-dir /runs/r --bootstrap-servers 127.0.0.1:20000 --embedded --socket /run/s.sock"
    )


def test_a_client_of_the_first_hour_asks_for_its_own_part_and_a_later_one_for_any():
    of_two = commands(RunConfig(clients=2))

    assert of_two.clients(ClientProcess(("2",))).args[-4:] == ["--client", "2", "--part", "1"]
    assert of_two.clients(ClientProcess(("3",))).args[-2:] == ["--client", "3"]
    assert of_two.clients(ClientProcess(("3",))).log == "/runs/r/logs/client-3.log"


def test_where_an_operator_wants_a_client_is_a_condition():
    of_three = commands(RunConfig(clients=3))

    placed = of_three.clients(ClientProcess(("2",), Placement(part=0, gpu=1))).args
    assert placed[-7:] == ["--client", "2", "--part", "0", "--insist", "--gpu", "1"]
    anywhere = of_three.clients(ClientProcess(("2",), Placement(gpu=0))).args
    assert anywhere[-6:] == ["--client", "2", "--part", "1", "--gpu", "0"]


def test_clients_that_share_a_process_share_its_log_and_each_asks_for_a_part():
    spawn = commands(RunConfig(clients=3)).clients(ClientProcess(("2", "3", "4")))

    assert (spawn.name, spawn.log) == ("clients-2-4", "/runs/r/logs/clients-2-4.log")
    words = " ".join(spawn.args)
    assert words.endswith("--embedded --client 2 --part 1 --client 3 --part 2 --client 4")


def test_who_is_out_is_left_out_and_the_others_keep_their_parts():
    process = ClientProcess(("4", "5", "6"), Placement(part=7))
    spawn = commands(RunConfig(clients=3, parts=10)).clients(process, without={"5", "9"})

    assert spawn.name == "clients-4-6"
    assert " ".join(spawn.args).endswith("--client 4 --part 7 --client 6 --part 9 --insist")


def test_a_real_broker_is_not_called_embedded():
    config = RunConfig(bootstrap_servers="kafka:9092")

    assert "--embedded" not in commands(config).server().args
    assert "--embedded" not in commands(config).clients(ClientProcess(("1",))).args
