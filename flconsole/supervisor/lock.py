"""One supervisor a run: `supervisor.json` in the run directory, locked while its writer lives.

The kernel drops the lock with the process, so a file without one is stale whatever it says.
"""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from engine import untrusted_json
from engine.errors import RunDirectoryBusy, RunDirectoryError
from flconsole.supervisor.pids import create_time, is_alive

LOCK_NAME = "supervisor.json"
VERSION = 1
"""Of the socket's language; a client of another version is refused before it says anything."""
_LONGEST_SOCKET_PATH = 103
"""In bytes: the smallest limit of the systems we run on, less the closing zero."""


class SupervisorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor says about itself in its lock file."""

    pid: int
    create_time: float | None
    socket: str
    version: int = VERSION


_decoder = msgspec.json.Decoder(SupervisorInfo)


class SupervisorLock:
    """Held as a context manager for as long as the run is supervised.

    Args:
        run_dir: the run directory.

    Raises:
        RunDirectoryBusy: another supervisor holds the run.
        RunDirectoryError: the directory cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / LOCK_NAME
        self._fd = _open_and_lock(self._path)
        directory = socket_directory()
        key = hashlib.blake2b(str(run_dir.resolve()).encode(), digest_size=6).hexdigest()
        self.socket = directory / f"{key}.sock"
        self.server_socket = directory / f"{key}-server.sock"

    def __enter__(self) -> Self:
        self._remove_sockets()  # left by a supervisor that was killed
        info = SupervisorInfo(pid=os.getpid(), create_time=create_time(os.getpid()), socket=str(self.socket))
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, msgspec.json.encode(info) + b"\n", 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove_sockets()
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def _remove_sockets(self) -> None:
        for path in (self.socket, self.server_socket):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def hold(run_dir: Path) -> Iterator[None]:
    """Keeps every supervisor away from a run: for whoever makes or removes its directory.

    Raises:
        RunDirectoryBusy: somebody else holds it.
        RunDirectoryError: the directory cannot be written.
    """
    descriptor = _open_and_lock(run_dir / LOCK_NAME)
    try:
        yield
    finally:
        os.close(descriptor)


def is_held(run_dir: Path) -> bool:
    """Whether a process holds the run. For a moment this one does: do not ask where a run may be starting."""
    if not (run_dir / LOCK_NAME).exists():
        return False
    try:
        with hold(run_dir):
            return False
    except RunDirectoryBusy:
        return True


def read_lock(run_dir: Path) -> SupervisorInfo | None:
    """The supervisor of a run, if its process lives; None if there is none or it is gone."""
    try:
        info = untrusted_json.decode(_decoder, (run_dir / LOCK_NAME).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return info if is_alive(info.pid, info.create_time) else None


def _open_and_lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        holder = read_lock(path.parent)
        raise RunDirectoryBusy(
            f"{path.parent}: already supervised by pid {holder.pid}; "
            "attach to it, or stop it with `flconsole stop`"
            if holder
            else f"{path.parent}: just being started, or removed, by another process"
        ) from None
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        raise RunDirectoryError(f"{path.parent}: has just been removed")
    return descriptor


def socket_directory() -> Path:
    """A directory of ours alone whose paths are short enough for a unix socket; made where it is not there.

    Raises:
        RunDirectoryError: there is none; names those that were tried.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [Path(runtime) / "flconsole"] if runtime else []
    bases += [Path(base) / f"flconsole-{os.getuid()}" for base in (tempfile.gettempdir(), "/tmp")]  # noqa: S108  # 0700
    for directory in bases:
        fits = len(os.fsencode(directory)) + len("/0123456789ab-server.sock") <= _LONGEST_SOCKET_PATH
        with contextlib.suppress(OSError):
            if fits and _is_private(directory):
                return directory
    tried = ", ".join(map(str, bases))
    raise RunDirectoryError(f"no private directory for sockets (tried {tried}); point XDG_RUNTIME_DIR at one")


def _is_private(directory: Path) -> bool:
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
