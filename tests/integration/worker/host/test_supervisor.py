"""How a worker's processes are started, started again and stopped; each is stood for by a program that only waits.

The worker is the real command in a process of its own, on eight GPUs that NVML is made to tell of.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stylefarm.worker.host.pin import Slot
from stylefarm.worker.host.supervisor import SlotProcess, next_delay
from tests import REPOSITORY, fake_nvml
from tests.programs import CommandLine
from tests.servers.processes import are_gone, free_ports, wait_until

SECONDS = 120

SETTINGS = {
    "STYLEFARM_BROKER_URL": "redis://nowhere",
    "STYLEFARM_DATABASE_URL": "postgresql://nowhere/farm",
    "STYLEFARM_S3_BUCKET": "nothing",
    "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7",
    "PYTHONPATH": str(REPOSITORY),
}

# The command, but for the servers, which are not there, and for what it starts.
WORKER = """\
import atexit, sys
from pathlib import Path
from tests import fake_nvml
from stylefarm.worker.cli import start
from stylefarm.worker.host import slot

sys.modules["pynvml"] = fake_nvml.eight()
slot.check_services = lambda *_: None
start.PROGRAM = (sys.executable, "slot.py")
atexit.register(lambda: Path("modules").write_text(" ".join(sys.modules)))

from stylefarm.producer.cli import main
main()
"""

# The program of each slot: it reports its arguments and its environment, and finishes a "job" when asked to stop.
SLOT = """\
import json, os, signal, sys, time
from pathlib import Path
from stylefarm.worker.host import parent_watch, shutdown

def finish(*_):
    Path(name + ".finishing").touch()
    time.sleep(float(os.environ["JOB_SECONDS"]))
    Path(name + ".finished").touch()
    sys.exit()

arguments = sys.argv[1:]
name, parent = (arguments[arguments.index(option) + 1] for option in ("--name", "--parent"))
parent_watch.end_with(int(parent))
shutdown.ignore_request()
signal.signal(signal.SIGTERM, finish)
Path("new").mkdir(exist_ok=True)
part = Path("new") / name
part.write_text(json.dumps({"pid": os.getpid(), "arguments": arguments, "environment": dict(os.environ)}))
part.rename(name + ".json")
time.sleep(600)
"""


@dataclass(frozen=True)
class Started:
    """A worker that runs, and the folder in which its slots tell of themselves."""

    folder: Path
    process: subprocess.Popen[str]

    def slots(self) -> dict[str, Any]:
        """What each slot has told, by its name."""
        return {path.stem: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))}

    def pids(self) -> dict[str, int]:
        """The process of each slot."""
        return {name: slot["pid"] for name, slot in self.slots().items()}

    def end(self) -> None:
        """Kill it, and return when nothing of it is left."""
        self.process.kill()
        self.process.communicate()
        wait_until(lambda: are_gone(self.pids().values()), SECONDS)

    def finished(self) -> int:
        """How many slots have finished their job."""
        return len(list(self.folder.glob("*.finished")))


Start = Callable[..., Started]


def launched(folder: Path, *options: str, job_seconds: float = 0) -> subprocess.Popen[str]:
    """`worker start` on eight GPUs."""
    (folder / "program.py").write_text(WORKER)
    (folder / "slot.py").write_text(SLOT)
    program = (sys.executable, str(folder / "program.py"))
    farm = CommandLine(folder, {**SETTINGS, "JOB_SECONDS": str(job_seconds)})
    return farm.start("worker", "start", *options, program=program)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a worker and wait for its slots; at the end nothing of it is left."""
    with contextlib.ExitStack() as until_the_end:

        def start(*options: str, slots: int, job_seconds: float = 0) -> Started:
            process = launched(tmp_path, *options, job_seconds=job_seconds)
            started = Started(tmp_path, process)
            until_the_end.callback(started.end)
            wait_until(lambda: len(started.slots()) == slots or process.poll() is not None, SECONDS)
            assert process.poll() is None, process.communicate()
            return started

        yield start


def test_each_slot_sees_its_own_gpu_only(start: Start) -> None:
    """Given eight GPUs, if a worker is started, I expect eight processes that each see one, by its UUID.

    And in the process above them no torch, which would keep a GPU's memory, and break what is forked from it.
    """
    worker = start("--name", "studio", slots=8)
    environments = {name: slot["environment"] for name, slot in worker.slots().items()}
    assert {name: seen["CUDA_VISIBLE_DEVICES"] for name, seen in environments.items()} == {
        f"studio-gpu{n}": f"GPU-{n}" for n in range(8)
    }
    assert {seen["CUDA_DEVICE_ORDER"] for seen in environments.values()} == {"PCI_BUS_ID"}
    assert all(slot["arguments"][:2] == ["worker", "slot"] for slot in worker.slots().values())
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(SECONDS) == 0
    imported = set((worker.folder / "modules").read_text().split())
    assert "stylefarm.worker.host.supervisor" in imported
    assert not imported & {"torch", "torchvision"}


def test_a_gpu_that_is_not_here_is_refused(tmp_path: Path) -> None:
    """Given a slip in --gpus, I expect one sentence with the GPUs that there are, and 2."""
    process = launched(tmp_path, "--gpus", "8")
    _, messages = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert messages.startswith("stylefarm: --gpus asks for '8', which is not here: give any of 0 (GPU-0), 1 (GPU-1), ")
    assert len(messages.splitlines()) == 1


