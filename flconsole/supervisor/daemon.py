"""The processes that the supervisor starts itself and keeps alive: the broker and the nursery."""

import asyncio
import contextlib
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from engine.telemetry import STOPPED_WITH_RUN
from flconsole.supervisor.exits import Exit, RestartPolicy, State
from flconsole.supervisor.logs import log_size
from flconsole.supervisor.programs import log_path
from flconsole.supervisor.records import Records, ServerFollower

Sleep = Callable[[float], Awaitable[None]]


class Daemon(ABC):
    """One process that is started again whenever it ends, until `stop` or until its policy gives up.

    It is always started from the event loop's thread: the parent-death signal follows the thread that forked.

    Args:
        run_dir: absolute path of the run directory.
        records: where starts and exits are written.
        rounds: tells the policy about progress.
        max_restarts: restarts in a row before it is given up on.
        sleep: waits between restarts.
        on_give_up: called with the reason when there is no other restart.
    """

    name: ClassVar[str]
    client: ClassVar[None] = None
    clients: ClassVar[tuple[str, ...]] = ()
    stdio: ClassVar[int] = DEVNULL
    env: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        run_dir: Path,
        records: Records,
        rounds: ServerFollower,
        *,
        max_restarts: int,
        sleep: Sleep,
        on_give_up: Callable[[str], None],
    ) -> None:
        self._log = run_dir / log_path(self.name)
        self._records, self._rounds = records, rounds
        self._policy = RestartPolicy(max_restarts)
        self._sleep = sleep
        self._on_give_up = on_give_up
        self._stopping = False
        self._planned = ""
        self._exit_taken = asyncio.Event()
        self.process: Process | None = None
        self.restarts = 0
        self.reason = ""
        self.started_at = 0.0

    @abstractmethod
    def command(self) -> list[str]:
        """The command line of the next start."""

    @abstractmethod
    async def serve(self, process: Process) -> None:
        """Accompanies the process until it has exited."""

    @property
    def role(self) -> str:
        return self.name

    @property
    def state(self) -> State:
        return State.WAITING if self.pid is None else State.RUNNING

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None

    async def keep(self) -> None:
        """Starts the process, and again whenever it ends; returns once it is stopped or given up on."""
        while not self._stopping:
            self.process = await self._start()
            try:
                await self.serve(self.process)
                delay = self._ended(self.process.pid, Exit.from_returncode(await self.process.wait()))
            finally:
                self._exit_taken.set()
            if delay is None:
                return
            await self._sleep(delay)
            self.restarts += 1

    def kill(self, planned: str = "") -> None:
        """Sends KILL. With a reason in `planned` the next start is at once and not counted as a restart."""
        self._planned = planned
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # reaped, and the event loop not told yet
                os.killpg(self.process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Ends the process for good and waits until its end is recorded."""
        self._stopping = True
        if self.process:
            self.kill()
            await self.process.wait()
            await self._exit_taken.wait()

    async def _start(self) -> Process:
        log_bytes = log_size(self._log)
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.command(),
                stdin=self.stdio,
                stdout=log if self.stdio == DEVNULL else self.stdio,
                stderr=log,
                start_new_session=True,
                env={**self.env, **os.environ},
            )
        self.started_at = asyncio.get_running_loop().time()
        self._exit_taken.clear()
        self._records.started(self.name, self.role, process.pid, log_bytes=log_bytes)
        return process

    def _ended(self, pid: int, end: Exit) -> float | None:
        """Records the end; returns the seconds until the next start, None if there is none."""
        planned, self._planned = self._planned, ""
        if self._stopping:
            delay, reason = None, STOPPED_WITH_RUN
        elif planned:
            delay, reason = 0.0, planned
        else:
            delay, reason = self._policy.next_delay(self._rounds.finished()), end.describe(self._log)
        self.reason = reason
        self._records.exited(self.name, pid, end, will_restart=delay is not None, reason=reason)
        if delay is None and not self._stopping:
            self._on_give_up(f"{self.name}: {reason}; given up after {self.restarts} restarts")
        return delay
