"""The slots of a worker in the farm's list of workers: they report there, and learn whether to take jobs."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.dispatch.workers import NewWorker, WorkerRegistry
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.supervisor import Supervisor

RESTARTED = "its worker ended without a word, and was started again"


def full_name(name: str) -> str:
    """Return what a slot's process is called in the whole farm, by Celery and in the list of workers."""
    return f"{name}@{socket.gethostname()}"


class Registration:
    """The slots of one supervisor, by their names on this machine."""

    def __init__(self, workers: WorkerRegistry, slots: Mapping[str, NewWorker], supervisor: Supervisor) -> None:
        self.workers = workers
        self.slots = slots
        self.supervisor = supervisor
        self._enlisted = False

    def call(self) -> None:
        """Report that the slots are alive, and stop those that are drained or benched. Raises ServiceUnavailable."""
        if not self._enlisted:
            left_behind = self.workers.register(list(self.slots.values()))
            self.supervisor.inherited = {
                slot: RESTARTED for slot, worker in self.slots.items() if worker.name in left_behind
            }
            self._enlisted = True
        troubles = self.supervisor.tick.troubles
        states = self.workers.report_alive({worker.name: troubles.get(slot) for slot, worker in self.slots.items()})
        # A worker that a user removed from the list goes on.
        known = {slot: states[worker.name] for slot, worker in self.slots.items() if worker.name in states}
        self.supervisor.resting = {slot: state for slot, state in known.items() if state is not WorkerState.ACTIVE}

    def leave(self) -> None:
        """Remove the slots from the list; where the database is unavailable, they are listed as silent."""
        try:
            self.workers.unregister([slot.name for slot in self.slots.values()])
        except ServiceUnavailable:
            return
