"""TensorFlow in the test process: set up as a run would do it, before the first test that uses it."""

import importlib
import os

import pytest

from engine.config import RunConfig

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True)
def _configured_tensorflow(request):
    if request.node.get_closest_marker("tensorflow"):
        importlib.import_module("engine.training.runtime").configure(RunConfig(), index=0)
