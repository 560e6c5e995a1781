"""The registry of workers: which there are, whether they take jobs, and which jobs each runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, insert, literal, select, update

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import State, WorkerState
from stylefarm.shared.db.tables import AttemptRow, JobRow, WorkerRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.schema.documents import WorkerDocument
from stylefarm.shared.store.moves import Transactions
from stylefarm.shared.store.prepared_statements import slot_of, takes_jobs

# Workers report every few seconds; one that has not for so long is gone, or cannot reach the database.
SILENT_SECONDS = 30.0

# What a worker's state is called beside those that its row has.
SILENT, FAILING = "silent", "failing"

# The time over which what a worker has done is counted.
COUNTED_SECONDS = 3600.0

# Workers that have not reported for so long are not listed any more.
FORGET_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class NewWorker:
    """A slot to register: its name, unique in the farm, and the queues that it takes jobs from."""

    name: str
    host: str
    device: str
    queues: Sequence[str] = ()
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class WorkerStatus:
    """A worker, the jobs that it runs, the seconds since it last reported, and the jobs done in the last hour."""

    worker: WorkerRow
    job_ids: Sequence[str]
    silent_for: float
    done_last_hour: int

    @property
    def state(self) -> str:
        """Its state in a word: a silent one may be gone, a failing one is started again and again."""
        if self.silent_for > SILENT_SECONDS:
            return SILENT
        return FAILING if self.worker.state == WorkerState.ACTIVE and self.worker.trouble else str(self.worker.state)

    @property
    def reason(self) -> str | None:
        """Why it is in that state."""
        return self.worker.trouble if self.state == FAILING else self.worker.reason

    def document(self) -> WorkerDocument:
        """Return the worker as JSON."""
        row = self.worker
        return {
            "name": row.name,
            "host": row.host,
            "device": row.device,
            "queues": row.queues,
            "labels": row.labels,
            "state": self.state,
            "reason": self.reason,
            "failures": row.failures,
            "jobs": list(self.job_ids),
            "done_last_hour": self.done_last_hour,
            "started_at": row.started_at.isoformat(),
            "seen_at": row.seen_at.isoformat(),
        }


class WorkerRegistry(Transactions):
    """The table of workers. Raises ServiceUnavailable and NotMigrated."""

    def register(self, workers: Sequence[NewWorker]) -> set[str]:
        """Register slots that start; a benched one stays benched.

        Returns:
            The names of those that were reported alive a moment ago: the worker before has ended without a word.
        """
        with self._transaction() as session:
            names = [worker.name for worker in workers]
            alive = select(WorkerRow.name).where(WorkerRow.name.in_(names), WorkerRow.seen_at > now(-SILENT_SECONDS))
            left_behind = set(session.scalars(alive))
            session.execute(
                delete(WorkerRow).where(WorkerRow.seen_at < now(-FORGET_SECONDS), WorkerRow.name.not_in(names))
            )
            session.execute(delete(WorkerRow).where(WorkerRow.name.in_(names), WorkerRow.state != WorkerState.BENCHED))
            benched = set(session.scalars(select(WorkerRow.name).where(WorkerRow.name.in_(names))))
            rows = [
                {**vars(worker), "queues": list(worker.queues), "labels": list(worker.labels)}
                for worker in workers
                if worker.name not in benched
            ]
            if rows:
                session.execute(insert(WorkerRow), rows)
            return left_behind

    def report_alive(self, troubles: Mapping[str, str | None]) -> dict[str, WorkerState]:
        """Report that these are alive, each with what is wrong with it, and return whether they may take jobs."""
        trouble = case(dict(troubles), value=WorkerRow.name, else_=None) if any(troubles.values()) else None
        seen = update(WorkerRow).where(WorkerRow.name.in_(troubles)).values(seen_at=now(), trouble=trouble)
        with self._transaction() as session:
            found = session.execute(seen.returning(WorkerRow.name, WorkerRow.state)).all()
        return {name: WorkerState(state) for name, state in found}

    def unregister(self, names: Sequence[str]) -> None:
        """Remove slots that have ended from the list; a benched one stays on it."""
        ended = delete(WorkerRow).where(WorkerRow.name.in_(names), WorkerRow.state != WorkerState.BENCHED)
        with self._transaction() as session:
            session.execute(ended)

    def set_state(self, name: str, state: WorkerState, reason: str | None) -> None:
        """Let a worker take jobs, or keep it from doing so. Raises NotFound."""
        values: dict[str, Any] = {"state": state, "reason": reason, "failures": 0}
        with self._transaction() as session:
            found = session.execute(
                update(WorkerRow).where(WorkerRow.name == name).values(values).returning(WorkerRow.name)
            )
            if found.first() is None:
                raise NotFound(f"no worker is called {name}: `stylefarm worker list` names them all")

    def takes_jobs(self, worker: str) -> bool:
        """Return whether a worker, by the name it claims by, may claim jobs."""
        with self._transaction() as session:
            return bool(session.execute(select(takes_jobs(literal(slot_of(worker))))).scalar_one())

    def listed(self) -> list[WorkerStatus]:
        """Return all workers by name, each with the jobs it runs, and how many it has done of late."""
        with self._transaction() as session:
            rows = session.execute(select(WorkerRow, now()).order_by(WorkerRow.name)).all()
            running = (
                select(JobRow.worker, JobRow.id)
                .where(JobRow.state == State.RUNNING)
                .order_by(JobRow.started_at, JobRow.position)
            )
            jobs: Mapping[str, list[str]] = defaultdict(list)
            for worker, job_id in session.execute(running):
                jobs[slot_of(worker or "")].append(job_id)
            ended = (AttemptRow.ended_at >= now(-COUNTED_SECONDS)) & (AttemptRow.outcome == State.DONE)
            done: Counter[str] = Counter()
            for worker, count in session.execute(
                select(AttemptRow.worker, func.count()).where(ended).group_by(AttemptRow.worker)
            ):
                done[slot_of(worker)] += count
        return [
            WorkerStatus(worker, jobs[worker.name], (read_at - worker.seen_at).total_seconds(), done[worker.name])
            for worker, read_at in rows
        ]
