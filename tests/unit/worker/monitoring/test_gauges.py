"""What a worker tells Prometheus of its slots, its GPUs and its services, without any of them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.nvml import Memory, read_memory
from stylefarm.worker.monitoring import gauges
from stylefarm.worker.monitoring.gauges import BackgroundQuery, CountCollector, GpuCollector, registry_of
from tests import fake_nvml
from tests.fake_nvml import FakeGpu, FakeNvml

# A slot's process: it counts into its folder, and is killed.
COUNTING = """\
import os, signal, sys
from pathlib import Path
from stylefarm.worker.host import slot

slot.keep_metrics_in(Path(sys.argv[1]))
from stylefarm.worker.monitoring import metrics

metrics.ITERATIONS.inc(int(sys.argv[2]))
with metrics.uploading("result"):
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def question(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], int]], BackgroundQuery[int]]]:
    """Make a question whose answer is waited for, and stays fresh, however busy the machine is."""
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(gauges, "FRESH_SECONDS", 60.0)
    yield BackgroundQuery


def asked(question: BackgroundQuery[int]) -> int | None:
    at = time.monotonic()
    question.ask(at)
    return question.answer(at)


def test_a_fresh_answer_is_told_again(question: Callable[[Callable[[], int]], BackgroundQuery[int]]) -> None:
    """Given a service, if it is asked twice in a moment, I expect it to hear the question once."""
    answers = iter((1, 2))
    once = question(lambda: next(answers))
    assert [asked(once), asked(once)] == [1, 1]


def test_a_service_that_is_away_is_no_answer(question: Callable[[Callable[[], int]], BackgroundQuery[int]]) -> None:
    """Given a service that refuses, I expect no answer."""

    def refuse() -> int:
        raise ServiceUnavailable("it is away")

    assert asked(question(refuse)) is None


def test_a_service_that_hangs_is_asked_once(
    question: Callable[[Callable[[], int]], BackgroundQuery[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a service that hangs, I expect no answer, one thread however often it is asked, and its answer at last."""
    over, calls = threading.Event(), []

    def hang() -> int:
        calls.append(1)
        over.wait()
        return 7

    hanging = question(hang)
    with monkeypatch.context() as impatient:
        impatient.setattr(gauges, "PATIENCE_SECONDS", 0.2)
        assert [asked(hanging), asked(hanging)] == [None, None]
    over.set()
    assert asked(hanging) == 7
    assert len(calls) == 1


def test_a_slot_counts_on_where_it_was_killed(tmp_path: Path) -> None:
    """Given processes that count and are killed, I expect sums by slot, and no file more with each process."""
    folders = {name: tmp_path / name for name in ("cpu0", "a_b-cpu1")}
    for name, count in (("cpu0", 3), ("cpu0", 4), ("a_b-cpu1", 10)):
        folders[name].mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", COUNTING, str(folders[name]), str(count)], timeout=60)
    lines = generate_latest(registry_of([CountCollector(folders)])).decode().splitlines()
    assert 'stylefarm_iterations_total{slot="cpu0"} 7.0' in lines
    assert 'stylefarm_iterations_total{slot="a_b-cpu1"} 10.0' in lines
    assert 'stylefarm_upload_seconds_count{kind="result",slot="cpu0"} 2.0' in lines
    assert 'stylefarm_upload_seconds_bucket{kind="snapshot",le="+Inf",slot="cpu0"} 0.0' in lines
    assert lines.count("# TYPE stylefarm_iterations_total counter") == 1
    assert len(list(folders["cpu0"].iterdir())) == 2


def test_a_file_that_is_just_begun_is_no_failure(tmp_path: Path) -> None:
    """Given a slot whose process is about to write its first number, I expect nothing of it, and no error."""
    (tmp_path / "counter_slot.db").touch()
    assert not list(CountCollector({"cpu0": tmp_path}).collect())


def test_gpu_memory_is_told_by_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given slots on a GPU, on a slice and on a GPU that is lost, I expect the memory of the first two."""
    nvml = FakeNvml([FakeGpu("GPU-a"), FakeGpu("GPU-b", {1: "MIG-b1"}), FakeGpu("GPU-c", lost=True)])
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    slots = {"gpu0-1": "GPU-a", "gpu0-2": "GPU-a", "gpu1.1": "MIG-b1", "gpu2": "GPU-c"}
    registry, memory = registry_of([GpuCollector(slots)]), fake_nvml.FakeMemory()
    for slot, gpu in slots.items():
        reported = [
            registry.get_sample_value(f"stylefarm_gpu_memory_{what}_bytes", {"slot": slot, "gpu": gpu})
            for what in ("used", "total")
        ]
        assert reported == ([None, None] if gpu == "GPU-c" else [memory.used, memory.total])
    assert not nvml.is_open


def test_a_driver_that_does_not_answer_is_a_service_that_is_away() -> None:
    """Given a driver that fails, I expect it said; a GPU that answers otherwise tells of its memory."""
    with pytest.raises(ServiceUnavailable, match="GPU driver"):
        read_memory(["GPU-0"], FakeNvml(fails=FakeNvml.NVMLError))
    assert read_memory(["GPU-0"], fake_nvml.eight()) == {"GPU-0": Memory(3 << 30, 80 << 30)}
