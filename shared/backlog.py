"""The queued jobs, the most urgent first: what is to be announced."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, Select, select

from shared.queries import CHUNK, Reading
from shared.routes import HIGHEST, LOWEST, Hint, queue_name
from shared.states import State
from shared.tables import Job

Route = tuple[str, str]


class Backlog(Reading):
    """Asks for the jobs that a worker could claim now. Raises ServiceUnavailable and NotMigrated."""

    def hints_of(self, ids: Sequence[str]) -> list[Hint]:
        """Hints for those of the jobs that can be claimed, in the order of the ids."""
        found: dict[str, Hint] = {}
        with self._reading() as session:
            for start in range(0, len(ids), CHUNK):
                rows = session.execute(_claimable().where(Job.id.in_(ids[start : start + CHUNK]))).all()
                found.update((hint.job_id, hint) for hint in map(_hint, rows))
        return [found[job_id] for job_id in ids if job_id in found]

    def routes(self) -> list[Route]:
        """Device and label of the queues that have jobs in them."""
        with self._reading() as session:
            rows = session.execute(select(Job.device, Job.label).where(Job.state == State.QUEUED).distinct()).all()
        return [(device, label) for device, label in rows]

    def most_urgent(self, route: Route, count: int) -> list[Hint]:
        """The jobs of one queue that are to be claimed next, at most so many: by priority, then by age."""
        hints: list[Hint] = []
        of_route = _claimable().where(Job.device == route[0], Job.label == route[1])
        with self._reading() as session:
            # One question for each priority: an index then gives the jobs in their order, without sorting a backlog.
            for priority in range(HIGHEST, LOWEST - 1, -1):
                if len(hints) < count:
                    in_order = of_route.where(Job.priority == priority).order_by(Job.created_at, Job.position)
                    hints.extend(map(_hint, session.execute(in_order.limit(count - len(hints))).all()))
        return hints


def _claimable() -> Select[str, str, str, int]:
    return select(Job.id, Job.device, Job.label, Job.priority).where(Job.state == State.QUEUED)


def _hint(row: Row[str, str, str, int]) -> Hint:
    job_id, device, label, priority = row
    return Hint(job_id, queue_name(device, label), priority)
