"""Deletions of jobs and sweeps: what nobody needs any more goes, and what others share or wait for stays.

The rows go in one transaction, which also writes down what the jobs have named in the object store (`dropped_objects`);
`stylefarm.shared.dispatch.dropped` deletes it then, or later if this process does not get to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, delete, exists, false, func, select, update
from sqlalchemy.orm import Session, aliased

from stylefarm.shared.db.cells import picture_names
from stylefarm.shared.db.records import Deletion
from stylefarm.shared.db.review_tables import RatingRow
from stylefarm.shared.db.states import FINAL, ArtifactRole, State
from stylefarm.shared.db.tables import ArtifactRow, DependencyRow, JobRequestRow, JobRow, SharedCellRow, SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.images.thumbnails import thumbnail_keys
from stylefarm.shared.store.exclusion import hold_off_submissions
from stylefarm.shared.store.moves import CHUNK, Transactions
from stylefarm.shared.store.object_names import drop, keys_in

Child = aliased(JobRow)


class Deletions(Transactions):
    """Deletes rows of jobs and sweeps. A job that runs is never deleted: it must be cancelled, and have stopped."""

    def delete(self, jobs: Sequence[str] = (), sweeps: Sequence[str] = ()) -> Deletion:
        """Delete jobs, and sweeps with their jobs, all or none; these are whole ids.

        A job of a sweep that another sweep shares is kept: it is then that sweep's own, the oldest one's of several.

        Raises:
            NotFound: one of them is not there.
            InvalidRequest: one of the jobs runs, or another job waits for it.
        """
        with self._transaction() as session:
            hold_off_submissions(session)
            _hold_sweeps(session, sweeps)
            states = _held(session, _ids(session, jobs, sweeps))
            missing = [job_id for job_id in jobs if job_id not in states]
            if missing:
                raise NotFound(f"there is no job {missing[0]}")
            kept = _hand_over(session, sweeps, but_not=jobs)
            doomed = [job_id for job_id in states if job_id not in kept]
            _refuse_running([job_id for job_id in doomed if states[job_id] == State.RUNNING])
            _refuse_awaited(session, doomed)
            done = _delete_jobs(session, doomed)
            for start in range(0, len(sweeps), CHUNK):
                session.execute(delete(SweepRow).where(SweepRow.id.in_(sweeps[start : start + CHUNK])))
            return Deletion(sweeps=len(set(sweeps)), jobs=len(doomed), kept=len(kept), **done)

    def prune(self, before: datetime, *, keep_picks: bool = False) -> Deletion:
        """Delete what has been over since before a moment, some of it at a time.

        That is: sweeps of which each job had ended by then, and jobs of no sweep that had; what a younger sweep shares,
        and what another job still waits for, is kept. `keep_picks`, so are jobs that somebody has picked, with their
        sweeps.
        """
        total, spared = Deletion(), _is_picked() if keep_picks else false()
        for sweep_id in self._found(_old_sweeps(before)):
            total += self._prune_sweep(sweep_id, before, spared)
        unshared = ~exists().where(SharedCellRow.job_id == JobRow.id) & ~spared
        while (some := self._prune_jobs(_old_jobs(before, unshared).limit(CHUNK))).jobs:
            total += some
        return total

    def prunable(self, before: datetime, *, keep_picks: bool = False) -> tuple[Deletion, list[str]]:
        """Return what `prune` would delete now, and the ids of the jobs in it."""
        spared = _is_picked() if keep_picks else false()
        old = _old_sweeps(before).order_by(None)
        younger = exists().where(SharedCellRow.job_id == JobRow.id, SharedCellRow.sweep_id.not_in(old))
        of_old = select(JobRow.id).where(JobRow.sweep_id.in_(old))
        with_picks = exists().where(JobRow.sweep_id == SweepRow.id, spared)
        sweeps, kept = self._found(old.where(~with_picks)), self._found(of_old.where(younger))
        jobs = self._found(of_old.where(~younger, ~spared)) + self._found(_old_jobs(before, ~younger & ~spared))
        with self._transaction() as session:
            return Deletion(len(sweeps), len(jobs), len(kept), **_stored(session, jobs)), jobs

    def _found(self, statement: Select[str]) -> list[str]:
        with self._transaction() as session:
            return list(session.scalars(statement))

    def _prune_sweep(self, sweep_id: str, before: datetime, spared: ColumnElement[bool]) -> Deletion:
        own = select(JobRow.id).where(JobRow.sweep_id == sweep_id, ~spared)
        is_empty = ~exists().where(JobRow.sweep_id == SweepRow.id)
        gone = 0
        total, left = Deletion(), True
        while left:
            with self._transaction() as session:
                hold_off_submissions(session)
                # It may have been submitted again since it was found to be old.
                is_old = session.scalars(_old_sweeps(before).where(SweepRow.id == sweep_id).with_for_update()).first()
                if is_old is None:
                    return total
                kept = _hand_over(session, [sweep_id])
                states = _held(session, list(session.scalars(own.limit(CHUNK))))
                if any(state not in FINAL for state in states.values()):
                    return total
                total += Deletion(jobs=len(states), kept=len(kept), **_delete_jobs(session, list(states)))
                left = len(states) == CHUNK
                if not left:
                    emptied = delete(SweepRow).where(SweepRow.id == sweep_id, is_empty).returning(SweepRow.id)
                    gone = len(session.scalars(emptied).all())
        return total + Deletion(sweeps=gone)

    def _prune_jobs(self, old: Select[str]) -> Deletion:
        with self._transaction() as session:
            hold_off_submissions(session)
            states = _held(session, list(session.scalars(old)))
            doomed = [job_id for job_id, state in states.items() if state in FINAL]
            return Deletion(jobs=len(doomed), **_delete_jobs(session, doomed))


def _old_sweeps(before: datetime) -> Select[str]:
    """Return the sweeps that were over by then: each of their jobs, own or shared, has ended, and none is awaited."""
    ended = JobRow.state.in_(sorted(FINAL)) & JobRow.finished_at.is_not(None) & (JobRow.finished_at < before)
    lasting = ~ended | _is_awaited()
    own = exists().where(JobRow.sweep_id == SweepRow.id, lasting)
    shared = exists().where(SharedCellRow.sweep_id == SweepRow.id, SharedCellRow.job_id == JobRow.id, lasting)
    return select(SweepRow.id).where(SweepRow.created_at < before, ~own, ~shared).order_by(SweepRow.created_at)


def _old_jobs(before: datetime, unshared: ColumnElement[bool]) -> Select[str]:
    """Return the jobs that are no sweep's own, had ended by then, that nobody waits for, and that are `unshared`."""
    over = JobRow.sweep_id.is_(None) & JobRow.state.in_(sorted(FINAL)) & (JobRow.finished_at < before)
    return select(JobRow.id).where(over, unshared, ~_is_awaited()).order_by(JobRow.finished_at)


