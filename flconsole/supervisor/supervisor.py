"""The supervisor of a run: starts its processes, keeps them going, answers operators, ends everything."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine import telemetry
from engine.commands import ServerRequest
from engine.config import RunConfig
from engine.errors import BrokerError, EngineError
from flconsole.supervisor.broker import EmbeddedBroker
from flconsole.supervisor.children import Child, Children
from flconsole.supervisor.client_watch import ClientWatch
from flconsole.supervisor.control import ControlServer
from flconsole.supervisor.daemon import Daemon, Sleep
from flconsole.supervisor.disk import DiskWatch
from flconsole.supervisor.exits import Exit
from flconsole.supervisor.gpu import GpuReader
from flconsole.supervisor.lock import SupervisorLock
from flconsole.supervisor.nursery_client import NurseryProcess
from flconsole.supervisor.operations import Operations, clients_exited
from flconsole.supervisor.placement import deal
from flconsole.supervisor.programs import EngineCommands, Programs
from flconsole.supervisor.records import Records, ServerFollower, clients_of_earlier_incarnations
from flconsole.supervisor.rules import keep_rules
from flconsole.supervisor.sampler import Sampler
from flconsole.supervisor.server_link import ServerLink

_BROKER_START_S = 20.0
STOP_EXIT_CODE = 128 + signal.SIGTERM
"""An operator's `stop` ends the run as TERM does: before it is done."""


@dataclass(frozen=True)
class Outcome:
    """How the run ends."""

    event: type[telemetry.RunFinished | telemetry.RunFailed | telemetry.RunStopped]
    exit_code: int
    reason: str


def run_supervisor(
    config: RunConfig,
    run_dir: Path,
    *,
    resumed: bool,
    ready: Callable[[], None] | None = None,
    programs: Programs | None = None,
    sleep: Sleep = asyncio.sleep,
) -> int:
    """Runs a federation to its end; `config.toml` is written and the data are prepared.

    TERM, INT and HUP stop the run gracefully, a second one at once. Call it from the main thread.

    Args:
        config: the resolved configuration.
        run_dir: the run directory; `logs/` is made in it.
        resumed: whether the run goes on from its last checkpoint.
        ready: called once operators can connect.
        programs: the modules that are started.
        sleep: waits out the delay before a restart.

    Returns:
        The exit code: 0 finished, 1 to 5 failed, 129, 130 or 143 stopped.

    Raises:
        RunDirectoryError: another supervisor holds the run, or its files cannot be written.
    """
    run_dir = run_dir.resolve()
    with SupervisorLock(run_dir) as lock:
        (run_dir / "logs").mkdir(exist_ok=True)

        async def run() -> int:
            supervisor = Supervisor(
                config, run_dir, lock, programs or Programs(), resumed=resumed, sleep=sleep
            )
            return await supervisor.run(ready or (lambda: None))

        return asyncio.run(run())


