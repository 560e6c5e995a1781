"""Jobs that wait for others: released when all of these are done, failed when one of them never will be."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import Move, State
from stylefarm.shared.db.tables import DependencyRow, JobRow
from stylefarm.shared.store.moves import CHUNK, lock_in_order, move, move_all
from stylefarm.shared.store.prepared_statements import add_event

Parent = aliased(JobRow)


def has_parents() -> ColumnElement[bool]:
    """Return whether a job was to wait for others, in whatever state these are."""
    return exists().where(DependencyRow.job_id == JobRow.id)


def settle_children(session: Session, ids: Sequence[str]) -> None:
    """Release or fail the jobs that wait for these, which have just ended."""
    while ids:
        children: set[str] = set()
        for start in range(0, len(ids), CHUNK):
            of_these = DependencyRow.parent_id.in_(ids[start : start + CHUNK])
            children.update(session.scalars(select(DependencyRow.job_id).where(of_these)))
        ids = []
        ordered = sorted(children)
        for start in range(0, len(ordered), CHUNK):
            ids += _settle(session, JobRow.id.in_(ordered[start : start + CHUNK]))


def settle(session: Session, which: ColumnElement[bool]) -> None:
    """Release those of the jobs whose parents are all done, and fail those with a parent that never will be."""
    settle_children(session, _settle(session, which))


def _settle(session: Session, which: ColumnElement[bool]) -> list[str]:
    """Settle these jobs alone; return those that have failed."""
    # Locked first: of two parents that finish at the same time, the second then sees that the first one is done.
    session.execute(lock_in_order(select(JobRow.id).where(which, JobRow.state == State.WAITING)))
    move_all(session, Move.READY, which & ~_waits(), {}, "all that it waited for is done")
    in_vain = (
        select(JobRow.id, Parent)
        .join(DependencyRow, DependencyRow.job_id == JobRow.id)
        .join(Parent, Parent.id == DependencyRow.parent_id)
        .where(which, JobRow.state == State.WAITING, Parent.state.in_([State.FAILED, State.CANCELLED]))
    )
    broken: dict[str, JobRow] = {child: parent for child, parent in session.execute(in_vain).all()}  # noqa: C416
    for child, parent in broken.items():
        _abandon(session, child, parent)
    return list(broken)


def _abandon(session: Session, child: str, parent: JobRow) -> None:
    why = f"job {parent.id}, which it waited for, {_ended(parent)}"
    values = {"error": why, "error_class": "parent", "finished_at": now()}
    job = move(session, Move.ABANDON, JobRow.id == child, values)
    if job is not None:
        add_event(session, job, why)


def _ended(parent: JobRow) -> str:
    return "was cancelled" if parent.state == State.CANCELLED else f"failed: {parent.error}"


def _waits() -> ColumnElement[bool]:
    of_job = (DependencyRow.job_id == JobRow.id) & (DependencyRow.parent_id == Parent.id)
    return exists().where(of_job, Parent.state != State.DONE)
