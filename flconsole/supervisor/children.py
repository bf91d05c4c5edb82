"""The server and the clients: started by the nursery, restarted when they crash, stopped when told to."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.commands import (
    HOPELESS_EXIT_CODE,
    Exited,
    NurseryCommand,
    NurseryNotice,
    Signal,
    Spawn,
    SpawnFailed,
    Started,
)
from engine.telemetry import KILLED_BY_OPERATOR, STOPPED_WITH_RUN
from flconsole.supervisor.daemon import Sleep
from flconsole.supervisor.exits import Exit, RestartPolicy, State
from flconsole.supervisor.logs import log_size
from flconsole.supervisor.pids import create_time, kill_sessions
from flconsole.supervisor.placement import ANYWHERE, ClientProcess, Placement
from flconsole.supervisor.records import Records, ServerFollower

FINAL_CODES = {"server": frozenset({0, 2, 3, 4, 5, HOPELESS_EXIT_CODE}), "client": frozenset({0, 2, 4})}
"""Exit codes after which another try would end the same way."""

_KILL_TAKES_S = 2.0
"""At most, until the system has taken away what was killed; what is left of a group goes with the nursery."""

ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""There is a process, or the nursery has been asked for one."""


@dataclass
class Child:
    """One process under the nursery.

    Attributes:
        placement: where an operator wants its clients.
        killed: those of its clients that an operator has ended for good.
        log_bytes: size of its log at its latest start.
        reason: why it is out, or why it was last restarted.
        stop_reason: set while it is being stopped on purpose.
        restart_after_stop: whether the stop is the first half of a restart.
    """

    spawn: Spawn
    role: str
    policy: RestartPolicy
    clients: tuple[str, ...] = ()
    placement: Placement = ANYWHERE
    killed: set[str] = field(default_factory=set)
    log_bytes: int | None = None
    state: State = State.WAITING
    pid: int | None = None
    create_time: float | None = None
    started_at: float = 0.0
    restarts: int = 0
    reason: str = ""
    stop_reason: str = ""
    restart_after_stop: bool = False
    timers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spawn.name

    @property
    def client(self) -> str | None:
        """Its first client; None of the server."""
        return self.clients[0] if self.clients else None

    @property
    def present(self) -> tuple[str, ...]:
        """Its clients but for those that are out for good."""
        return tuple(client for client in self.clients if client not in self.killed)


class TakesCommands(Protocol):
    """The nursery, seen from here."""

    def send(self, command: NurseryCommand) -> None: ...


