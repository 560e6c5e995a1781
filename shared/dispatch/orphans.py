"""Orphaned objects: uploads of dead or late workers that no artifact names, and what deleted jobs have left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from sqlalchemy import Engine, select

from stylefarm.shared.blobs.storage import KEY, BlobStore
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.tables import ArtifactRow, AttemptRow
from stylefarm.shared.dispatch.dropped import GRACE_SECONDS, DroppedObjects
from stylefarm.shared.errors import NotFound
from stylefarm.shared.images.thumbnails import thumbnail_keys
from stylefarm.shared.queries.jobs import DatabaseReader

PREFIX = "jobs/"

# Jobs in one query.
CHUNK = 500


class Orphans(DatabaseReader):
    """Finds and deletes orphaned objects. Raises ServiceUnavailable."""

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        super().__init__(engine)
        self.blobs = blobs
        self.dropped = DroppedObjects(engine, blobs)

    def delete(self, grace: float = GRACE_SECONDS) -> int:
        """Delete the orphans of attempts that ended at least so many seconds ago; return how many.

        And what deletions have left that were interrupted.

        Objects of jobs that this database does not know are left alone, since another farm may share the bucket; and
        so are those that are no job's, as the empty object that stands for a folder.
        """
        count = self.dropped.delete(grace)
        ours = (key for key in self.blobs.keys(PREFIX) if KEY.fullmatch(key) and key.count("/") > 2)
        by_job = ((job_id, list(keys)) for job_id, keys in groupby(ours, key=lambda key: key.split("/")[1]))
        while chunk := list(islice(by_job, CHUNK)):
            for key in self._unnamed(chunk, grace):
                self._delete(key)
                count += 1
        return count

    def _delete(self, key: str) -> None:
        """Delete an object, and the thumbnails of it, unless a job names the same picture."""
        try:
            sha256 = hashlib.sha256(self.blobs.get(key)).hexdigest() if _is_picture(key) else None
        except NotFound:
            return
        self.blobs.delete(key)
        if sha256 is None:
            return
        with self._session() as session:
            named = session.scalars(select(ArtifactRow.id).where(ArtifactRow.sha256 == sha256).limit(1)).first()
        if named is None:
            for thumbnail in thumbnail_keys([sha256]):
                self.blobs.delete(thumbnail)

    def _unnamed(self, listed: Sequence[tuple[str, list[str]]], grace: float) -> Iterator[str]:
        ids = [job_id for job_id, _ in listed]
        ended = select(AttemptRow.job_id, AttemptRow.attempt).where(
            AttemptRow.job_id.in_(ids), AttemptRow.ended_at.is_not(None), AttemptRow.ended_at < now(-grace)
        )
        with self._session() as session:
            over = {(job_id, str(attempt)) for job_id, attempt in session.execute(ended)}
            named = set(session.scalars(select(ArtifactRow.key).where(ArtifactRow.job_id.in_(ids))))
        for job_id, keys in listed:
            yield from (key for key in keys if (job_id, key.split("/")[2]) in over and key not in named)


def _is_picture(key: str) -> bool:
    return key.rpartition("/")[2].startswith("result.") or "/snapshots/" in key
