"""Users of the farm during a run: they submit jobs, submit jobs that kill a worker, and cancel, pause and retry."""

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
from stylefarm.shared.db.tables import JobRow, WorkerRow
from stylefarm.shared.errors import ServiceUnavailable
from tests.faults.background_tasks import BackgroundTasks, Work
from tests.faults.environment import PAUSE_SECONDS, Environment, retry_until_answered
from tests.faults.submissions import ENDLESS, LONG, SHORT, submit, train

BATCH = 24
# Batches from one training to the next.
TRAIN_EVERY = 2
COMMAND_SECONDS = 1.0
COMMANDS = ("cancel", "pause", "resume", "reprioritize")
POISON_EVERY_SECONDS = 60.0
RESTART_SECONDS = 1.0


class LoadGenerator(BackgroundTasks):
    """Submits many short jobs and a few long ones over a time, and sends commands to some of them.

    Afterwards nothing that it paused is paused.
    """

    def __init__(self, farm: Environment, seed: int, jobs: int, seconds: float) -> None:
        super().__init__("load generator")
        self.environment = farm
        self.draw = random.Random(f"{seed} load")
        self.command_draw = random.Random(f"{seed} commands")
        self.batches = max(1, round(jobs / BATCH))
        self.pace = seconds / self.batches
        self._jobs: list[str] = []
        self._paused: set[str] = set()

    def works(self) -> Sequence[Work]:
        return [self._submit_batches, self._send_commands]

    def _submit_batches(self) -> None:
        due = time.monotonic()
        with Farm(self.environment.settings) as farm:
            for number in range(self.batches):
                self._submit(farm, number)
                due += self.pace
                self.over.wait(max(0.0, due - time.monotonic()))

    def _send_commands(self) -> None:
        with Farm(self.environment.settings) as farm:
            while not self.over.wait(COMMAND_SECONDS):
                if self._jobs:
                    self._send_command(farm)
        with Farm(self.environment.direct) as farm:
            for job_id in self._paused:
                retry_until_answered(farm.find_job(job_id).resume)

    def _submit(self, farm: Farm, number: int) -> None:
        """Submit a batch; some wait for a job, and of some only two jobs may run at a time."""
        after = [self.draw.choice(self._jobs)] if number % 4 == 1 else []
        limit = 2 if number % 4 == 2 else None
        weights = [1.0 + step for step in range(BATCH // 4)]
        of_batch: dict[str, Any] = {"priority": self.draw.randrange(10), "after": after, "max_running": limit}
        self._jobs += submit(self.environment, farm, f"batch {number}", SHORT, weights, **of_batch)
        self._jobs += submit(self.environment, farm, f"long {number}", LONG, [5.0], ("a", "s"), priority=8)
        if number % TRAIN_EVERY == 0:
            self._jobs += train(self.environment, farm, f"model-{number}")

    def _latest(self) -> list[str]:
        """Return the running jobs, or else the newest ones, most of which are queued."""
        running = select(JobRow.id).where(JobRow.state == State.RUNNING, JobRow.id.in_(self._jobs))
        return [job_id for (job_id,) in self.environment.rows(running)] or self._jobs[-2 * BATCH :]

    def _send_command(self, farm: Farm) -> None:
        """Send a random command to one of the latest jobs; the answer may get lost."""
        job_id, command = self.command_draw.choice(self._latest()), self.command_draw.choice(COMMANDS)
        priority = self.command_draw.randrange(10)
        with contextlib.suppress(ServiceUnavailable):
            job = farm.find_job(job_id)
            runs = job.status().state is State.RUNNING
            # Recorded first: the command may have arrived even if the answer is lost.
            self.environment.history.add("command", job=job_id, command=command, runs=runs)
            if command == "cancel":
                job.cancel()
            elif command == "pause":
                self._paused.add(job_id)
                job.pause()
            elif command == "resume":
                job.resume()
            else:
                job.reprioritize(priority)


class PoisonSubmitter(BackgroundTasks):
    """Submits a job that kills the process that renders it, once a minute, and kills these processes."""

    def __init__(self, farm: Environment, seconds: float) -> None:
        super().__init__("poisoner")
        self.environment = farm
        self.until = time.monotonic() + seconds
        self._jobs: list[str] = []

    def works(self) -> Sequence[Work]:
        return [self._submit_poison]

    def _submit_poison(self) -> None:
        due = time.monotonic()
        with Farm(self.environment.settings) as farm:
            while not self.over.wait(PAUSE_SECONDS):
                if due <= time.monotonic() < self.until:
                    due += POISON_EVERY_SECONDS
                    name = f"poison {len(self._jobs)}"
                    self._jobs += submit(self.environment, farm, name, ENDLESS, [99.0], ("a", "s"), priority=9)
                    self.environment.history.add("poison", job=self._jobs[-1])
                self._kill()

    def _kill(self) -> None:
        which = (JobRow.state == State.RUNNING) & JobRow.id.in_(self._jobs)
        names = [name for (name,) in self.environment.rows(select(JobRow.worker).where(which))]
        # Listing processes costs far more than a query.
        renderers = [p.pid for worker in self.environment.workers.values() for p in worker.renderers()] if names else []
        # The last part but one of a worker's name is the id of its process.
        for pid in {int(name.split(":")[-2]) for name in names} & {*renderers}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class WorkerOperator(BackgroundTasks):
    """Starts workers that have ended, as docker-compose does: one that finds a service away when it starts says so.

    It also unbenches those that were benched, as a user does.
    """

    def __init__(self, farm: Environment) -> None:
        super().__init__("operator")
        self.environment = farm

    def works(self) -> Sequence[Work]:
        return [self._restart]

    def _restart(self) -> None:
        benched = select(WorkerRow.name, WorkerRow.reason).where(WorkerRow.state == WorkerState.BENCHED)
        while not self.over.wait(RESTART_SECONDS):
            for worker in self.environment.workers.values():
                worker.start()
            for name, reason in self.environment.rows(benched):
                self.environment.history.add("benched", worker=name, reason=reason)
                retry_until_answered(partial(self.environment.truth.workers.set_state, name, WorkerState.ACTIVE, None))
