"""Which GPUs a machine has, and which slots it gets for what was asked for."""

from __future__ import annotations

import pytest

from stylefarm.shared.errors import InvalidRequest, ServiceUnavailable
from stylefarm.worker.host.nvml import find_devices
from stylefarm.worker.host.pin import Machine, Slot, SlotRequest, plan_slots
from tests.fake_nvml import FakeGpu, FakeNvml, eight, sliced

EIGHT = find_devices(eight())
SLICED = find_devices(sliced())


def seen(chosen: list[Slot]) -> dict[str, str]:
    """What each slot sees of GPUs, by its name."""
    assert all(slot.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID" for slot in chosen)
    return {slot.name: slot.environment["CUDA_VISIBLE_DEVICES"] for slot in chosen}


def test_whole_gpus_are_found() -> None:
    """Given eight GPUs, I expect each by its number and UUID, and NVML closed again."""
    nvml = eight()
    found = find_devices(nvml)
    assert [(device.number, device.uuid) for device in found] == [(str(n), f"GPU-{n}") for n in range(8)]
    assert not nvml.is_open


def test_slices_are_found() -> None:
    """Given a GPU that is cut into slices, I expect those and not the GPU itself, which computes nothing then."""
    assert [(device.number, device.uuid) for device in SLICED] == [
        ("0", "GPU-a"),
        ("1:0", "MIG-b0"),
        ("1:2", "MIG-b2"),
    ]


@pytest.mark.parametrize("fails", [FakeNvml.NVMLError_LibraryNotFound, FakeNvml.NVMLError_DriverNotLoaded])
def test_a_machine_without_a_driver_has_no_gpus(fails: type[FakeNvml.NVMLError]) -> None:
    """Given a machine without a driver, I expect no GPUs, and no error."""
    assert find_devices(FakeNvml(fails=fails)) == []


def test_this_machine_can_be_asked() -> None:
    """Given the real NVML, or none, I expect an answer of the same kind."""
    assert all(device.uuid.startswith(("GPU-", "MIG-")) for device in find_devices())


def test_a_driver_that_fails_is_told_of() -> None:
    """Given a driver that does not answer, I expect a sentence, not a CPU that quietly renders instead."""
    with pytest.raises(ServiceUnavailable, match=r"driver does not answer \(Fake Failure\): .* --gpus none"):
        find_devices(FakeNvml(fails=FakeNvml.NVMLError))


def test_a_lost_gpu_does_not_take_the_others_along() -> None:
    """Given a GPU that has fallen off the bus, I expect the others under their own numbers."""
    found = find_devices(FakeNvml([FakeGpu("GPU-a"), FakeGpu("GPU-b", lost=True), FakeGpu("GPU-c")]))
    assert [(device.number, device.uuid) for device in found] == [("0", "GPU-a"), ("2", "GPU-c")]


def test_every_gpu_gets_one_slot() -> None:
    """Given eight GPUs and no settings, I expect eight slots that see one each, and none on the CPU."""
    assert seen(plan_slots(SlotRequest(), Machine(EIGHT))) == {f"gpu{n}": f"GPU-{n}" for n in range(8)}


def test_without_gpus_the_cpu_gets_one_slot() -> None:
    """Given no GPU and no settings, I expect one slot on the CPU, whose threads are left to torch."""
    (only,) = plan_slots(SlotRequest(), Machine(cores=64))
    assert only == Slot("cpu0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ""})


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ("1:2", {"gpu1.2": "MIG-b2"}),
        ("1", {"gpu1.0": "MIG-b0", "gpu1.2": "MIG-b2"}),
        ("GPU-b", {"gpu1.0": "MIG-b0", "gpu1.2": "MIG-b2"}),
        (" MIG-b0 , 0", {"gpu1.0": "MIG-b0", "gpu0": "GPU-a"}),
        (" none ", {"cpu0": ""}),
    ],
)
def test_gpus_are_named_by_number_or_uuid(gpus: str, expected: dict[str, str]) -> None:
    """Given GPUs and slices, if some are named, I expect those, and all slices of a GPU that is named as a whole."""
    assert seen(plan_slots(SlotRequest(gpus=gpus), Machine(SLICED))) == expected


def test_a_gpu_can_have_several_slots() -> None:
    """Given two slots per GPU, I expect them to have names of their own and to see the same GPU."""
    chosen = plan_slots(SlotRequest(gpus="3", slots_per_gpu=2, cpu=1), Machine(EIGHT))
    assert seen(chosen) == {"gpu3-1": "GPU-3", "gpu3-2": "GPU-3", "cpu0": ""}


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", ["GPU-2", "GPU-0"]),
        ("GPU-5", ["GPU-5"]),
        ("1, -1, 2", ["GPU-1"]),
        ("-1", [""]),
        ("", [""]),
        (None, [f"GPU-{n}" for n in range(8)]),
    ],
)
def test_the_gpus_of_others_are_left_alone(visible: str | None, expected: list[str]) -> None:
    """Given CUDA_VISIBLE_DEVICES, as a batch system sets it, I expect no slot on a GPU that it hides."""
    assert list(seen(plan_slots(SlotRequest(), Machine(EIGHT, visible))).values()) == expected


@pytest.mark.parametrize(
    ("cpu", "threads", "cores", "share"),
    [(4, None, 64, "16"), (4, 8, 64, "2"), (3, 2, 64, "1"), (1, 6, 64, "6"), (4, None, 2, "1")],
)
def test_cpu_slots_divide_the_threads(cpu: int, threads: int | None, cores: int, share: str) -> None:
    """Given N slots on the CPU, I expect each to have an Nth of the threads, and at least one."""
    chosen = plan_slots(SlotRequest(cpu=cpu), Machine(threads=threads, cores=cores))
    assert len(chosen) == len({slot.name for slot in chosen}) == cpu
    assert {slot.environment["OMP_NUM_THREADS"] for slot in chosen} == {share}
    assert {slot.environment["STYLEFARM_THREADS"] for slot in chosen} == {share}


@pytest.mark.parametrize(
    ("wanted", "machine", "sentence"),
    [
        (
            SlotRequest(gpus="9"),
            Machine(SLICED),
            r"--gpus asks for '9', which is not here: give any of 0 \(GPU-a\), 1:0 ",
        ),
        (SlotRequest(gpus="0,,1"), Machine(EIGHT), "--gpus asks for '', which is not here"),
        (SlotRequest(gpus=""), Machine(EIGHT), "--gpus asks for '', which is not here"),
        (SlotRequest(gpus="0,GPU-0"), Machine(EIGHT), "--gpus names GPU 0 twice: .* give --slots-per-gpu"),
        (SlotRequest(gpus="0"), Machine(), "--gpus asks for 0, but this machine has no GPU, or no driver for it"),
        (
            SlotRequest(cpu=0),
            Machine(),
            "there is nothing to render on: no GPU is chosen and --cpu is 0: leave out --cpu",
        ),
        (SlotRequest(gpus="none", cpu=0), Machine(EIGHT), "there is nothing to render on"),
        (SlotRequest(), Machine(EIGHT, "GPU-x"), "CUDA_VISIBLE_DEVICES asks for 'GPU-x', which is not here"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(wanted: SlotRequest, machine: Machine, sentence: str) -> None:
    """Given a wish that this machine cannot meet, I expect one sentence with what there is, or what to do."""
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        plan_slots(wanted, machine)
    assert "\n" not in str(refused.value)
