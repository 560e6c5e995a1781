"""One job as a program sees it: its state, its pictures, its loss curve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stylefarm.producer.client.job_commands import JobCommands
from stylefarm.producer.client.results import Result, Snapshot, fetch_result
from stylefarm.producer.client.session import Session
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, JobFailed, StillPending

if TYPE_CHECKING:
    from pandas import DataFrame

    from stylefarm.producer.views.losses import Losses


class Job(JobCommands):
    """One stylization in the farm, as `Farm.submit` and `Farm.find_job` return it.

    It is used like a future of `concurrent.futures`.

    Args:
        farm: the connection that it is asked through.
        job_id: its whole id.
        created: whether the submission that it comes from has queued it; False where it was there before.
        cell: the values of the cell of a sweep that it was found in; None: those that it was submitted with.

    Example:
        job = farm.submit(content="cat.jpg", style="waves.jpg")
        job.result(timeout=600).save("cat-waves.png")
    """

    def __init__(
        self, farm: Session, job_id: str, *, created: bool = True, cell: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(farm, job_id)
        self.created = created
        self.cell = cell

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def _repr_png_(self) -> bytes | None:
        """Show the newest picture in a notebook, if there is one yet, its longer side at 512 pixels at most."""
        from stylefarm.producer.views.notebook import small_png

        newest = self.newest()
        return None if newest is None else small_png(newest.image)

    def newest(self, status: Status | None = None) -> Result | None:
        """Return the newest picture: the result, or the last snapshot while the job runs.

        Args:
            status: the job's, where it is known already.

        Returns:
            The picture; None where there is none yet, and of a job that failed or was cancelled.

        Raises:
            NotFound: the job, or its picture, was deleted.
            ServiceUnavailable: a service does not answer.

        Example:
            picture = job.newest()
            if picture is not None:
                picture.save("so-far.png", force=True)
        """
        status = status or self.status()
        if status.state.final or status.iteration == 0:
            # A failed job's last snapshot is not its picture.
            return None if status.result is None else fetch_result(self.farm.backend, status.result)
        snapshots = self.snapshots()
        return snapshots[-1].fetch() if snapshots else None

    def status(self) -> Status:
        """Return where the job stands now. Raises NotFound if it was deleted.

        Example:
            print(job.status().state, job.status().iteration)
        """
        (found,) = self.farm.statuses([self.id])
        return found if self.cell is None else found.at(self.cell)

    def wait(self, timeout: float | None = None, watch: Watcher | None = None) -> Status:
        """Wait until the job has ended, well or not; an embedded farm renders it meanwhile.

        Args:
            timeout: seconds to wait at most; None: without end.
            watch: called a few times a second with a list of the job's status.

        Returns:
            Its last status.

        Raises:
            StillPending: the time is over; the job goes on.
            NotFound: it was deleted.

        Example:
            status = job.wait(timeout=60)
        """
        return self.farm.wait([self], timeout, watch)[0]

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the picture.

        Args:
            timeout: seconds to wait at most; None: without end.

        Returns:
            The finished picture.

        Raises:
            JobFailed: the job failed or was cancelled; the exception has the job's own error.
            StillPending: the time is over; the job goes on.

        Example:
            job.result(timeout=600).image.show()
        """
        return self._fetch(self.wait(timeout))

    def exception(self, timeout: float | None = None) -> JobFailed | None:
        """Wait until the job has ended, and return what `result` would raise; None if it is done.

        Args:
            timeout: seconds to wait at most; None: without end.

        Returns:
            The failure, also of a cancelled job, or None.

        Raises:
            StillPending: the time is over; the job goes on.

        Example:
            error = job.exception(timeout=600)
            print("done" if error is None else error.error)
        """
        return failure_of(self.wait(timeout))

    def done(self) -> bool:
        """Return whether the job has ended, well or not.

        Example:
            while not job.done():
                time.sleep(5)
        """
        return self.status().state.final

    def cancelled(self) -> bool:
        """Return whether the job was cancelled, and has stopped.

        Example:
            if job.cancelled():
                job.retry()
        """
        return self.status().state is State.CANCELLED

    def running(self) -> bool:
        """Return whether a worker renders the job now.

        Example:
            print("running" if job.running() else "not now")
        """
        return self.status().state is State.RUNNING

    def fetch(self) -> Result:
        """Return the picture without waiting.

        Raises:
            StillPending: the job is not done yet.
            JobFailed: it failed or was cancelled.

        Example:
            if job.status().state == "done":
                job.fetch().save("cat-waves.png")
        """
        return self._fetch(self.status())

    def losses(self) -> Losses:
        """Return the loss curve so far, as arrays; each term is weighted.

        Example:
            losses = job.losses()
            print(losses.iteration[-1], losses.total[-1])
        """
        return self.farm.backend.losses(self.id)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots, by iteration; the picture of each is fetched when it is used.

        Example:
            print([snapshot.iteration for snapshot in job.snapshots()])
        """
        backend = self.farm.backend
        return [Snapshot(shot.iteration, shot.stored, backend) for shot in backend.snapshots(self.id)]

    def _fetch(self, status: Status) -> Result:
        failed = failure_of(status)
        if failed is not None:
            raise failed
        if status.result is None:
            raise StillPending(f"job {self.id} ({status.title}) is {status.state}: wait for it first")
        return fetch_result(self.farm.backend, status.result)


def as_completed(jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
    """Yield each of `jobs` once, as they end, well or not.

    Args:
        jobs: jobs of one farm.
        timeout: seconds to wait at most, in all; None: without end.

    Yields:
        The jobs, in the order in which they end.

    Raises:
        StillPending: the time is over; the jobs go on.
        NotFound: one of them was deleted.

    Example:
        for job in as_completed(jobs, timeout=3600):
            print(job.id, job.exception() or "done")
    """
    listed = list(jobs)
    if listed:
        yield from listed[0].farm.as_completed(listed, timeout)


def frame(jobs: Iterable[Job]) -> DataFrame:
    """Return a row for each of `jobs`, as `Farm.frame` does.

    Args:
        jobs: jobs of one farm.

    Returns:
        A pandas DataFrame.

    Raises:
        InvalidRequest: pandas is not installed, or there are no jobs, which would tell the columns.

    Example:
        frame([farm.submit(content="cat.jpg", style=style) for style in styles])
    """
    listed = list(jobs)
    if not listed:
        raise InvalidRequest("a frame has the columns of its jobs, and there are none: give one at least")
    return listed[0].farm.frame(listed)


def failure_of(status: Status) -> JobFailed | None:
    """Return the exception that says that a job failed or was cancelled, and why.

    Args:
        status: the job.

    Returns:
        The exception, not raised; None of a job that is done or has not ended.

    Example:
        failed = failure_of(job.status())
    """
    if status.state not in {State.FAILED, State.CANCELLED}:
        return None
    why = status.error or "at the request of its user"
    return JobFailed(
        f"job {status.id} ({status.title}) {status.state}: {why}",
        job_id=status.id,
        error_class=status.error_class,
        error=status.error,
    )