class Supervisor:
    """One run, from its first process to its last event. Built inside the event loop.

    Args:
        config: the resolved configuration.
        run_dir: absolute path of the run directory.
        lock: holds the run, knows its sockets.
        programs: the modules that are started.
        resumed: whether the run goes on from its last checkpoint.
        sleep: waits out the delay before a restart.
    """

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path,
        lock: SupervisorLock,
        programs: Programs,
        *,
        resumed: bool,
        sleep: Sleep,
    ) -> None:
        self._config, self._run_dir, self._resumed = config, run_dir, resumed
        self._run = config.run_id or run_dir.name
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._earlier = clients_of_earlier_incarnations(run_dir)
        self._records = Records(run_dir, self._run)
        self._rounds = ServerFollower(run_dir)
        self._build(lock, programs, sleep)

    def _build(self, lock: SupervisorLock, programs: Programs, sleep: Sleep) -> None:
        config = self._config
        common: dict[str, Any] = {
            "records": self._records,
            "rounds": self._rounds,
            "max_restarts": config.max_restarts,
            "sleep": sleep,
        }
        daemon = {"run_dir": self._run_dir, **common}
        self._broker: EmbeddedBroker | None = None
        if config.embedded_broker:
            self._broker = EmbeddedBroker(programs, on_give_up=self._broker_given_up, **daemon)
        self._children = Children(stop_timeout_s=config.stop_timeout_s, on_exit=self._child_exited, **common)
        self._nursery = NurseryProcess(programs, config, self._children, on_give_up=self._fail, **daemon)
        self._link = ServerLink(lock.server_socket, self._server_asks)
        bootstrap_servers = self._broker.bootstrap_servers if self._broker else str(config.bootstrap_servers)
        self._commands = EngineCommands(
            programs, config, self._run_dir, bootstrap_servers, lock.server_socket
        )
        gpus = GpuReader()
        self._operations = Operations(
            self._children,
            self._link,
            self._records,
            config=config,
            gpus=gpus.count,
            keep_rules=partial(keep_rules, self._run_dir),
            spawn_clients=self._commands.clients,
            stop_run=lambda: self._stop("stopped by the operator", STOP_EXIT_CODE),
            status=self.status,
        )
        self._control = ControlServer(lock.socket, self._operations.handle)
        disk = DiskWatch(
            self._run_dir, config.min_free_disk_mb, on_low=self._records.append, on_full=self._fail
        )
        self._sampler = Sampler(
            self._run_dir,
            self._run,
            pids=self._pids,
            gpus=gpus,
            clients=ClientWatch(self._link).look,
            disk=disk.look,
        )

    async def run(self, ready: Callable[[], None]) -> int:
        """Runs to the end of the run and returns its exit code."""
        self._handle_signals()
        self._loop.set_exception_handler(self._broken)
        self._record_start()
        try:
            await self._control.start()
            self._keep(self._sampler.keep())
            ready()
            await self._start_processes()
            outcome = await self._outcome
        except EngineError as error:
            outcome = Outcome(telemetry.RunFailed, error.exit_code, str(error))
        finally:
            await self._end_processes()
        self._record_end(outcome)
        self._records.close()
        self._rounds.close()
        self._sampler.close()
        return outcome.exit_code

    def status(self) -> dict[str, Any]:
        """The processes and the progress of the run, as plain data."""
        last = self._rounds.last()
        return {
            "run": self._run,
            "run_dir": str(self._run_dir),
            "pid": os.getpid(),
            "bootstrap_servers": self._commands.bootstrap_servers,
            "server_connected": self._link.connected,
            "stopping": self._outcome.done() or self._operations.stop_after_round,
            "round": last.round if last else 0,
            "accuracy": last.accuracy if last else None,
            "uptime_s": round(self._loop.time() - self._started_at, 3),
            "processes": [self._describe(process) for process in self._processes()],
        }

    # --- starting

    async def _start_processes(self) -> None:
        if self._broker:
            self._keep(self._broker.keep())
            ready: asyncio.Future[Any] = asyncio.ensure_future(self._broker.ready.wait())
            waiting: set[asyncio.Future[Any]] = {ready, self._outcome}
            done, _ = await asyncio.wait(
                waiting, timeout=_BROKER_START_S, return_when=asyncio.FIRST_COMPLETED
            )
            ready.cancel()
            if not done:
                self._broker_given_up(f"broker: takes no connections for {_BROKER_START_S:g} s; see its log")
        if self._outcome.done():
            return
        self._keep(self._nursery.keep())
        self._keep(self._link.keep(self._operations.desired))
        self._children.add(self._commands.server())
        earlier, killed = self._earlier
        known = {client for process in earlier for client in process.clients}
        first = [str(number) for number in range(1, self._config.clients + 1)]
        new = deal([client for client in first if client not in known], self._config.clients_per_process)
        for process in sorted([*earlier, *new], key=lambda process: int(process.clients[0])):
            self._children.add(self._commands.clients(process, killed), process, killed)

    def _handle_signals(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.add_signal_handler(signum, self._signalled, signum)

    def _signalled(self, signum: signal.Signals) -> None:
        if self._outcome.done():
            self._children.kill_all()
        self._stop(f"stopped by {signum.name}", 128 + signum)

    # --- what happens

    def _child_exited(self, child: Child, will_restart: bool, end: Exit) -> None:
        if self._outcome.done():
            return
        if child.clients:
            for word in clients_exited(child, will_restart=will_restart):
                self._link.tell(word)
        elif not will_restart and end.code == 0:
            self._end(Outcome(telemetry.RunFinished, 0, self._rounds.end_reason()))
        elif not will_restart:
            self._fail(f"server: {child.reason}", end.code if end.code in (2, 3, 4, 5) else 1)

    def _server_asks(self, request: ServerRequest) -> None:
        if self._broker:
            self._broker.kill(planned=f"{telemetry.RECYCLED}: {request.reason}")

    def _broker_given_up(self, reason: str) -> None:
        self._fail(reason, BrokerError.exit_code)

    def _fail(self, reason: str, exit_code: int = 1) -> None:
        self._end(Outcome(telemetry.RunFailed, exit_code, reason))

    def _stop(self, reason: str, exit_code: int) -> None:
        self._end(Outcome(telemetry.RunStopped, exit_code, reason))

    def _end(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in a callback ends the run: nothing goes on that nobody watches over."""
        error = context.get("exception")
        if isinstance(error, Exception) and not self._outcome.done():
            self._outcome.set_exception(error)
        else:
            loop.default_exception_handler(context)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._watch)

    def _watch(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken(self._loop, {"message": "a task of the supervisor failed", "exception": error})

    # --- ending

    async def _end_processes(self) -> None:
        self._children.start_no_more()
        if self._nursery.ready:  # before that it obeys nobody, and has nobody to end
            await self._children.close()
        await self._nursery.stop()
        if self._broker:
            await self._broker.stop()
        await self._control.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _record_start(self) -> None:
        config = self._config
        event = telemetry.RunStarted(
            pid=os.getpid(),
            run_dir=str(self._run_dir),
            resumed=self._resumed,
            clients=config.clients,
            rounds=config.rounds,
            model=config.model,
            dataset=config.dataset,
            stand_in=config.stand_in,
            mode=config.mode,
        )
        self._records.append(event)

    def _record_end(self, outcome: Outcome) -> None:
        last = self._rounds.last()
        event = outcome.event(
            rounds=last.round if last else 0,
            accuracy=last.accuracy if last else None,
            loss=last.loss if last else None,
            digest=last.digest if last else None,
            seconds=round(self._loop.time() - self._started_at, 3),
            run_dir=str(self._run_dir),
            reason=outcome.reason,
            exit_code=outcome.exit_code,
        )
        self._records.append(event)

    # --- views

    def _processes(self) -> list[Daemon | Child]:
        daemons = [self._broker, self._nursery] if self._broker else [self._nursery]
        return [*daemons, *self._children.by_name.values()]

    def _pids(self) -> dict[str, int]:
        pids = {process.name: process.pid for process in self._processes() if process.pid}
        return {"supervisor": os.getpid(), **pids}

    def _describe(self, process: Daemon | Child) -> dict[str, Any]:
        return {
            "name": process.name,
            "role": process.role,
            "client": process.client,
            "clients": list(process.clients),
            "state": str(process.state),
            "pid": process.pid,
            "restarts": process.restarts,
            "uptime_s": round(self._loop.time() - process.started_at, 3) if process.pid else None,
            "reason": process.reason,
        }
