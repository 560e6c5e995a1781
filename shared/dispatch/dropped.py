"""What deleted jobs have left in the object store: their own objects, and pictures and weights that no other names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlalchemy import Engine, Text, cast, delete, select, update

from stylefarm.shared.blobs.manifest import FOLDER as DATASETS
from stylefarm.shared.blobs.manifest import read_manifest
from stylefarm.shared.blobs.storage import BlobStore
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.library_tables import DatasetRow, ModelRow
from stylefarm.shared.db.object_tables import DroppedObjectRow, HeldObjectRow
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.db.tables import ArtifactRow, JobRequestRow, WeightsRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.images.thumbnails import FOLDER as THUMBNAILS
from stylefarm.shared.images.thumbnails import thumbnail_keys
from stylefarm.shared.queries.jobs import DatabaseReader
from stylefarm.shared.store.exclusion import hold_off_submissions
from stylefarm.shared.store.moves import CHUNK, Transactions
from stylefarm.shared.store.object_names import datasets_in, hashes_in, keys_in

# By then, uploads of a worker that lost its job have ended, and no row can refer to them any more.
GRACE_SECONDS = 3600.0
# Looked at and deleted while submissions wait.
AT_A_TIME = 16
THREADS = 8
ROWS_AT_A_TIME = 1000
# Holds that have ended are remembered longer than any deletion takes: one that began before must learn of them.
REMEMBERED_SECONDS = 86_400.0


class DroppedObjects(DatabaseReader, Transactions):
    """Deletes what deleted jobs have named in the object store. Raises ServiceUnavailable.

    May run any number of times, and in several processes at once: what one leaves, the next one finishes.
    """

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        super().__init__(engine)
        self.blobs = blobs

    def delete(self, grace: float = GRACE_SECONDS) -> int:
        """Delete the objects of deleted jobs, and the inputs that nothing names; return how many of the latter.

        So many seconds later it is looked once more for objects of these jobs: a worker that had lost one of them may
        still have been uploading.
        """
        with self._session() as session:
            began = session.execute(select(now())).scalar_one()
            is_due = DroppedObjectRow.emptied.is_(False) | (DroppedObjectRow.dropped_at < now(-grace))
            dropped = set(session.scalars(select(DroppedObjectRow.key).where(is_due)))
            lapsed = select(HeldObjectRow.key).where(HeldObjectRow.until < began, HeldObjectRow.named.is_(False))
            left_behind = set(session.scalars(lapsed))
        folders = sorted(key for key in dropped if key.endswith("/"))
        for start in range(0, len(folders), CHUNK):
            self._empty(folders[start : start + CHUNK], grace)
        inputs = sorted(left_behind.union(dropped).difference(folders))
        named = self._named() if inputs else set()
        inputs += self._pictures_of_lost(inputs, named)
        gone = sum(
            self._delete_inputs(inputs[start : start + AT_A_TIME], named, began)
            for start in range(0, len(inputs), AT_A_TIME)
        )
        with self._transaction() as session:
            session.execute(delete(HeldObjectRow).where(HeldObjectRow.until < now(-REMEMBERED_SECONDS)))
        return gone

    def count_without(self, jobs: Collection[str]) -> int:
        """Return how many pictures and weights nothing would name any more if these jobs were deleted."""
        doomed, keys = set(jobs), set[str]()
        named, datasets = self._registered(), self._registered_datasets()
        specs = select(JobRequestRow.job_id, cast(JobRequestRow.spec, Text))
        with self._session() as session:
            for job_id, spec in session.execute(specs.execution_options(yield_per=ROWS_AT_A_TIME)):
                if job_id in doomed:
                    keys |= keys_in(spec)
                else:
                    named.update(hashes_in(spec))
                    datasets.update(datasets_in(spec))
        named.update(*map(self._pictures, datasets))
        return sum(_hash_of(key) not in named for key in keys)

    def _empty(self, folders: Sequence[str], grace: float) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            keys = [key for found in pool.map(lambda folder: list(self.blobs.keys(folder)), folders) for key in found]
            for _ in pool.map(self.blobs.delete, keys):
                pass
        these = DroppedObjectRow.key.in_(folders)
        with self._transaction() as session:
            session.execute(delete(DroppedObjectRow).where(these, DroppedObjectRow.dropped_at < now(-grace)))
            session.execute(update(DroppedObjectRow).where(these).values(emptied=True))

    def _delete_inputs(self, keys: Sequence[str], named: Collection[str], began: datetime) -> int:
        """Delete those of the inputs that no row names, and that nobody holds or has held since `began`."""
        these = HeldObjectRow.key.in_(keys)
        with self._transaction() as session:
            hold_off_submissions(session)
            # Whose hold has ended before has rows by now, and these were there when names were looked for.
            held = set(session.scalars(select(HeldObjectRow.key).where(these, HeldObjectRow.until >= began)))
            gone = [key for key in keys if key not in held and _hash_of(key) not in named]
            inputs = [_hash_of(key) for key in gone if key.startswith("inputs/")]
            with ThreadPoolExecutor(THREADS) as pool:
                for _ in pool.map(self.blobs.delete, [*gone, *thumbnail_keys(inputs)]):
                    pass
            # What is held is looked at again next time.
            over = [key for key in keys if key not in held]
            since = DroppedObjectRow.dropped_at <= began
            session.execute(delete(DroppedObjectRow).where(DroppedObjectRow.key.in_(over), since))
        return sum(not key.startswith(f"{THUMBNAILS}/") for key in gone)

    def _named(self) -> set[str]:
        """Return the hashes that jobs, what is registered, and the data sets of both name."""
        found, datasets = self._registered(), self._registered_datasets()
        specs = select(cast(JobRequestRow.spec, Text)).execution_options(yield_per=ROWS_AT_A_TIME)
        with self._session() as session:
            for spec in session.scalars(specs):
                found.update(hashes_in(spec))
                datasets.update(datasets_in(spec))
        found.update(*map(self._pictures, datasets))
        return found

    def _registered(self) -> set[str]:
        """Return the hashes of weights, models and data sets, and of the models that training jobs have made."""
        trained = select(ArtifactRow.sha256).where(ArtifactRow.role == ArtifactRole.MODEL)
        with self._session() as session:
            names = (select(row.sha256) for row in (WeightsRow, ModelRow, DatasetRow))
            return {sha256 for statement in (*names, trained) for sha256 in session.scalars(statement)}

    def _registered_datasets(self) -> set[str]:
        with self._session() as session:
            return set(session.scalars(select(DatasetRow.sha256)))

    def _pictures_of_lost(self, keys: Sequence[str], named: Collection[str]) -> list[str]:
        """Return the keys of pictures that only data sets name which are about to be deleted."""
        lost = [_hash_of(key) for key in keys if key.startswith(f"{DATASETS}/") and _hash_of(key) not in named]
        return sorted({f"inputs/{picture}" for sha256 in lost for picture in self._pictures(sha256)} - set(keys))

    def _pictures(self, sha256: str) -> set[str]:
        """Return the hashes of a data set's pictures; none of one that is gone."""
        try:
            return {picture.sha256 for picture in read_manifest(self.blobs, sha256).pictures}
        except NotFound:
            return set()


def _hash_of(key: str) -> str:
    return key.rpartition("/")[2]
