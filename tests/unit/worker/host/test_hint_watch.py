"""Which slots are found to take no hints, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.hint_watch import HintWatch
from stylefarm.worker.host.pulse import Pulse, make_pulse, read_pulse
from stylefarm.worker.host.supervisor import SlotState
from tests.servers.processes import wait_until

SLOT = NewWorker("cpu0@here", "here", "cpu", ["stylefarm.auto", "stylefarm.cpu"])


@dataclass
class Farm:
    """What a slot is judged by: hints, the jobs that workers render, the state of its process."""

    waiting: int = 3
    jobs: list[str] = field(default_factory=list)
    tick: SlotState = field(default_factory=lambda: SlotState(0, {"cpu0": "running"}, {"cpu0": 1}))
    now: float = 0.0
    away: bool = False
    replaced: list[tuple[str, str]] = field(default_factory=list)

    def count(self, queue: str) -> int:
        if self.away:
            raise ServiceUnavailable("away")
        return self.waiting if queue == "stylefarm.cpu" else 0

    def listed(self) -> list[Any]:
        @dataclass
        class Listed:
            worker: NewWorker
            job_ids: list[str]

        return [Listed(SLOT, self.jobs)]

    def replace(self, slot: str, reason: str) -> None:
        self.replaced.append((slot, reason))


@pytest.fixture
def pulse(tmp_path: Path) -> Pulse:
    make_pulse(tmp_path / "cpu0")
    return Pulse(tmp_path / "cpu0")


def passed(farm: Farm, watch: HintWatch, seconds: int, pulse: Pulse | None = None) -> None:
    """Look every five seconds, for so long; a slot that lives asks for hints in between."""
    for _ in range(0, seconds, 5):
        farm.now += 5
        if pulse is not None:
            poll(pulse)
        watch.look()


def poll(pulse: Pulse) -> None:
    """Ask for a hint, at another moment than before by the clock of files, which may tick every few milliseconds."""
    before = read_pulse(pulse.path)

    def is_told() -> bool:
        pulse.poll()
        return read_pulse(pulse.path) != before

    wait_until(is_told, 30)


def watching(farm: Farm, pulse: Pulse) -> HintWatch:
    any_farm = cast("Any", farm)
    return HintWatch(any_farm, any_farm, {"cpu0": SLOT}, {"cpu0": pulse.path}, any_farm, lambda: farm.now)


def test_a_slot_that_takes_no_hints_is_replaced(pulse: Pulse) -> None:
    """Given hints that wait and a slot that asks for none for two minutes, I expect its process to be replaced."""
    farm = Farm()
    watch = watching(farm, pulse)
    passed(farm, watch, 300, pulse)
    passed(farm, watch, 115)
    assert farm.replaced == []
    passed(farm, watch, 15)
    assert farm.replaced[0] == ("cpu0", "took no hint for 125 s, though 3 wait")


@pytest.mark.parametrize("changes", [{"waiting": 0}, {"jobs": ["a job"]}], ids=["nothing waits", "at a job"])
def test_a_slot_with_a_reason_to_take_none_is_left_alone(pulse: Pulse, changes: dict[str, Any]) -> None:
    """Given a slot that has a job, or for which nothing waits, I expect it to be left alone; also soon afterwards."""
    farm = Farm(**changes)
    watch = watching(farm, pulse)
    passed(farm, watch, 1000)
    farm.waiting, farm.jobs = 3, []
    passed(farm, watch, 100)
    assert farm.replaced == []


def test_time_in_which_nothing_could_be_asked_does_not_count(pulse: Pulse) -> None:
    """Given a Redis that is away, I expect it said, and the slot to get its whole time after that."""
    farm = Farm()
    watch = watching(farm, pulse)
    passed(farm, watch, 115)
    farm.away = True
    farm.now += 10
    with pytest.raises(ServiceUnavailable):
        watch.look()
    farm.away = False
    passed(farm, watch, 115)
    assert farm.replaced == []


def test_a_new_process_gets_its_own_time(pulse: Pulse) -> None:
    """Given a slot whose process was started again, I expect that to count as a sign of life."""
    farm = Farm()
    watch = watching(farm, pulse)
    passed(farm, watch, 115)
    farm.tick = SlotState(0, {"cpu0": "running"}, {"cpu0": 2})
    passed(farm, watch, 115)
    assert farm.replaced == []


def test_messages_that_are_dropped_are_counted_across_processes(pulse: Pulse) -> None:
    """Given a slot that drops messages, if its process is replaced, I expect the next one to count on."""
    for _ in range(12):
        pulse.drop("q", b"\x1b[31m")
    following = Pulse(pulse.path)
    following.drop("q", b"")
    assert int(pulse.path.read_text()) == 13
