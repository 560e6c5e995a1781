"""Submissions of jobs and sweeps, which share the jobs that the farm has already, by their `spec_key`.

A sweep that asks for the same pictures under the same name is the same sweep, and its id the same. What another one
has asked for, and has not failed or been cancelled, is shared with it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import NewJob, Submission
from stylefarm.shared.db.states import FINAL, State
from stylefarm.shared.db.tables import JobRow, SharedCellRow, SweepRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.spec.kinds import AnySpec
from stylefarm.shared.store.bulk import insert_rows, is_any_of
from stylefarm.shared.store.exclusion import hold_off_deletions
from stylefarm.shared.store.insertion import NewRows, insert_jobs, new_rows
from stylefarm.shared.store.moves import CHUNK, Transactions, lock_in_order
from stylefarm.shared.store.transitions import retry

# States of jobs that will have no result unless a user retries them.
LOST = (State.FAILED, State.CANCELLED)
# Terms that the jobs of a sweep can be given while they wait: neither a hint nor another job depends on them.
CHANGEABLE = frozenset({"priority", "time_limit", "max_attempts"})
# Keys in one query.
KEYS = 10 * CHUNK


class Submissions(Transactions):
    """Writes of producers: new jobs and sweeps."""

    def create(self, jobs: Sequence[NewJob[AnySpec]]) -> list[str]:
        """Insert `jobs`, all or none; return their ids. They are queued, or wait for others. Raises NotFound."""
        entries = [new_rows(job, None, position) for position, job in enumerate(jobs)]
        with self._transaction() as session:
            insert_jobs(session, entries)
        return [entry.id for entry in entries]

    def create_sweep(
        self, name: str, axes: Mapping[str, Any], jobs: Sequence[NewJob], max_running: int | None = None
    ) -> tuple[str, list[str]]:
        """Insert a sweep and its `jobs` as `create` does; return the sweep's id and theirs.

        `max_running` is how many of them may run at a time.
        """
        sweep_id = str(uuid.uuid4())
        entries = [new_rows(job, sweep_id, position) for position, job in enumerate(jobs)]
        with self._transaction() as session:
            session.execute(insert(SweepRow).values(id=sweep_id, name=name, axes=dict(axes), max_running=max_running))
            insert_jobs(session, entries)
        return sweep_id, [entry.id for entry in entries]

    def submit_sweep(
        self,
        name: str,
        axes: Mapping[str, Any],
        jobs: Sequence[NewJob],
        max_running: int | None = None,
        *,
        force: bool = False,
        given: Collection[str] = (),
    ) -> Submission:
        """Queue those of `jobs`, the cells of a sweep, for which there is no job yet, all or none.

        Of a sweep of this name and these pictures that is there already, the jobs that failed or were cancelled are
        queued again, and those that are being cancelled are kept. It keeps its axes and terms, but for those of
        `CHANGEABLE` that the user has `given`, by their names, and for its limit if there is another. `force`, all are
        queued, and the sweep is a new one. Raises NotFound.
        """
        sweep_id = str(uuid.uuid4())
        entries = [new_rows(job, sweep_id, position) for position, job in enumerate(jobs)]
        key = _sweep_key(name, axes, [entry.job["spec_key"] for entry in entries])
        values = {"id": sweep_id, "name": name, "axes": dict(axes), "max_running": max_running, "key": key}
        with self._transaction() as session:
            # A job that is there already must still be there when a cell names it.
            hold_off_deletions(session)
            while True:
                if force:
                    session.execute(update(SweepRow).where(SweepRow.key == key).values(key=None))
                if _inserted(session, values):
                    ids, queued = _fill(session, sweep_id, entries, {} if force else _known(session, entries))
                    return Submission(sweep_id, ids, queued, new=True)
                # Another program that submits it at this moment has ended by now: the index made us wait for it. If it
                # did so with force, its sweep is another one than we have just met.
                held = select(SweepRow.id).where(SweepRow.key == key).with_for_update()
                found = None if force else session.scalars(held).one_or_none()
                if found is not None:
                    mended = _mend(session, found, entries)
                    _change_terms(session, found, max_running, entries[0], given)
                    return mended

    def open_sweep(self, key: str, name: str, max_running: int | None = None) -> str:
        """Return the id of the sweep of that key, created if there is none: one that grows by `extend_sweep`."""
        sweep_id = str(uuid.uuid4())
        values: dict[str, Any] = {"id": sweep_id, "name": name, "axes": {}, "max_running": max_running, "key": key}
        with self._transaction() as session:
            if _inserted(session, values):
                return sweep_id
            return session.scalars(select(SweepRow.id).where(SweepRow.key == key)).one()

    def extend_sweep(
        self, sweep_id: str, axes: Mapping[str, Any], jobs: Sequence[NewJob], *, seen: int | None = None
    ) -> Submission:
        """Append cells to a sweep, and set its axes; queue those of the jobs that do not exist yet.

        If it has not as many cells as were `seen`, nothing is done: another program has extended it meanwhile.
        Raises NotFound.
        """
        with self._transaction() as session:
            hold_off_deletions(session)
            held = select(SweepRow.id).where(SweepRow.id == sweep_id).with_for_update()
            if session.execute(held).first() is None:
                raise NotFound(f"there is no sweep {sweep_id}")
            if seen is not None and _cells(session, sweep_id) != seen:
                return Submission(sweep_id, (), frozenset(), new=False)
            session.execute(update(SweepRow).where(SweepRow.id == sweep_id).values(axes=dict(axes)))
            lasts = [
                select(func.max(kind.position)).where(kind.sweep_id == sweep_id) for kind in (JobRow, SharedCellRow)
            ]
            first = 1 + max((last for one in lasts if (last := session.scalars(one).one()) is not None), default=-1)
            entries = [new_rows(job, sweep_id, first + number) for number, job in enumerate(jobs)]
            ids, queued = _fill(session, sweep_id, entries, _known(session, entries))
            # Whoever looks at the sweep asks for what has changed since: a cell with an old job would not be told.
            _count_as_changed(session, sorted({*ids} - queued))
            return Submission(sweep_id, ids, queued, new=False)


def _cells(session: Session, sweep_id: str) -> int:
    """Return how many cells a sweep has."""
    kinds = (select(func.count()).where(kind.sweep_id == sweep_id) for kind in (JobRow, SharedCellRow))
    return sum(session.scalars(count).one() for count in kinds)


def _sweep_key(name: str, axes: Mapping[str, Any], keys: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([name, list(axes), keys]).encode()).hexdigest()


def _inserted(session: Session, values: Mapping[str, Any]) -> bool:
    """Insert a sweep, unless there is one of its key."""
    postgres = session.get_bind().dialect.name == "postgresql"
    statement: Any = postgresql.insert(SweepRow) if postgres else sqlite.insert(SweepRow)
    statement = statement.values(values).on_conflict_do_nothing(index_elements=["key"]).returning(SweepRow.id)
    return session.execute(statement).first() is not None


def _is_hopeful() -> ColumnElement[bool]:
    """Return whether a job has a result, or will have one if all goes well."""
    return JobRow.state.not_in(LOST) & (JobRow.cancel_requested.is_(False) | (JobRow.state == State.DONE))


def _known(session: Session, entries: Sequence[NewRows]) -> dict[str, str]:
    """Return the ids of the jobs that have, or will have, the results of these, by key; of several a done one."""
    keys = list({entry.job["spec_key"] for entry in entries})
    pending: dict[str, str] = {}
    done: dict[str, str] = {}
    for start in range(0, len(keys), KEYS):
        of_keys = is_any_of(session, cast("ColumnElement[str]", JobRow.spec_key), keys[start : start + KEYS])
        found = select(JobRow.spec_key, JobRow.id, JobRow.state).where(of_keys, _is_hopeful())
        for key, job_id, state in session.execute(found.order_by(JobRow.created_at.desc(), JobRow.id)).all():
            (done if state == State.DONE else pending)[key] = job_id
    return {**pending, **done}


def _fill(
    session: Session, sweep_id: str, entries: Sequence[NewRows], known: Mapping[str, str]
) -> tuple[list[str], frozenset[str]]:
    """Give each cell of a sweep the job that is known for it, or a new one: all their ids, and those of the new."""
    found, new, shared = dict(known), [], []
    for entry in entries:
        row = entry.job
        job_id = found.setdefault(row["spec_key"], entry.id)
        if job_id == entry.id:
            new.append(entry._replace(job={**row, "sweep_id": sweep_id}))
        else:
            cell = {"sweep_id": sweep_id, "position": row["position"], "cell": row["cell"], "job_id": job_id}
            shared.append(cell)
    insert_jobs(session, new)
    insert_rows(session, cast("Table", SharedCellRow.__table__), shared)
    ids = [found[entry.job["spec_key"]] for entry in entries]
    return ids, frozenset(entry.id for entry in new)


def _mend(session: Session, sweep_id: str, entries: Sequence[NewRows]) -> Submission:
    """Queue the lost jobs of an existing sweep again, and those whose jobs were deleted."""
    # First: what stops before, or meanwhile, is seen to be lost.
    _keep(session, sweep_id)
    own = select(JobRow.position, JobRow.id, JobRow.state).where(JobRow.sweep_id == sweep_id)
    jobs = session.execute(own).all()
    lost = sorted(job_id for _, job_id, state in jobs if state in LOST)
    for start in range(0, len(lost), CHUNK):
        which = JobRow.id.in_(lost[start : start + CHUNK])
        session.execute(lock_in_order(select(JobRow.id).where(which)))
        retry(session, which, LOST, "asked for again", from_checkpoint=False)
    # After the jobs, since one of them may be in two cells.
    others = select(SharedCellRow.position, JobRow.id, ~_is_hopeful()).join(JobRow, JobRow.id == SharedCellRow.job_id)
    shared = session.execute(others.where(SharedCellRow.sweep_id == sweep_id)).all()
    ids = {place: job_id for place, job_id, _ in (*jobs, *shared)}
    replaced = {place for place, _, is_lost in shared if is_lost}
    _drop(session, sweep_id, sorted(replaced))
    gone = [entry for place, entry in enumerate(entries) if place in replaced or place not in ids]
    places = [entry.job["position"] for entry in gone]
    filled, queued = _fill(session, sweep_id, gone, _known(session, gone))
    ids.update(zip(places, filled, strict=True))
    return Submission(sweep_id, [ids[place] for place in range(len(entries))], queued | frozenset(lost), new=False)


def _change_terms(
    session: Session, sweep_id: str, max_running: int | None, entry: NewRows, given: Collection[str]
) -> None:
    """Set the limit of a sweep, and the given terms of those of its own jobs that have not ended."""
    if max_running is not None:
        session.execute(update(SweepRow).where(SweepRow.id == sweep_id).values(max_running=max_running))
    changes = {name: entry.job[name] for name in CHANGEABLE.intersection(given)}
    if changes:
        unfinished = (JobRow.sweep_id == sweep_id) & JobRow.state.not_in(FINAL)
        session.execute(lock_in_order(select(JobRow.id).where(unfinished)))
        statement = update(JobRow).where(unfinished).values(**changes, updated_at=now())
        session.execute(statement, execution_options={"synchronize_session": False})


def _keep(session: Session, sweep_id: str) -> None:
    """Withdraw the requests to cancel jobs of a sweep that still run."""
    asked = (JobRow.sweep_id == sweep_id) & (JobRow.state == State.RUNNING) & JobRow.cancel_requested.is_(True)
    session.execute(lock_in_order(select(JobRow.id).where(asked)))
    session.execute(
        update(JobRow).where(asked).values(cancel_requested=False), execution_options={"synchronize_session": False}
    )


def _count_as_changed(session: Session, jobs: Sequence[str]) -> None:
    for start in range(0, len(jobs), CHUNK):
        these = JobRow.id.in_(jobs[start : start + CHUNK])
        session.execute(lock_in_order(select(JobRow.id).where(these)))
        statement = update(JobRow).where(these).values(updated_at=now())
        session.execute(statement, execution_options={"synchronize_session": False})


def _drop(session: Session, sweep_id: str, places: Sequence[int]) -> None:
    for start in range(0, len(places), CHUNK):
        of_these = SharedCellRow.position.in_(places[start : start + CHUNK])
        session.execute(delete(SharedCellRow).where(SharedCellRow.sweep_id == sweep_id, of_these))
