"""GPU memory and load by process, from NVML where there is one."""

import types
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


class GpuReader:
    """Reads all NVIDIA GPUs; without a driver it reads nothing."""

    def __init__(self) -> None:
        self._nvml = _load_nvml()

    def count(self) -> int:
        """GPUs of this machine, as far as NVML knows."""
        if self._nvml is None:
            return 0
        try:
            return int(self._nvml.nvmlDeviceGetCount())
        except self._nvml.NVMLError:
            return 0

    def read(self) -> dict[int, tuple[int | None, float | None]]:
        """Memory in bytes and load in percent, summed over the GPUs, by pid; nothing where NVML fails."""
        if self._nvml is None:
            return {}
        try:
            return self._read(self._nvml)
        except self._nvml.NVMLError:  # a GPU that fell off the bus ends its client, not the sampling
            return {}

    def _read(self, nvml: types.ModuleType) -> dict[int, tuple[int | None, float | None]]:
        usage: dict[int, tuple[int | None, float | None]] = {}
        for index in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            loads = _loads(nvml, device)
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(device):
                memory, load = usage.get(process.pid, (None, None))
                usage[process.pid] = (
                    _add(memory, process.usedGpuMemory),
                    _add(load, loads.get(process.pid)),
                )
        return usage


def _loads(nvml: types.ModuleType, device: object) -> dict[int, float]:
    try:
        samples = nvml.nvmlDeviceGetProcessUtilization(device, 0)
    except nvml.NVMLError:  # nothing ran lately, or this GPU does not tell
        return {}
    return {sample.pid: float(sample.smUtil) for sample in samples}


def _load_nvml() -> types.ModuleType | None:
    import pynvml  # noqa: PLC0415  # loads the driver's library, on machines that have one

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    module: types.ModuleType = pynvml
    return module


def _add(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