class Children:
    """All children by name, and what is to become of each.

    Args:
        records: where starts and exits are written.
        rounds: tells restart policies about progress.
        max_restarts: restarts in a row before a child is given up on.
        stop_timeout_s: seconds between TERM and KILL.
        sleep: waits out the delay before a restart.
        on_exit: called after each end with the child, whether it will restart, and the exit.
    """

    def __init__(
        self,
        records: Records,
        rounds: ServerFollower,
        *,
        max_restarts: int,
        stop_timeout_s: float,
        sleep: Sleep,
        on_exit: Callable[[Child, bool, Exit], None],
    ) -> None:
        self._records, self._rounds = records, rounds
        self._max_restarts, self._stop_timeout_s = max_restarts, stop_timeout_s
        self._sleep = sleep
        self._on_exit = on_exit
        self._nursery: TakesCommands | None = None
        self._closing = False
        self._changed = asyncio.Event()
        self.by_name: dict[str, Child] = {}

    # --- what is wanted

    def add(self, spawn: Spawn, process: ClientProcess | None = None, killed: Collection[str] = ()) -> Child:
        """Adds the server, or a process of clients, and starts it as soon as the nursery is there.

        Args:
            spawn: starts it.
            process: the clients in it; None for the server.
            killed: those that are out for good; a process that has no others is not started.
        """
        policy = RestartPolicy(self._max_restarts)
        if process is None:
            child = Child(spawn, "server", policy)
        else:
            out = set(killed).intersection(process.clients)
            child = Child(spawn, "client", policy, process.clients, process.placement, out)
        self.by_name[child.name] = child
        if child.clients and not child.present:
            child.state, child.reason = State.OUT, KILLED_BY_OPERATOR
        else:
            self._start(child)
        return child

    def stop(self, child: Child, reason: str, *, hard: bool) -> None:
        """Ends a child for good: TERM, and KILL after the timeout; or KILL at once."""
        child.stop_reason, child.restart_after_stop = reason, False
        self._end(child, hard=hard)

    def restart(self, child: Child, reason: str) -> None:
        """Ends a child if it lives, and starts it; its count of restarts begins anew."""
        child.policy = RestartPolicy(self._max_restarts)
        if child.state in ALIVE:
            child.stop_reason, child.restart_after_stop = reason, True
            self._end(child, hard=False)
        else:
            self._start(child)

    def of(self, client: str) -> Child | None:
        """The process of a client."""
        return next((child for child in self.by_name.values() if client in child.clients), None)

    def of_clients(self) -> list[Child]:
        """The processes of clients."""
        return [child for child in self.by_name.values() if child.clients]

    def start_no_more(self) -> None:
        """From now on whatever ends stays out."""
        self._closing = True

    async def close(self) -> None:
        """Ends everything within the stop timeout: the server first, so that it sees no client leave."""
        self.start_no_more()
        deadline = asyncio.get_running_loop().time() + self._stop_timeout_s
        servers = [child for child in self.by_name.values() if not child.clients]
        for children, until in (
            (servers, deadline - self._stop_timeout_s / 2),
            (self.of_clients(), deadline),
        ):
            for child in children:
                self._end(child, hard=False)
            await self._wait_until_out(children, until)
        self.kill_all()
        await self._wait_until_out(self.by_name.values(), deadline + _KILL_TAKES_S)

    def kill_all(self) -> None:
        for child in self.by_name.values():
            self._signal(child, "SIGKILL")

    # --- what has happened

    def nursery_started(self, nursery: TakesCommands) -> None:
        """Starts what is waiting."""
        self._nursery = nursery
        for child in self.by_name.values():
            if child.state is State.WAITING:
                self._start(child)

    def nursery_ended(self) -> None:
        """Every child died with the nursery; what they left behind is killed here."""
        self._nursery = None
        lost = [child for child in self.by_name.values() if child.state in ALIVE]
        sessions = {child.pid: child.create_time or 0.0 for child in lost if child.pid is not None}
        give_up_at = time.monotonic() + _KILL_TAKES_S
        while sessions and kill_sessions(sessions) and time.monotonic() < give_up_at:
            pass
        for child in lost:
            keep = not self._closing and (child.restart_after_stop or not child.stop_reason)
            if child.pid is None:  # asked for, and never born
                child.state = State.WAITING if keep else State.OUT
            else:
                self._finish(child, Exit(None, "SIGKILL"), "the nursery died", 0.0 if keep else None)

    def notice(self, notice: NurseryNotice) -> None:
        """Takes a notice of the nursery."""
        if isinstance(notice, Started):
            self._started(self.by_name[notice.name], notice.pid)
        elif isinstance(notice, Exited):
            child, end = self.by_name[notice.name], Exit(notice.code, notice.signal)
            self._ended(child, end, end.describe(Path(child.spawn.log)))
        elif isinstance(notice, SpawnFailed):
            self._ended(self.by_name[notice.name], Exit(1, None), f"could not be started: {notice.error}")

    def _started(self, child: Child, pid: int) -> None:
        child.pid, child.create_time = pid, create_time(pid)
        child.started_at = asyncio.get_running_loop().time()
        if child.state is State.STARTING:
            child.state = State.RUNNING
        self._records.started(
            child.name,
            child.role,
            pid,
            log_bytes=child.log_bytes,
            clients=child.present,
            placement=child.placement,
        )

    def _ended(self, child: Child, end: Exit, reason: str) -> None:
        if self._closing:
            self._finish(child, end, STOPPED_WITH_RUN, None)
        elif child.stop_reason:
            self._finish(child, end, child.stop_reason, 0.0 if child.restart_after_stop else None)
        elif end.code in FINAL_CODES[child.role]:
            self._finish(child, end, reason, None)
        else:
            delay = child.policy.next_delay(self._rounds.finished())
            gave_up = f"{reason}; given up after {child.restarts} restarts"
            self._finish(child, end, gave_up if delay is None else reason, delay)

    def _finish(self, child: Child, end: Exit, reason: str, delay: float | None) -> None:
        """Moves a child that has ended on to its next start, or out."""
        pid = child.pid or 0
        child.state = State.OUT if delay is None else State.WAITING
        child.pid, child.reason, child.stop_reason, child.restart_after_stop = None, reason, "", False
        self._cancel_timers(child)
        self._changed.set()
        self._records.exited(child.name, pid, end, will_restart=delay is not None, reason=reason)
        self._on_exit(child, delay is not None, end)
        if delay is not None:
            child.restarts += 1
            self._later(child, delay, self._start)

    # --- how it is done

    def _start(self, child: Child) -> None:
        self._cancel_timers(child)
        child.state = State.WAITING
        if self._nursery and not self._closing:
            child.state, child.log_bytes = State.STARTING, log_size(Path(child.spawn.log))
            self._nursery.send(child.spawn)

    def _end(self, child: Child, *, hard: bool) -> None:
        self._cancel_timers(child)
        if child.state is State.WAITING:
            self._finish_waiting(child)
        if child.state not in ALIVE:
            return
        child.state = State.STOPPING
        self._signal(child, "SIGKILL" if hard else "SIGTERM")
        if not hard and not self._closing:
            child.timers.append(asyncio.get_running_loop().create_task(self._kill_after_timeout(child)))

    def _finish_waiting(self, child: Child) -> None:
        """A child without a process has nothing to wait for."""
        child.state = State.OUT
        child.reason = child.stop_reason or STOPPED_WITH_RUN
        child.stop_reason = ""
        self._changed.set()
        if not self._closing:
            self._on_exit(child, False, Exit(None, None))

    async def _kill_after_timeout(self, child: Child) -> None:
        await asyncio.sleep(self._stop_timeout_s)
        self._signal(child, "SIGKILL")

    def _signal(self, child: Child, name: str) -> None:
        if self._nursery and child.state in ALIVE:
            self._nursery.send(Signal(name=child.name, signal=name))

    def _later(self, child: Child, delay: float, action: Callable[[Child], None]) -> None:
        async def wait() -> None:
            await self._sleep(delay)
            child.timers.clear()
            action(child)

        child.timers.append(asyncio.get_running_loop().create_task(wait()))

    def _cancel_timers(self, child: Child) -> None:
        for timer in child.timers:
            timer.cancel()
        child.timers.clear()

    async def _wait_until_out(self, children: Iterable[Child], until: float) -> None:
        """Waits until none is alive any more, or until a moment of the loop's clock."""
        children = list(children)
        while any(child.state in ALIVE for child in children):
            self._changed.clear()
            left = until - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return
