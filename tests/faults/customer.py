"""Those who use the farm while it is under fire: who asks for pictures, who has poison painted, who tends it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select

from stylefarm import Farm
from stylefarm.shared.db.states import State, WorkerState
from stylefarm.shared.db.tables import Job, Worker
from stylefarm.shared.errors import ServiceUnavailable
from tests.faults.arena import PAUSE_SECONDS, Arena, insisting
from tests.faults.companions import Companion, Work
from tests.faults.orders import ENDLESS, LONG, SHORT, order

BATCH = 24
STEER_SECONDS = 1.0
WISHES = ("cancel", "pause", "resume", "reprioritise")
POISON_EVERY_SECONDS = 60.0
TENDING_SECONDS = 1.0


class Customer(Companion):
    """Asks for so many short jobs, and a few long ones, over so many seconds, and steers some of them.

    Afterwards nothing that it paused is paused.
    """

    def __init__(self, farm: Arena, seed: int, jobs: int, seconds: float) -> None:
        super().__init__("customer")
        self.arena = farm
        self.draw = random.Random(f"{seed} customer")
        self.whim = random.Random(f"{seed} whims")
        self.batches = max(1, round(jobs / BATCH))
        self.pace = seconds / self.batches
        self._jobs: list[str] = []
        self._paused: set[str] = set()

    def works(self) -> Sequence[Work]:
        return [self._buy, self._meddle]

    def _buy(self) -> None:
        due = time.monotonic()
        with Farm(self.arena.settings) as farm:
            for number in range(self.batches):
                self._order(farm, number)
                due += self.pace
                self.over.wait(max(0.0, due - time.monotonic()))

    def _meddle(self) -> None:
        with Farm(self.arena.settings) as farm:
            while not self.over.wait(STEER_SECONDS):
                if self._jobs:
                    self._steer(farm)
        with Farm(self.arena.direct) as farm:
            for job_id in self._paused:
                insisting(farm.find_job(job_id).resume)

    def _order(self, farm: Farm, number: int) -> None:
        """Some batches wait for a job, and of some only two jobs may run at a time."""
        after = [self.draw.choice(self._jobs)] if number % 4 == 1 else []
        limit = 2 if number % 4 == 2 else None
        weights = [1.0 + step for step in range(BATCH // 4)]
        of_batch: dict[str, Any] = {"priority": self.draw.randrange(10), "after": after, "max_running": limit}
        self._jobs += order(self.arena, farm, f"batch {number}", SHORT, weights, **of_batch)
        self._jobs += order(self.arena, farm, f"long {number}", LONG, [5.0], ("a", "s"), priority=8)

    def _latest(self) -> list[str]:
        """The jobs that run, or else those that were asked for last, most of which are queued."""
        running = select(Job.id).where(Job.state == State.RUNNING, Job.id.in_(self._jobs))
        return [job_id for (job_id,) in self.arena.rows(running)] or self._jobs[-2 * BATCH :]

    def _steer(self, farm: Farm) -> None:
        """Something that users do, to one of the latest jobs; whether it is heard is not for us to know."""
        job_id, wish = self.whim.choice(self._latest()), self.whim.choice(WISHES)
        priority = self.whim.randrange(10)
        with contextlib.suppress(ServiceUnavailable):
            job = farm.find_job(job_id)
            runs = job.status().state is State.RUNNING
            # Written down before: where the answer gets lost, the farm may have heard all the same.
            self.arena.history.add("steered", job=job_id, wish=wish, runs=runs)
            if wish == "cancel":
                job.cancel()
            elif wish == "pause":
                self._paused.add(job_id)
                job.pause()
            elif wish == "resume":
                job.resume()
            else:
                job.reprioritise(priority)


class Poisoner(Companion):
    """Asks for a job that kills whatever process paints it, each minute another; stops when all have ended."""

    def __init__(self, farm: Arena, seconds: float) -> None:
        super().__init__("poisoner")
        self.arena = farm
        self.until = time.monotonic() + seconds
        self._jobs: list[str] = []

    def works(self) -> Sequence[Work]:
        return [self._poison]

    def _poison(self) -> None:
        due = time.monotonic()
        with Farm(self.arena.settings) as farm:
            while not self.over.wait(PAUSE_SECONDS):
                if due <= time.monotonic() < self.until:
                    due += POISON_EVERY_SECONDS
                    name = f"poison {len(self._jobs)}"
                    self._jobs += order(self.arena, farm, name, ENDLESS, [99.0], ("a", "s"), priority=9)
                    self.arena.history.add("poison", job=self._jobs[-1])
                self._kill()

    def _kill(self) -> None:
        which = (Job.state == State.RUNNING) & Job.id.in_(self._jobs)
        names = [name for (name,) in self.arena.rows(select(Job.worker).where(which))]
        # To look for processes costs far more than to ask the database.
        painters = [p.pid for worker in self.arena.workers.values() for p in worker.painters()] if names else []
        # A process's number is the last part but one of what a worker claims by.
        for pid in {int(name.split(":")[-2]) for name in names} & {*painters}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Operator(Companion):
    """Starts workers that have ended, as docker-compose does: one that finds a service away when it starts says so.

    And lets those that were benched take jobs again, as somebody does who has looked at them.
    """

    def __init__(self, farm: Arena) -> None:
        super().__init__("operator")
        self.arena = farm

    def works(self) -> Sequence[Work]:
        return [self._tend]

    def _tend(self) -> None:
        benched = select(Worker.name, Worker.reason).where(Worker.state == WorkerState.BENCHED)
        while not self.over.wait(TENDING_SECONDS):
            for worker in self.arena.workers.values():
                worker.start()
            for name, reason in self.arena.rows(benched):
                self.arena.history.add("benched", worker=name, reason=reason)
                insisting(partial(self.arena.truth.workers.put, name, WorkerState.ACTIVE, None))