@pytest.mark.parametrize("name", ["studio:1", "a%h", "", "a b"])
def test_a_name_that_the_farm_would_read_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    """Given a --name of which a part would be taken for something else, I expect one sentence, and 2."""
    process = launched(tmp_path, "--name", name)
    _, messages = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert messages == f"stylefarm: no worker can be called {name!r}: use letters, digits, . - and _, 63 at most\n"


def test_cpu_slots_share_the_threads(start: Start) -> None:
    """Given a worker on the CPU alone, I expect slots that see no GPU, and OpenMP to start with their share."""
    worker = start("--gpus", "none", "--cpu", "2", slots=2)
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    for slot in worker.slots().values():
        seen = slot["environment"]
        assert (seen["CUDA_VISIBLE_DEVICES"], seen["OMP_NUM_THREADS"], seen["STYLEFARM_THREADS"]) == ("", share, share)


def test_a_dead_process_is_started_again(start: Start) -> None:
    """Given three slots, if the process of one is killed, I expect it back, and the others untouched."""
    worker = start("--gpus", "1,2,3", slots=3)
    before = worker.pids()
    os.kill(before["gpu2"], signal.SIGKILL)
    wait_until(lambda: worker.pids()["gpu2"] != before["gpu2"], SECONDS)
    after = worker.pids()
    assert (after["gpu1"], after["gpu3"]) == (before["gpu1"], before["gpu3"])
    assert worker.process.poll() is None


def test_the_memory_of_each_gpu_is_told_by_slot(start: Start) -> None:
    """Given a worker with a port on two GPUs, I expect their memory in its metrics, though no service is there."""
    (port,) = free_ports(1)
    start("--gpus", "2,5", "--name", "studio", "--metrics-port", str(port), slots=2)
    # The slots may be there before their worker has looked at them.
    wait_until(lambda: ("stylefarm_slot_starts_total", "studio-gpu2", None) in samples_at(port), SECONDS)
    samples = samples_at(port)
    for number in (2, 5):
        place = (f"studio-gpu{number}", f"GPU-{number}")
        assert samples["stylefarm_gpu_memory_used_bytes", *place] == fake_nvml.FakeMemory().used
        assert samples["stylefarm_gpu_memory_total_bytes", *place] == fake_nvml.FakeMemory().total
    assert samples["stylefarm_slot_starts_total", "studio-gpu2", None] == 1


def samples_at(port: int) -> dict[tuple[str, str | None, str | None], float]:
    """The metrics of a worker, by their names, slots and GPUs."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(s.name, s.labels.get("slot"), s.labels.get("gpu")): s.value for f in families for s in f.samples}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_worker_waits_for_the_jobs_at_hand(start: Start, number: signal.Signals) -> None:
    """Given slots at a job, if the worker is asked to stop, I expect all of them to finish, and 0."""
    worker = start("--gpus", "4,5", slots=2, job_seconds=0.5)
    worker.process.send_signal(number)
    assert worker.process.wait(SECONDS) == 0
    assert worker.finished() == 2


def test_a_stopped_worker_does_not_wait_for_ever(start: Start) -> None:
    """Given a job that takes longer than the time of grace, I expect its process to be killed then, and 130."""
    worker = start("--gpus", "6", "--grace", "1", slots=1, job_seconds=60)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(SECONDS) == 130
    assert are_gone(worker.pids().values())
    assert worker.finished() == 0


def test_the_second_signal_stops_at_once(start: Start) -> None:
    """Given a worker that waits for a job, if it is asked to stop once more, I expect it to end now, with 130."""
    worker = start("--gpus", "6", slots=1, job_seconds=60)
    worker.process.send_signal(signal.SIGINT)
    wait_until(lambda: any(worker.folder.glob("*.finishing")), SECONDS)
    assert worker.process.poll() is None
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.wait(SECONDS) == 130
    assert are_gone(worker.pids().values())


def test_a_killed_worker_takes_its_processes_along(start: Start) -> None:
    """Given a worker, if it is killed so that it can tell nobody, I expect none of its processes to go on."""
    worker = start("--gpus", "0,7", slots=2)
    pids = worker.pids().values()
    worker.process.kill()
    wait_until(lambda: are_gone(pids), SECONDS)


def test_the_delay_grows_with_each_death_and_is_forgotten_after_a_good_run() -> None:
    """Given a process that dies at once again and again, I expect it to be waited for longer each time, to a limit."""
    delays = [0.0]
    for _ in range(9):
        delays.append(next_delay(delays[-1], ran=0.1))
    assert delays[1:] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert next_delay(60, ran=3600) == 1


def test_a_slot_that_dies_young_is_in_trouble_until_it_lives(tmp_path: Path) -> None:
    """Given a process that ends soon, and one that is to be replaced, I expect both named, also while the next runs."""
    dies_once = f"test -e {tmp_path}/again || {{ touch {tmp_path}/again; exit 3; }}; exec sleep 600"
    first = SlotProcess(Slot("cpu0"), ["sh", "-c", dies_once])
    second = SlotProcess(Slot("cpu1"), ["sleep", "600"])
    children = (first, second)

    def standing() -> list[tuple[str, str | None]]:
        for child in children:
            child.ensure_running()
        return [(child.standing, child.trouble) for child in children]

    try:
        wait_until(lambda: standing()[0][0] == "failing", SECONDS)
        assert standing()[1] == ("running", None)
        assert first.trouble == "its process ended with code 3; it has been started 2 times"
        second.replace("took no hint")
        assert (second.standing, second.trouble) == (
            "restarting",
            "its process took no hint; it has been started 1 times",
        )
        wait_until(lambda: standing()[1][0] == "failing", SECONDS)
    finally:
        for child in children:
            child.kill()
