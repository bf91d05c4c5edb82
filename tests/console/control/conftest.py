"""Real supervisors with stand-ins for the server and the clients."""

import tempfile

import pytest

from engine import telemetry as t
from tests.flconsole.supervisor.harness import RunUnderTest


@pytest.fixture(scope="module")
def runtime_dir():
    """Where the sockets are: what a login gives a user."""
    with tempfile.TemporaryDirectory(prefix="fl-") as path, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", path)
        yield path


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory, runtime_dir):
    """A supervisor with a stand-in server and two stand-in clients, for all tests that leave it running."""
    under_test = RunUnderTest(tmp_path_factory.mktemp("shared"))
    under_test.start()
    yield under_test
    under_test.end()


@pytest.fixture
def run(shared_run):
    """The shared run with both of its clients up, and nothing asked of it."""
    for client in ("1", "2"):
        if f"client-{client}" not in shared_run.running():
            shared_run.request("restart-client", client=client)
            shared_run.wait(lambda: f"client-{client}" in shared_run.running(), "it runs again")  # noqa: B023
    shared_run.asked_before = len(shared_run.events(t.Command))
    return shared_run


@pytest.fixture
def run_of_its_own(tmp_path, runtime_dir):
    under_test = RunUnderTest(tmp_path / "run")
    under_test.run_dir.mkdir()
    yield under_test
    under_test.end()


@pytest.fixture
def no_run(tmp_path, runtime_dir):
    """A run directory that nobody supervises."""
    return RunUnderTest(tmp_path)
