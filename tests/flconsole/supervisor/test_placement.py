"""Where added clients are to work, and why that is not possible."""

import pytest

from engine.config import RunConfig
from flconsole.supervisor.placement import (
    ANYWHERE,
    ClientProcess,
    Placement,
    deal,
    placements,
    why_impossible,
)
from flconsole.supervisor.requests import AddClient

CONFIG = RunConfig(clients=2, parts=4)


def refusal(*, holders=None, gpus=0, config=CONFIG, **wish):
    return why_impossible(AddClient(**wish), config, holders=holders or {}, gpus=gpus)


def test_parts_count_up_and_a_gpu_is_shared():
    assert placements(AddClient(count=2, part=1, gpu=3)) == [Placement(1, 3), Placement(2, 3)]
    assert placements(AddClient(count=2)) == [Placement(), Placement()]


def test_clients_are_dealt_in_order_and_the_last_process_gets_what_is_left():
    processes = deal(["4", "5", "6", "7", "8"], 2)

    assert [process.clients for process in processes] == [("4", "5"), ("6", "7"), ("8",)]
    assert [process.name for process in processes] == ["clients-4-5", "clients-6-7", "client-8"]
    assert {process.placement for process in processes} == {ANYWHERE}
    assert deal([], 2) == []


def test_a_process_is_placed_where_its_first_client_is():
    wish = AddClient(count=3, part=1, gpu=0)

    assert deal(["4", "5", "6"], 2, placements(wish)) == [
        ClientProcess(("4", "5"), Placement(1, 0)),
        ClientProcess(("6",), Placement(3, 0)),
    ]


@pytest.mark.parametrize(
    ("wish", "gpus"),
    [({}, 0), ({"count": 9}, 0), ({"part": 3}, 0), ({"gpu": 1}, 2), ({"part": 0, "gpu": 0}, 1)],
)
def test_what_can_be_had_is_not_refused(wish, gpus):
    assert refusal(gpus=gpus, **wish) == ""


def test_a_part_that_somebody_has_is_not_replaced_by_another():
    assert refusal(part=0, count=2, holders={1: "7"}) == "part 1 is taken by client 7"


@pytest.mark.parametrize(
    ("gpus", "reason"),
    [(0, "GPU 2 does not exist; this machine has none"), (2, "GPU 2 does not exist; this machine has 2")],
)
def test_a_gpu_that_is_not_there_is_refused(gpus, reason):
    assert refusal(gpu=2, gpus=gpus) == reason


def test_where_nothing_is_trained_no_gpu_is_used():
    assert "none can use a GPU" in refusal(gpu=0, gpus=4, config=RunConfig(trainer="null", model="vector:9"))
