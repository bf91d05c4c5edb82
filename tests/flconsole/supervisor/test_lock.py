"""One supervisor a run, and its sockets where nobody else can reach them."""

import os
import stat
from pathlib import Path

import pytest

from engine.errors import RunDirectoryError
from flconsole.supervisor.lock import SupervisorLock, read_lock


def test_a_held_lock_names_its_holder(tmp_path, runtime_dir):
    with SupervisorLock(tmp_path) as lock:
        info = read_lock(tmp_path)

        assert (info.pid, info.socket) == (os.getpid(), str(lock.socket))
        assert stat.S_IMODE(lock.socket.parent.stat().st_mode) == 0o700
        assert lock.socket.parent == runtime_dir / "flconsole"
        assert len(os.fsencode(lock.server_socket)) < 104


def test_a_second_supervisor_of_the_same_run_is_refused(tmp_path, runtime_dir):
    with (
        SupervisorLock(tmp_path),
        pytest.raises(RunDirectoryError, match=f"already supervised by pid {os.getpid()}"),
    ):
        SupervisorLock(tmp_path)


def test_the_lock_is_free_again_afterwards_and_names_nobody(tmp_path, runtime_dir):
    with SupervisorLock(tmp_path):
        pass

    assert read_lock(tmp_path) is None
    with SupervisorLock(tmp_path):
        assert read_lock(tmp_path) is not None


@pytest.mark.parametrize(
    "content", [b'{"pid": 1, "create_time": 1.0, "socket": "/s"}', b"{torn", b'{"\xff', b""]
)
def test_a_stale_lock_file_and_socket_are_replaced(tmp_path, runtime_dir, content):
    (tmp_path / "supervisor.json").write_bytes(content)
    assert read_lock(tmp_path) is None
    stale = SupervisorLock(tmp_path)
    stale.socket.touch()
    os.close(stale._fd)

    with SupervisorLock(tmp_path) as lock:
        assert lock.socket == stale.socket
        assert not lock.socket.exists()
        assert read_lock(tmp_path).pid == os.getpid()


def test_a_runtime_directory_that_is_too_long_or_open_to_others_is_not_used(
    tmp_path, runtime_dir, monkeypatch
):
    (runtime_dir / "flconsole").mkdir(mode=0o700)
    (runtime_dir / "flconsole").chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))
    with SupervisorLock(tmp_path) as lock:
        assert lock.socket.parent == Path(f"/tmp/flconsole-{os.getuid()}")  # noqa: S108  # where it must be
        assert stat.S_IMODE(lock.socket.parent.stat().st_mode) == 0o700


def test_a_run_directory_that_cannot_be_written_is_named(tmp_path, runtime_dir):
    with pytest.raises(RunDirectoryError, match="nowhere"):
        SupervisorLock(tmp_path / "nowhere")


def test_two_supervisors_cannot_start_on_one_run(run):
    run.start()
    second = run.supervise()

    assert second.wait(20) == 1
    assert "already supervised by pid" in run.output()
    run.supervisors.remove(second)
    assert len(run.running()) == 4