def _is_picked() -> ColumnElement[bool]:
    """Return whether somebody has picked the picture of a job."""
    return exists().where(RatingRow.job_id == JobRow.id, RatingRow.flag == "pick")


def _is_awaited() -> ColumnElement[bool]:
    """Return whether a job that has not ended waits for this one, which is not done."""
    of_child = (DependencyRow.parent_id == JobRow.id) & (DependencyRow.job_id == Child.id)
    return (JobRow.state != State.DONE) & exists().where(of_child, Child.state.not_in(sorted(FINAL)))


def _hold_sweeps(session: Session, sweeps: Sequence[str]) -> None:
    """Lock the sweeps, before their jobs as claims do. Raises NotFound."""
    found: set[str] = set()
    ordered = sorted(set(sweeps))
    for start in range(0, len(ordered), CHUNK):
        these = select(SweepRow.id).where(SweepRow.id.in_(ordered[start : start + CHUNK]))
        found.update(session.scalars(these.order_by(SweepRow.id).with_for_update()))
    missing = [sweep_id for sweep_id in ordered if sweep_id not in found]
    if missing:
        raise NotFound(f"there is no sweep {missing[0]}")


def _ids(session: Session, jobs: Sequence[str], sweeps: Sequence[str]) -> list[str]:
    """Return the ids of those jobs that are there, and of the sweeps' own, in the order in which jobs are locked."""
    found: set[tuple[datetime, str]] = set()
    for column, names in ((JobRow.id, jobs), (JobRow.sweep_id, sweeps)):
        for start in range(0, len(names), CHUNK):
            these = select(JobRow.created_at, JobRow.id).where(column.in_(names[start : start + CHUNK]))
            found.update((created_at, job_id) for created_at, job_id in session.execute(these))
    return [job_id for _, job_id in sorted(found)]


