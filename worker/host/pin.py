"""Which worker processes a machine gets: one for each slot, and a slot sees one GPU, one slice of one, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stylefarm.shared.errors import InvalidRequest

NO_GPUS = "none"
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Device:
    """A GPU, or a MIG slice of one. Numbers are nvidia-smi's: "0", and "0:1" for a slice; `gpu` is the whole one."""

    number: str
    uuid: str
    gpu_number: str
    gpu_uuid: str

    @property
    def names(self) -> set[str]:
        """What it can be called by; a whole GPU stands for all its slices."""
        return {self.number, self.uuid, self.gpu_number, self.gpu_uuid}


@dataclass(frozen=True)
class Slot:
    """A place where one worker process renders: its name on this machine, and what it finds in its environment."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> Literal["cpu", "gpu"]:
        """What it renders on."""
        return "gpu" if self.environment.get(VISIBLE) else "cpu"


@dataclass(frozen=True)
class Machine:
    """The devices of this machine.

    `visible` is CUDA_VISIBLE_DEVICES as our parent set it, to keep us off the GPUs of others; `threads` is
    the setting, and where there is none, all `cores` are ours.
    """

    devices: Sequence[Device] = ()
    visible: str | None = None
    threads: int | None = None
    cores: int = 1


@dataclass(frozen=True)
class SlotRequest:
    """The slots that a user asks for; None is what the machine has."""

    gpus: str | None = None
    slots_per_gpu: int = 1
    cpu: int | None = None

    @property
    def no_gpus(self) -> bool:
        """Whether only the CPU is used, whatever else there is."""
        return self.gpus is not None and self.gpus.strip() == NO_GPUS


def plan_slots(wanted: SlotRequest, machine: Machine) -> list[Slot]:
    """Return the slots of this machine. Raises InvalidRequest for a GPU that is not here, and where nothing is left."""
    chosen = [] if wanted.no_gpus else _chosen(wanted.gpus, machine)
    cpu = (0 if chosen else 1) if wanted.cpu is None else wanted.cpu
    if not chosen and not cpu:
        raise InvalidRequest(
            "there is nothing to render on: no GPU is chosen and --cpu is 0: leave out --cpu, or give the number of"
            " CPU slots"
        )
    return [*_on_gpus(chosen, wanted.slots_per_gpu), *_on_cpu(cpu, machine)]


def _chosen(gpus: str | None, machine: Machine) -> list[Device]:
    if gpus is not None:
        return _named(gpus, machine.devices, "--gpus")
    if machine.visible is None or not machine.devices:
        return list(machine.devices)
    # As in CUDA: an empty list hides all GPUs, and a negative number hides those after it.
    seen = f",{machine.visible}".replace(" ", "").partition(",-")[0].strip(",")
    return _named(seen, machine.devices, VISIBLE) if seen else []


def _named(listed: str, devices: Sequence[Device], source: str) -> list[Device]:
    if not devices:
        raise InvalidRequest(
            f"{source} asks for {listed}, but this machine has no GPU, or no driver for it: see what nvidia-smi says,"
            f" or leave out {source}"
        )
    chosen: list[Device] = []
    for name in (part.strip() for part in listed.split(",")):
        found = [device for device in devices if name in device.names]
        if not found:
            raise InvalidRequest(f"{source} asks for {name!r}, which is not here: give any of {_list(devices)}")
        twice = next((device for device in found if device in chosen), None)
        if twice:
            raise InvalidRequest(
                f"{source} names GPU {twice.number} twice: for more than one slot on it, give --slots-per-gpu"
            )
        chosen += found
    return chosen


def _on_gpus(devices: Iterable[Device], per_gpu: int) -> Iterable[Slot]:
    for device in devices:
        environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: device.uuid}
        for name in _numbered(f"gpu{device.number.replace(':', '.')}", per_gpu):
            yield Slot(name, environment)


def _on_cpu(count: int, machine: Machine) -> Iterable[Slot]:
    # Set to an empty list rather than unset: otherwise torch would use the first GPU.
    environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: "", **_threads(count, machine)}
    for number in range(count):
        yield Slot(f"cpu{number}", environment)


def _threads(count: int, machine: Machine) -> dict[str, str]:
    if count <= 1 and machine.threads is None:
        return {}  # torch knows best how many threads a whole machine is good for
    share = str(max(1, (machine.threads or machine.cores) // max(count, 1)))
    # OpenMP creates its threads by its own variable, before the setting is read.
    return {"STYLEFARM_THREADS": share, "OMP_NUM_THREADS": share}


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]


def _list(devices: Iterable[Device]) -> str:
    return ", ".join(f"{device.number} ({device.uuid})" for device in devices)
