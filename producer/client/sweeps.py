"""A sweep as a program sees it: its jobs, how far they are, and which of them is the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stylefarm.producer.client.jobs import Job, failure_of
from stylefarm.producer.client.results import Result
from stylefarm.producer.client.session import Session
from stylefarm.producer.client.sweep_commands import SweepCommands
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import JobFailed, StillPending
from stylefarm.shared.queries.jobs import Changes
from stylefarm.shared.spec.marks import NO_MARKS, Marks

if TYPE_CHECKING:
    from pandas import DataFrame
    from PIL import Image

    from stylefarm.shared.schema.documents import SweepDocument


class Sweep(SweepCommands):
    """A grid of jobs that were submitted together; iterating over it gives them, and `len` counts its cells.

    Some of its jobs may belong to older sweeps, where the same pictures were asked for first; commands on this sweep
    leave those alone.

    Args:
        farm: the connection that it is asked through.
        sweep_id: its whole id.
        name: what its user calls it.
        axes: the values of each axis, the last of which turns fastest.
        marks: its tags and its note.

    Attributes:
        tags: what its user wrote on it to find it again.
        note: what its user wrote about it, or None.
        created: as `Farm.sweep` returns it, the ids of the jobs that this submission has queued.
        skipped: how many cells it left out, since their pictures cannot be used.
        problems: what is left out of folders, and what is wrong with these pictures, a sentence each.
        kept: which of the given terms its jobs do not have, since they were there already, a sentence each.
        folded: how many cells have the picture of another cell, and which axes have no effect; empty if there are none.

    Example:
        sweep = farm.sweep("cats.yaml")
        for job in sweep.as_completed():
            print(job.id, job.status().state)
    """

    def __init__(
        self,
        farm: Session,
        sweep_id: str,
        name: str,
        axes: Mapping[str, Sequence[Any]],
        marks: Marks = NO_MARKS,
    ) -> None:
        super().__init__(farm, sweep_id, marks)
        self.name = name
        self.axes = axes
        self.created: frozenset[str] = frozenset()
        self.skipped = 0
        self.problems: Sequence[str] = ()
        self.kept: Sequence[str] = ()
        self.folded = ""

    def __repr__(self) -> str:
        return f"Sweep({self.id!r}, {self.name!r})"

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs())

    def __len__(self) -> int:
        return sum(self.counts().values())

    def as_json(self) -> SweepDocument:
        """Return its id, its name, its axes, its tags and its note as plain JSON values.

        Example:
            print(json.dumps(sweep.as_json()))
        """
        axes = {axis: list(values) for axis, values in self.axes.items()}
        return {"id": self.id, "name": self.name, "axes": axes, "tags": list(self.tags), "note": self.note}

    def _repr_html_(self) -> str:
        """Show a small picture of each of its first jobs in a notebook."""
        from stylefarm.producer.views.notebook import CELLS, sweep_html

        return sweep_html(self.name or self.id, self.counts(), self.statuses(limit=CELLS), self._newest)

    def jobs(self) -> list[Job]:
        """Return its jobs, in the order of its cells: the last axis turns fastest.

        Example:
            first = sweep.jobs()[0]
        """
        return [self._job(status) for status in self.statuses()]

    def statuses(self, limit: int | None = None) -> list[Status]:
        """Return where each of its jobs stands.

        Args:
            limit: only the first so many; None: all.

        Returns:
            The statuses in the order of its cells.

        Example:
            for status in sweep.statuses(limit=10):
                print(status.cell, status.state)
        """
        return self.farm.backend.sweep_statuses(self.id, limit)

    def picks(self) -> list[Job]:
        """Return those of its jobs that the user has flagged as picks, in the order of its cells.

        Example:
            for job in sweep.picks():
                job.result().save(f"{job.id}.png")
        """
        return [self._job(status) for status in self.farm.jobs(sweep=self, flag="pick", limit=None)]

    def counts(self) -> dict[State, int]:
        """Return how many of its jobs are in each state; states of none are left out.

        Example:
            print(sweep.counts().get("done", 0), "of", len(sweep))
        """
        return self.farm.backend.counts(self.id)

    def changes(self, cursor: datetime | None = None) -> Changes:
        """Return what has changed since an earlier answer.

        It takes a few milliseconds for a sweep of 100,000 jobs, as long as little has changed.

        Args:
            cursor: that of the earlier answer; None: all jobs count as changed.

        Returns:
            The changes and the next cursor. A job may be named again without a change; none is left out.

        Example:
            changes = sweep.changes()
            changes = sweep.changes(changes.cursor)
        """
        return self.farm.backend.changes(self.id, cursor)

    def frame(self) -> DataFrame:
        """Return a row for each of its cells, with ids, axes, state, losses and metrics.

        See `producer.views.frame.job_frame` for the columns.

        Raises:
            InvalidRequest: pandas is not installed.

        Example:
            sweep.frame().groupby("style_weight")["ssim"].mean()
        """
        from stylefarm.producer.views.frame import job_frame

        # Also a job that it shares with an older sweep is its own here.
        return job_frame([replace(status, sweep=self.id) for status in self.statuses()], list(self.axes))

    def best(self, metric: str = "loss") -> Job:
        """Return the done job that is best by a metric.

        Args:
            metric: "loss" (the last total) or a metric of results. The best job has the highest value of ssim and the
                lowest of all others.

        Returns:
            The job; of equals the first.

        Raises:
            InvalidRequest: there is no such metric.
            StillPending: no job is done yet.
            JobFailed: no job is done, and none will be.

        Example:
            sweep.best("ssim").result().save("best.png")
        """
        from stylefarm.producer.views.selection import ranked

        statuses = self.statuses()
        first = ranked([status for status in statuses if status.state is State.DONE], metric)[:1]
        if first:
            return self._job(first[0])
        if all(status.state.final for status in statuses):
            raise JobFailed(f"no job of sweep {self.id} is done and has {metric}: there is no best one")
        raise StillPending(f"no job of sweep {self.id} is done yet: wait for it first")

    def failures(self, limit: int = 5) -> list[Status]:
        """Return its jobs that failed last, the newest first.

        Args:
            limit: at most so many.

        Example:
            for status in sweep.failures():
                print(status.id, status.error)
        """
        return self.farm.backend.failures(self.id, limit)

    def pace(self) -> float:
        """Return how many of its jobs are done in a second, over the last ten minutes; 0.0 if none was.

        Example:
            print(f"{60 * sweep.pace():.1f} jobs a minute")
        """
        return self.farm.backend.pace(self.id)

    def wait(
        self, timeout: float | None = None, watch: Watcher | None = None, return_when: str = ALL_COMPLETED
    ) -> list[Status]:
        """Wait until all its jobs have ended, well or not; arguments and errors as `Farm.wait`.

        Args:
            timeout: seconds to wait at most; None: without end.
            watch: called a few times a second with the statuses of all jobs.
            return_when: a constant of concurrent.futures.

        Returns:
            The statuses in the order of its cells.

        Raises:
            StillPending: the time is over; the jobs go on.

        Example:
            for status in sweep.wait():
                print(status.cell, status.state, status.loss)
        """
        return self.farm.wait(self.jobs(), timeout, watch, return_when)

    def as_completed(self, timeout: float | None = None) -> Iterator[Job]:
        """Yield the job of each cell as it ends; cells of one picture share a job.

        Args:
            timeout: seconds to wait at most, in all; None: without end.

        Raises:
            StillPending: the time is over; the jobs go on.

        Example:
            for job in sweep.as_completed(timeout=3600):
                print(job.id)
        """
        return self.farm.as_completed(self.jobs(), timeout)

    def results(self, timeout: float | None = None) -> Iterator[Result]:
        """Wait for all its jobs, then yield their pictures in the order of its cells, each fetched at its turn.

        Args:
            timeout: seconds to wait at most; None: without end.

        Yields:
            The picture of each cell.

        Raises:
            StillPending: the time is over; the jobs go on.
            JobFailed: the turn is at a job that failed or was cancelled.

        Example:
            for number, result in enumerate(sweep.results()):
                result.save(f"{number:03}.png")
        """
        for status in self.wait(timeout):
            failed = failure_of(status)
            if failed is not None:
                raise failed
            yield Job(self.farm, status.id).fetch()

    def _job(self, status: Status) -> Job:
        return Job(self.farm, status.id, created=status.id in self.created, cell=status.cell)

    def _newest(self, status: Status) -> Image.Image | None:
        picture = Job(self.farm, status.id).newest(status)
        return None if picture is None else picture.image
