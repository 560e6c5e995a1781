"""A stand-in for the module `pynvml` on a machine with GPUs that this one does not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec


@dataclass(frozen=True)
class FakeGpu:
    """A GPU; `slices` are its MIG slices by their number, None where it is not cut into any. A lost one only fails."""

    uuid: str
    slices: dict[int, str] | None = None
    can_be_sliced: bool = True
    lost: bool = False


@dataclass(frozen=True)
class FakeMemory:
    """The memory of any GPU or slice as NVML reports it, in bytes."""

    used: int = 3 << 30
    total: int = 80 << 30


class FakeNvml:
    """What `worker.host.nvml` uses of pynvml. Its handles are the GPUs themselves, and the UUIDs of slices."""

    class NVMLError(Exception):
        """Whatever NVML refuses."""

    class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801 - pynvml's own name, as those below
        """There is no driver."""

    class NVMLError_DriverNotLoaded(NVMLError):  # noqa: N801
        """There is one, and it does not run."""

    class NVMLError_NotSupported(NVMLError):  # noqa: N801
        """This GPU cannot do that."""

    class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801
        """This driver is too old for that."""

    class NVMLError_NotFound(NVMLError):  # noqa: N801
        """There is no slice of that number."""

    NVML_DEVICE_MIG_ENABLE = 1

    __spec__ = ModuleSpec("pynvml", None)

    def __init__(self, gpus: Sequence[FakeGpu] = (), *, fails: type[NVMLError] | None = None) -> None:
        self.gpus = gpus
        self.fails = fails
        self.is_open = False

    def nvmlInit(self) -> None:  # noqa: N802
        if self.fails:
            raise self.fails("Fake Failure")
        self.is_open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        assert self.is_open
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        if self.gpus[index].lost:
            raise self.NVMLError("GPU is lost")
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu | str:  # noqa: N802
        assert self.is_open
        for gpu in self.gpus:
            if uuid == gpu.uuid and not gpu.lost:
                return gpu
            if uuid in (gpu.slices or {}).values():
                return uuid
        raise self.NVMLError_NotFound("Not Found")

    def nvmlDeviceGetMemoryInfo(self, handle: FakeGpu | str) -> FakeMemory:  # noqa: N802
        return FakeMemory()

    def nvmlDeviceGetUUID(self, handle: FakeGpu | str) -> str:  # noqa: N802
        return handle if isinstance(handle, str) else handle.uuid

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> list[int]:  # noqa: N802
        if not gpu.can_be_sliced:
            raise self.NVMLError_NotSupported("Not Supported")
        return [int(gpu.slices is not None), int(gpu.slices is not None)]

    def nvmlDeviceGetMaxMigDeviceCount(self, gpu: FakeGpu) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: FakeGpu, number: int) -> str:  # noqa: N802
        if gpu.slices is None or number not in gpu.slices:
            raise self.NVMLError_NotFound("Not Found")
        return gpu.slices[number]


def eight() -> FakeNvml:
    """A machine with eight whole GPUs."""
    return FakeNvml([FakeGpu(f"GPU-{index}") for index in range(8)])


def sliced() -> FakeNvml:
    """One old GPU, one that is cut into two slices, and one that is cut into none."""
    return FakeNvml(
        [FakeGpu("GPU-a", can_be_sliced=False), FakeGpu("GPU-b", {0: "MIG-b0", 2: "MIG-b2"}), FakeGpu("GPU-c", {})]
    )
