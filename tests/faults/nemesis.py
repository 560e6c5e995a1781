"""The nemesis: a plan of faults drawn by a seed, and the threads that carry it out."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from tests.faults.background_tasks import BackgroundTasks, Work
from tests.faults.environment import Environment
from tests.faults.faults import LANES, PAUSES, Fault, faults


@dataclass(frozen=True)
class Step:
    """A fault, when it is due, counted from the beginning, and how long it lasts; both in seconds."""

    due: float
    fault: Fault
    lasts: float
    seed: int
    """Determines its victim."""


def plan(seed: int, seconds: float, known: Sequence[Fault]) -> list[list[Step]]:
    """Return the steps of each lane: its faults in a random order, each once before any is repeated."""
    return [_lane(seed, lane, seconds, known) for lane in dict.fromkeys(fault.lane for fault in known)]


def _lane(seed: int, lane: str, seconds: float, known: Sequence[Fault]) -> list[Step]:
    of_lane = [fault for fault in known if fault.lane == lane]
    draw = random.Random(f"{seed} {lane}")
    due = draw.uniform(0, PAUSES[lane])
    steps: list[Step] = []
    deck: list[Fault] = []
    while due < seconds:
        deck = deck or draw.sample(of_lane, len(of_lane))
        fault = deck.pop()
        steps.append(Step(due, fault, draw.uniform(fault.shortest, fault.longest), draw.getrandbits(32)))
        due += steps[-1].lasts + draw.uniform(0.5, 1.5) * PAUSES[lane]
    return steps


class Nemesis(BackgroundTasks):
    """Carries out the plan of a seed, or some of its lanes, while its `with` block runs; there all is undone."""

    def __init__(self, farm: Environment, seed: int, seconds: float, lanes: Collection[str] = LANES) -> None:
        super().__init__("nemesis")
        self.farm = farm
        self.seconds = seconds
        known = [fault for fault in faults(farm.times.lease) if fault.lane in lanes]
        self.lanes = plan(seed, seconds, known)
        self._began = time.monotonic()

    def works(self) -> Sequence[Work]:
        return [partial(self._run, steps) for steps in self.lanes]

    def _run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.over.wait(max(0.0, self._began + step.due - time.monotonic()))
            # A lane that is late, since a server was slow to start, injects fewer faults.
            if self.over.is_set() or time.monotonic() > self._began + self.seconds:
                return
            self.farm.history.add("fault", fault=step.fault.name, lasts=step.lasts)
            with step.fault.strike(self.farm, random.Random(step.seed)):
                self.over.wait(step.lasts)
