"""What the samples of a run tell of its processes."""

import os

import pytest

from engine.event_log import read_events
from flconsole.supervisor.gpu import GpuReader
from flconsole.supervisor.sampler import Sampler


async def nobody():
    return {}


@pytest.fixture
def sample(tmp_path):
    """Takes a sample of this process and returns what was recorded of it."""
    (tmp_path / "logs").mkdir()
    sampler = Sampler(tmp_path, "run", pids=dict, gpus=GpuReader(), clients=nobody, disk=print)

    def take():
        sampler._take({"this": os.getpid()}, {})
        *_, (_, event) = read_events(tmp_path / "samples.jsonl")
        return event.processes["this"]

    yield take
    sampler.close()


def test_the_load_is_unknown_until_there_is_a_time_to_measure_it_over(sample):
    assert sample().cpu_percent is None
    assert sample().cpu_percent is not None


def test_what_is_free_on_the_disk_is_recorded_and_told(tmp_path):
    (tmp_path / "logs").mkdir()
    sampler = Sampler(tmp_path, "run", pids=dict, gpus=GpuReader(), clients=nobody, disk=print)

    told = sampler._take({}, {})

    ((_, event),) = read_events(tmp_path / "samples.jsonl")
    assert told == event.disk_free_bytes > 0
    sampler.close()


def test_memory_is_told_from_the_start_and_private_memory_in_turn(sample):
    assert sample().rss_bytes > 0
    assert sample().private_bytes > 0
