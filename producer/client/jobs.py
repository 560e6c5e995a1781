"""One job as a program sees it: its state, its pictures, its curve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylefarm.producer.client.session import Session
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.blobs.storage import BlobStore, fetch_verified
from stylefarm.shared.db.records import JobSelector, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import JobFailed, StillPending
from stylefarm.shared.files import write_atomically
from stylefarm.shared.spec.terms import parse_terms

if TYPE_CHECKING:
    from PIL import Image

    from stylefarm.producer.views.losses import Losses


@dataclass(frozen=True)
class Result:
    """A finished picture: the bytes of its file, and the suffix that belongs to them (".png")."""

    data: bytes
    suffix: str

    @property
    def image(self) -> Image.Image:
        """The picture, RGB."""
        from stylefarm.producer.views.pictures import decoded

        return decoded(self.data, "the result")

    def _repr_png_(self) -> bytes:
        """In notebooks: the picture, its longer side at 512 pixels at most."""
        from stylefarm.producer.views.notebook import small_png

        return small_png(self.image)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Writes the file.

        Raises InvalidRequest if `path` exists (and no `force`), names another format, or cannot be written.
        """
        from stylefarm.shared.images.encode import check_suffix

        path = Path(path)
        check_suffix(path, self.suffix)
        write_atomically(path, self.data, force=force)
        return path


@dataclass(frozen=True)
class Snapshot:
    """The picture after `iteration` steps, in the object store."""

    iteration: int
    stored: StoredObject
    blobs: BlobStore

    def fetch(self) -> Result:
        """Its file. Raises ServiceUnavailable, and NotFound if it was deleted."""
        return _fetched(self.blobs, self.stored)

    @property
    def image(self) -> Image.Image:
        """The picture, RGB; fetched anew each time."""
        return self.fetch().image


class Job:
    """One stylization in the farm. `created`: the submission that it comes from has queued it; False: it was there."""

    def __init__(self, farm: Session, job_id: str, *, created: bool = True) -> None:
        self.farm = farm
        self.id = job_id
        self.created = created

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def _repr_png_(self) -> bytes | None:
        """In notebooks: the newest picture, if there is one yet, its longer side at 512 pixels at most."""
        from stylefarm.producer.views.notebook import small_png

        newest = self.newest()
        return None if newest is None else small_png(newest.image)

    def newest(self, status: Status | None = None) -> Result | None:
        """Return the newest picture: the result, or the last snapshot while it runs; None where there is none yet.

        `status` is the job's, where it is known already.
        """
        status = status or self.status()
        if status.state.final or status.iteration == 0:
            # A failed job's last snapshot is not its picture.
            return None if status.result is None else _fetched(self.farm.services.blobs, status.result)
        snapshots = self.snapshots()
        return snapshots[-1].fetch() if snapshots else None

    def status(self) -> Status:
        """Where it stands now. Raises NotFound if it was deleted."""
        return Status.of(self.farm.services.queries.job(self.id))

    def wait(self, timeout: float | None = None, watch: Watcher | None = None) -> Status:
        """Waits until it has ended, well or not. Raises StillPending after `timeout` seconds."""
        return self.farm.wait([self], timeout, watch)[0]

    def result(self, timeout: float | None = None) -> Result:
        """Waits for the picture. Raises JobFailed with the job's own error, or StillPending."""
        return self._fetch(self.wait(timeout))

    def exception(self, timeout: float | None = None) -> JobFailed | None:
        """Waits until it has ended; what `result` would raise, also of a cancelled job. Raises StillPending."""
        return failure_of(self.wait(timeout))

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status().state.final

    def cancelled(self) -> bool:
        """Whether it was cancelled, and has stopped."""
        return self.status().state is State.CANCELLED

    def running(self) -> bool:
        """Whether a worker paints it now."""
        return self.status().state is State.RUNNING

    def fetch(self) -> Result:
        """The picture, without waiting. Raises StillPending if it is not done, JobFailed if it never will be."""
        return self._fetch(self.status())

    def losses(self) -> Losses:
        """The loss curve so far, as arrays; each term is weighted."""
        from stylefarm.producer.views.losses import Losses

        return Losses.of(self.farm.services.queries.losses(self.id))

    def snapshots(self) -> list[Snapshot]:
        """The pictures on the way, by iteration; each is fetched when it is asked for."""
        blobs = self.farm.services.blobs
        rows = self.farm.services.queries.snapshots(self.id)
        return [Snapshot(row.iteration, StoredObject(row.key, row.sha256, row.bytes), blobs) for row in rows]

    def cancel(self) -> bool:
        """Cancels it; a running one stops within one heartbeat. False if it had ended already."""
        return bool(self.farm.services.store.commands.cancel(JobSelector(job=self.id)))

    def pause(self) -> bool:
        """Takes it out of the queue until it is resumed. False if it has ended, or is paused already.

        A running one is let go within one heartbeat, and will go on from there.
        """
        return bool(self.farm.services.store.commands.pause(JobSelector(job=self.id)))

    def resume(self) -> bool:
        """Puts it back into the queue, or takes back that it was to be paused. False if it is not paused."""
        return self.farm.announced(self.farm.services.store.commands.resume(JobSelector(job=self.id))) > 0

    def retry(self, *, from_checkpoint: bool = False) -> bool:
        """Paints it once more, afresh, or `from_checkpoint`, if one was stored. False if it has not ended yet."""
        store = self.farm.services.store
        return self.farm.announced(store.commands.retry(JobSelector(job=self.id), from_checkpoint=from_checkpoint)) > 0

    def reprioritise(self, priority: int) -> bool:
        """Makes it more or less urgent, 0 to 9; higher is sooner. False if it has ended. Raises InvalidSpec."""
        wish = parse_terms({"priority": priority}).priority
        return self.farm.announced(self.farm.services.store.commands.reprioritise(JobSelector(job=self.id), wish)) > 0

    def _fetch(self, status: Status) -> Result:
        failed = failure_of(status)
        if failed is not None:
            raise failed
        if status.result is None:
            raise StillPending(f"job {self.id} ({status.title}) is {status.state}: wait for it first")
        return _fetched(self.farm.services.blobs, status.result)


def _fetched(blobs: BlobStore, stored: StoredObject) -> Result:
    return Result(fetch_verified(blobs, stored.key, stored.sha256), Path(stored.key).suffix)


def as_completed(jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
    """Each of `jobs`, which are of one farm, once, as they end; see `Farm.as_completed`."""
    listed = list(jobs)
    if listed:
        yield from listed[0].farm.as_completed(listed, timeout)


def failure_of(status: Status) -> JobFailed | None:
    """What tells that a job failed or was cancelled, and why; None if it did not, or not yet."""
    if status.state not in {State.FAILED, State.CANCELLED}:
        return None
    why = status.error or "at the request of its user"
    return JobFailed(
        f"job {status.id} ({status.title}) {status.state}: {why}",
        job_id=status.id,
        error_class=status.error_class,
        error=status.error,
    )
