"""Changes to tags and notes, which move no job."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update

from stylefarm.shared.db.tables import JobRequestRow, SweepRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.spec.marks import Marks, parse_tags
from stylefarm.shared.store.moves import Transactions


class MarkChanges(Transactions):
    """Writes tags and notes of jobs and sweeps."""

    def of_job(
        self, job_id: str, add: Collection[str] = (), remove: Collection[str] = (), note: str | None = None
    ) -> Marks:
        """Add tags to a job, then remove some, and set its note if one is given; an empty one removes it.

        Returns what it has then. Raises NotFound; InvalidSpec for too many.
        """
        return self._change(JobRequestRow, JobRequestRow.job_id, ("job", job_id), add, remove, note)

    def of_sweep(
        self, sweep_id: str, add: Collection[str] = (), remove: Collection[str] = (), note: str | None = None
    ) -> Marks:
        """Do the same with a sweep."""
        return self._change(SweepRow, SweepRow.id, ("sweep", sweep_id), add, remove, note)

    def link(self, sweep_id: str, parent_id: str) -> None:
        """Write down from which sweep another one was made, unless that is known already."""
        unlinked = (SweepRow.id == sweep_id) & SweepRow.parent_id.is_(None) & (SweepRow.id != parent_id)
        with self._transaction() as session:
            session.execute(update(SweepRow).where(unlinked).values(parent_id=parent_id))

    def _change(
        self,
        kind: type[JobRequestRow] | type[SweepRow],
        column: Any,
        which: tuple[str, str],
        add: Collection[str],
        remove: Collection[str],
        note: str | None,
    ) -> Marks:
        noun, row_id = which
        with self._transaction() as session:
            held = select(kind.tags, kind.note).where(column == row_id).with_for_update(key_share=True)
            found = session.execute(held).one_or_none()
            if found is None:
                raise NotFound(f"there is no {noun} {row_id}")
            before = found[1]
            changed = Marks(parse_tags({*found[0], *add} - {*remove}), before if note is None else note or None)
            values = {"tags": list(changed.tags), "note": changed.note}
            session.execute(
                update(kind).where(column == row_id).values(values), execution_options={"synchronize_session": False}
            )
            return changed
