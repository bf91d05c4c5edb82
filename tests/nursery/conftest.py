"""Nurseries that are ended with the test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.commands import NurseryReady
from tests.nursery.harness import NurseryUnderTest

Start = Callable[[list[str]], NurseryUnderTest]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a nursery by an interpreter's command line."""
    started = []

    def start(command: list[str]) -> NurseryUnderTest:
        started.append(NurseryUnderTest(tmp_path, command))
        return started[-1]

    yield start
    for nursery in started:
        nursery.close()


@pytest.fixture
def nursery(start: Start) -> NurseryUnderTest:
    nursery = start(["-m", "engine.nursery", "--parent", str(os.getpid())])
    nursery.expect(NurseryReady)
    return nursery
