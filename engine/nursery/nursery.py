"""The nursery's loop: forks children on command, reaps them, signals their process groups.

One thread, one selector. It is a subreaper, so that what a child leaves behind is reaped here and an empty
process group is seen as empty.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import msgspec

from engine.commands import (
    MAX_LINE,
    Exited,
    NurseryCommand,
    NurseryNotice,
    Signal,
    Spawn,
    SpawnFailed,
    Started,
    encode,
)
from engine.errors import EngineError
from engine.lifecycle import signal_name
from engine.nursery import child

_PR_SET_CHILD_SUBREAPER = 36
_READ_SIZE = 1 << 16
_GROUP_POLL_S = 0.02
"""How often a group that is being killed is looked at: the death of a grandchild is not always signalled."""

_decoder = msgspec.json.Decoder(NurseryCommand)


@dataclass
class _Child:
    name: str
    pid: int
    exited: Exited | None = None
    """Set once the leader is reaped; reported once its group is empty."""


class Nursery:
    """Obeys `NurseryCommand` lines until end of file, then ends every child.

    Args:
        commands_fd: read end, one command a line.
        notices_fd: write end, one `NurseryNotice` a line.
        grace_s: seconds between TERM and KILL at end of file.
        fork: whether children are forked from this process or started in a fresh interpreter.
    """

    def __init__(
        self,
        commands_fd: int,
        notices_fd: int,
        *,
        grace_s: float = 5.0,
        fork: bool = sys.platform != "darwin",
    ) -> None:
        self._commands_fd, self._notices_fd = commands_fd, notices_fd
        self._grace_s, self._fork = grace_s, fork
        self._children: dict[str, _Child] = {}
        self._buffer = bytearray()
        self._wakeup_read, self._wakeup_write = os.pipe()
        self._selector = selectors.DefaultSelector()

    def notify(self, notice: NurseryNotice) -> None:
        """Writes one line to the supervisor; one that has stopped listening is about to end this process."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._notices_fd, encode(notice))

    def run(self) -> None:
        """Serves commands until end of file on the command descriptor, then ends all children.

        Raises:
            EngineError: a command line longer than `MAX_LINE`.
            msgspec.DecodeError: a line that is no command: the parent is not the supervisor it should be.
        """
        self._watch_children()
        self._selector.register(self._commands_fd, selectors.EVENT_READ)
        open_for_commands = True
        while open_for_commands:
            ready = self._wait()
            if self._commands_fd in ready:
                open_for_commands = self._read_commands()
        self._selector.unregister(self._commands_fd)
        self._end_all()

    def _watch_children(self) -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        os.set_blocking(self._wakeup_read, False)
        os.set_blocking(self._wakeup_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        self._selector.register(self._wakeup_read, selectors.EVENT_READ)

    def _wait(self, timeout_s: float | None = None) -> set[int]:
        """Waits for something to happen, reaps, and returns the descriptors that are ready."""
        if any(one.exited for one in self._children.values()):
            timeout_s = _GROUP_POLL_S
        ready = {key.fd for key, _ in self._selector.select(timeout_s)}
        if self._wakeup_read in ready:
            os.read(self._wakeup_read, _READ_SIZE)
        self._reap()
        return ready

    def _read_commands(self) -> bool:
        """Obeys the lines that have come; False at end of file."""
        data = os.read(self._commands_fd, _READ_SIZE)
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        if len(rest) > MAX_LINE:
            raise EngineError(f"nursery: a command of more than {MAX_LINE} bytes without a newline")
        self._buffer = rest
        for line in lines:
            self._obey(_decoder.decode(line))
        return bool(data)

    def _obey(self, command: NurseryCommand) -> None:
        if isinstance(command, Signal):
            self._signal_group(command.name, signal.Signals[command.signal])
            return
        try:
            pid = self._spawn(command)
        except OSError as error:
            self.notify(SpawnFailed(name=command.name, error=str(error)))
            return
        self._children[command.name] = _Child(command.name, pid)
        self.notify(Started(name=command.name, pid=pid))

    # --- starting

    def _spawn(self, spawn: Spawn) -> int:
        if spawn.name in self._children:
            raise FileExistsError(f"{spawn.name} is still running as pid {self._children[spawn.name].pid}")
        return self._spawn_by_fork(spawn) if self._fork else self._spawn_fresh(spawn)

    def _spawn_by_fork(self, spawn: Spawn) -> int:
        """Returns once the child leads its own group, so that a signal cannot come too early to reach it."""
        parent = os.getpid()
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            self._become_child(spawn, parent, write_end)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            failure = pipe.read()
        if failure:
            os.waitpid(pid, 0)
            raise OSError(failure.decode(errors="replace"))
        return pid

    def _become_child(self, spawn: Spawn, parent: int, status_fd: int) -> None:
        try:
            os.setsid()
            self._close_own_descriptors()
            child.enter(spawn, parent)
        except OSError as error:
            os.write(status_fd, str(error).encode())
            os._exit(1)
        os.close(status_fd)
        child.run(spawn)

    def _close_own_descriptors(self) -> None:
        # Closing, never unregistering: the selector's table in the kernel is shared with the nursery.
        self._selector.close()
        for descriptor in (self._wakeup_read, self._wakeup_write, self._notices_fd):
            os.close(descriptor)

    def _spawn_fresh(self, spawn: Spawn) -> int:
        with open(spawn.log, "ab") as log:  # noqa: PTH123  # a str that came over the wire
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "engine.nursery.child",
                    encode(spawn).decode(),
                    "--parent",
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process.returncode = 0  # reaped by this loop, not by Popen
        return process.pid

    # --- ending

    def _signal_group(self, name: str, signum: signal.Signals) -> None:
        """Signals the group of a child whose leader is not reaped: until then its pid cannot be reused."""
        one = self._children.get(name)
        if one is None or one.exited:
            return
        os.killpg(one.pid, signum)

    def _reap(self) -> None:
        leaders = {one.pid: one for one in self._children.values() if not one.exited}
        while pid := _peek_exited(leaders):
            if pid in leaders:
                os.killpg(pid, signal.SIGKILL)  # what the leader left behind, while its pid is still its own
            _, status = os.waitpid(pid, 0)
            if pid in leaders:
                leaders[pid].exited = _exited(leaders[pid].name, pid, status)
        for one in list(self._children.values()):
            if one.exited and _group_is_empty(one.pid):
                del self._children[one.name]
                self.notify(one.exited)

    def _end_all(self) -> None:
        """TERM to every group, KILL to what is left after the grace."""
        deadline = time.monotonic() + self._grace_s
        for name in self._children:
            self._signal_group(name, signal.SIGTERM)
        while self._children and (left := deadline - time.monotonic()) > 0:
            self._wait(left)
        for name in self._children:
            self._signal_group(name, signal.SIGKILL)
        while self._children:
            self._wait()


def _peek_exited(leaders: dict[int, _Child]) -> int | None:
    """A child that has ended and is not reaped yet; None if there is none."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return _peek_exited_by_status(leaders)
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return result.si_pid if result else None


def _peek_exited_by_status(leaders: dict[int, _Child]) -> int | None:
    import psutil  # noqa: PLC0415  # needed only where waitid is missing

    for pid, one in leaders.items():
        if not one.exited and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return pid
    return None


def _exited(name: str, pid: int, status: int) -> Exited:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return Exited(name=name, pid=pid, code=None, signal=signal_name(-code))
    return Exited(name=name, pid=pid, code=code, signal=None)


def _group_is_empty(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return True
    return False
