"""The GPUs and MIG slices of this machine, as NVIDIA's driver (NVML) reports them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.pin import Device

log = structlog.get_logger("stylefarm.worker")


@dataclass(frozen=True)
class Memory:
    """The memory of a GPU or a slice, in bytes."""

    used: int
    total: int


def find_devices(nvml: Any = None) -> list[Device]:
    """Return the devices, in the order of the PCI bus; none on a machine without a driver.

    `nvml` is the module `pynvml`, or one that stands for it. Unlike CUDA, NVML may be asked by a process whose
    children will use the GPUs. Raises ServiceUnavailable if there is a driver that does not answer.
    """
    # Imported here, so that a worker on the CPU never loads it.
    nvml = nvml or importlib.import_module("pynvml")
    try:
        with _opened(nvml):
            return [device for index in range(nvml.nvmlDeviceGetCount()) for device in _healthy(nvml, index)]
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        return []
    except nvml.NVMLError as error:
        # Falling back to the CPU would hide the problem: jobs would only be slow.
        raise _silent(error) from error


def read_memory(uuids: Iterable[str], nvml: Any = None) -> dict[str, Memory]:
    """Return the memory of these GPUs and slices, without those that do not report it. Raises ServiceUnavailable."""
    nvml = nvml or importlib.import_module("pynvml")
    found: dict[str, Memory] = {}
    try:
        with _opened(nvml):
            for uuid in uuids:
                try:
                    info = nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(uuid))
                except nvml.NVMLError as error:
                    log.warning("memory of the GPU unknown", gpu=uuid, reason=str(error))
                else:
                    found[uuid] = Memory(info.used, info.total)
    except nvml.NVMLError as error:
        raise _silent(error) from error
    return found


@contextmanager
def _opened(nvml: Any) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _healthy(nvml: Any, index: int) -> list[Device]:
    """Return what one GPU offers; one that has fallen off the bus must not keep the others from rendering."""
    try:
        return list(_offered(nvml, index))
    except nvml.NVMLError as error:
        log.warning("GPU left out", gpu=index, reason=str(error))
        return []


def _offered(nvml: Any, index: int) -> Iterator[Device]:
    """Return the slices of a GPU that has some (CUDA computes on nothing else of it), or else the GPU itself."""
    gpu = nvml.nvmlDeviceGetHandleByIndex(index)
    uuid = nvml.nvmlDeviceGetUUID(gpu)
    if not _is_sliced(nvml, gpu):
        yield Device(str(index), uuid, str(index), uuid)
        return
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            piece = nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, number)
        except nvml.NVMLError_NotFound:
            continue
        yield Device(f"{index}:{number}", nvml.nvmlDeviceGetUUID(piece), str(index), uuid)


def _is_sliced(nvml: Any, gpu: Any) -> bool:
    try:
        current, _pending = nvml.nvmlDeviceGetMigMode(gpu)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return False  # this GPU, or this driver, is older than MIG
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _silent(error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"the GPU driver does not answer ({error}): see what nvidia-smi says, or render on the CPU with --gpus none"
    )