def _held(session: Session, ids: Sequence[str]) -> dict[str, State]:
    """Lock jobs against everybody, and return their states; what was deleted meanwhile is left out."""
    states: dict[str, State] = {}
    for start in range(0, len(ids), CHUNK):
        these = select(JobRow.id, JobRow.state).where(JobRow.id.in_(ids[start : start + CHUNK]))
        # In the order of `lock_in_order`; no other row may come to refer to one of them, either.
        ordered = these.order_by(JobRow.created_at, JobRow.id).with_for_update()
        states.update((job_id, state) for job_id, state in session.execute(ordered))
    return states


def _hand_over(session: Session, sweeps: Sequence[str], but_not: Sequence[str] = ()) -> set[str]:
    """Give the jobs of these sweeps that others share to the oldest of the others; return their ids."""
    columns = (SharedCellRow.job_id, SharedCellRow.sweep_id, SharedCellRow.position, SharedCellRow.cell)
    cells = (
        select(*columns)
        .join(JobRow, JobRow.id == SharedCellRow.job_id)
        .join(SweepRow, SweepRow.id == SharedCellRow.sweep_id)
        .where(JobRow.sweep_id.in_(sweeps), SharedCellRow.sweep_id.not_in(sweeps))
        .order_by(SweepRow.created_at, SweepRow.id, SharedCellRow.position)
    )
    spared = set(but_not)
    first: dict[str, tuple[str, int, Mapping[str, Any]]] = {}
    for job_id, *place in session.execute(cells):
        if job_id not in spared:
            first.setdefault(job_id, (place[0], place[1], place[2]))
    _held(session, _ids(session, list(first), ()))
    # What a cell calls its pictures differs from cell to cell, and so do the columns that change.
    for job_id, (sweep_id, position, cell) in first.items():
        values = {"sweep_id": sweep_id, "position": position, "cell": cell, **picture_names(cell)}
        session.execute(update(JobRow).where(JobRow.id == job_id).values(values))
        this = (SharedCellRow.sweep_id == sweep_id) & (SharedCellRow.position == position)
        session.execute(delete(SharedCellRow).where(this))
    return set(first)


def _refuse_running(running: Sequence[str]) -> None:
    if running:
        others = f", and so are {len(running) - 1} others" if len(running) > 1 else ""
        raise InvalidRequest(
            f"job {running[0]} is running{others}: cancel it first, and delete it when it has stopped, which takes no"
            " longer than a heartbeat"
        )


def _refuse_awaited(session: Session, doomed: Sequence[str]) -> None:
    going = set(doomed)
    waiting = select(JobRow.id, Child.id).join(DependencyRow, DependencyRow.parent_id == JobRow.id)
    waiting = waiting.join(Child, Child.id == DependencyRow.job_id)
    for start in range(0, len(doomed), CHUNK):
        these = JobRow.id.in_(doomed[start : start + CHUNK])
        pending = waiting.where(these, JobRow.state != State.DONE, Child.state.not_in(sorted(FINAL)))
        for parent, child in session.execute(pending):
            if child not in going:
                raise InvalidRequest(f"job {child} waits for job {parent}: cancel it first, or delete it, too")


def _delete_jobs(session: Session, doomed: Sequence[str]) -> dict[str, int]:
    """Delete jobs with all that is theirs; return how many objects they had, and their bytes."""
    stored = _stored(session, doomed)
    for start in range(0, len(doomed), CHUNK):
        some = doomed[start : start + CHUNK]
        specs = select(cast(JobRequestRow.spec, Text)).where(JobRequestRow.job_id.in_(some))
        drop(session, {key for spec in session.scalars(specs) for key in keys_in(spec)})
        drop(session, {f"jobs/{job_id}/" for job_id in some})
        drop(session, thumbnail_keys(list(session.scalars(_pictures(some)))))
        session.execute(delete(JobRow).where(JobRow.id.in_(some)), execution_options={"synchronize_session": False})
    return stored


def _pictures(jobs: Sequence[str]) -> Select[str]:
    roles = (ArtifactRole.RESULT, ArtifactRole.SNAPSHOT)
    return select(ArtifactRow.sha256).where(ArtifactRow.job_id.in_(jobs), ArtifactRow.role.in_(roles))


def _stored(session: Session, jobs: Sequence[str]) -> dict[str, int]:
    objects = size = 0
    for start in range(0, len(jobs), CHUNK):
        of_jobs = ArtifactRow.job_id.in_(jobs[start : start + CHUNK])
        count, total = session.execute(select(func.count(), func.sum(ArtifactRow.bytes)).where(of_jobs)).one()
        objects, size = objects + count, size + int(total or 0)
    return {"objects": objects, "bytes": size}
