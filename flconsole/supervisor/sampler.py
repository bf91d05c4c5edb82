"""Once a second: what every process uses and what every client does, into `samples.jsonl`.

It also keeps the logs bounded: both are chores that must not hold up the event loop.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from engine.event_log import EventLog
from engine.telemetry import ClientSample, ProcessSample, Sample
from flconsole.supervisor.disk import free_bytes
from flconsole.supervisor.gpu import GpuReader
from flconsole.supervisor.logs import rotate_logs

_INTERVAL_S = 1.0
_ROTATE_BYTES = 4_000_000


class Sampler:
    """Samples in a worker thread, so that a slow system delays nothing but the samples.

    Args:
        run_dir: where `samples.jsonl` is written; at 4 MB it becomes `samples.1.jsonl`.
        run: the run's id.
        pids: the processes to sample, by name.
        gpus: reads their use of GPUs.
        clients: what each client does at the moment.
        disk: told in the event loop how many bytes are free.
    """

    def __init__(
        self,
        run_dir: Path,
        run: str,
        *,
        pids: Callable[[], dict[str, int]],
        gpus: GpuReader,
        clients: Callable[[], Awaitable[dict[str, ClientSample]]],
        disk: Callable[[int], None],
    ) -> None:
        self._path = run_dir / "samples.jsonl"
        self._log = EventLog(self._path, run=run, origin="supervisor")
        self._pids, self._clients = pids, clients
        self._gpus, self._disk = gpus, disk
        self._processes: dict[int, psutil.Process] = {}
        self._private: dict[int, int | None] = {}

    async def keep(self) -> None:
        """Takes samples for ever."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            clients = await self._clients()
            self._disk(await asyncio.to_thread(self._take, self._pids(), clients))

    def close(self) -> None:
        self._log.close()

    def _take(self, pids: dict[str, int], clients: dict[str, ClientSample]) -> int:
        """Writes one sample and returns the bytes that are free on the disk."""
        self._forget_all_but(set(pids.values()))
        self._measure_one_private()
        gpu_use = self._gpus.read()
        samples = {}
        for name, pid in pids.items():
            with contextlib.suppress(psutil.Error):  # gone meanwhile, or not ours to look at
                samples[name] = self._sample(pid, *gpu_use.get(pid, (None, None)))
        disk_free = free_bytes(self._path.parent)
        self._log.append(Sample(processes=samples, clients=clients, disk_free_bytes=disk_free))
        if self._path.stat().st_size > _ROTATE_BYTES:
            self._log.rotate(self._path.with_suffix(".1.jsonl"))
        rotate_logs(self._path.parent / "logs")
        return disk_free

    def _sample(self, pid: int, gpu_bytes: int | None, gpu_percent: float | None) -> ProcessSample:
        is_known = pid in self._processes
        process = self._processes[pid] if is_known else psutil.Process(pid)
        self._processes[pid] = process
        with process.oneshot():
            cpu_percent = (
                process.cpu_percent()
            )  # since the call before: at the first there is nothing to tell
            read_bytes = written_bytes = None
            with contextlib.suppress(psutil.AccessDenied, AttributeError):  # not told on every system
                io = process.io_counters()
                read_bytes, written_bytes = io.read_bytes, io.write_bytes
            return ProcessSample(
                cpu_percent=cpu_percent if is_known else None,
                rss_bytes=process.memory_info().rss,
                private_bytes=self._private.get(pid),
                gpu_bytes=gpu_bytes,
                gpu_percent=gpu_percent,
                read_bytes=read_bytes,
                written_bytes=written_bytes,
            )

    def _measure_one_private(self) -> None:
        """Private memory costs a walk through the process's page tables: one process a second, in turn."""
        for pid in self._processes:
            if pid not in self._private:
                break
        else:
            self._private.clear()
            return
        self._private[pid] = None  # whoever cannot be looked at must not keep the others from their turn
        with contextlib.suppress(psutil.Error):
            self._private[pid] = self._processes[pid].memory_full_info().uss

    def _forget_all_but(self, pids: set[int]) -> None:
        for pid in self._processes.keys() - pids:
            del self._processes[pid]
            self._private.pop(pid, None)
