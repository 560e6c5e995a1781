"""A sweep as a program sees it: its jobs, how far they are, and which of them is the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stylefarm.producer.client.jobs import Job, Result, failure_of
from stylefarm.producer.client.session import Session
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.db.states import FINAL, State
from stylefarm.shared.db.tables import WebhookRow
from stylefarm.shared.errors import JobFailed, StillPending
from stylefarm.shared.queries.jobs import Changes
from stylefarm.shared.spec.terms import parse_terms

if TYPE_CHECKING:
    from pandas import DataFrame
    from PIL import Image

    from stylefarm.shared.schema import SweepDocument


class Sweep:
    """A grid of jobs that were asked for together; iterating over it gives them, and `len` counts its cells.

    Some of them may be older sweeps', where the same pictures were asked for first; these are steered there. As
    `Farm.sweep` returns it, `created` are the ids of the jobs that this submission has queued, `skipped` is how many
    cells it left out, and `problems` say what is wrong with their pictures.
    """

    def __init__(
        self,
        farm: Session,
        sweep_id: str,
        name: str,
        axes: Mapping[str, Sequence[Any]],
    ) -> None:
        self.farm = farm
        self.id = sweep_id
        self.name = name
        self.axes = axes
        self.created: frozenset[str] = frozenset()
        self.skipped = 0
        self.problems: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"Sweep({self.id!r}, {self.name!r})"

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs())

    def __len__(self) -> int:
        return sum(self.counts().values())

    def as_json(self) -> SweepDocument:
        """What it is called, and its axes, as plain JSON values."""
        return {"id": self.id, "name": self.name, "axes": {axis: list(values) for axis, values in self.axes.items()}}

    def _repr_html_(self) -> str:
        """In notebooks: a small picture of each of its first jobs."""
        from stylefarm.producer.views.notebook import CELLS, sweep_html

        return sweep_html(self.name or self.id, self.counts(), self.statuses(limit=CELLS), self._newest)

    def jobs(self) -> list[Job]:
        """Its jobs, in the order of its cells: the last axis turns fastest."""
        return [Job(self.farm, status.id, created=status.id in self.created) for status in self.statuses()]

    def statuses(self, limit: int | None = None) -> list[Status]:
        """Where each of its jobs stands, in the order of its cells; at most the first `limit` of them."""
        return [Status.of(row) for row in self.farm.services.queries.sweep_jobs(self.id, limit)]

    def counts(self) -> dict[State, int]:
        """How many of its jobs are in each state."""
        return self.farm.services.queries.counts(self.id)

    def changes(self, cursor: datetime | None = None) -> Changes:
        """What has changed since the `cursor` of an earlier answer, and the next cursor; without one, all its jobs.

        A few milliseconds for a sweep of 100,000 jobs, as long as little has changed. A job may be named again.
        """
        return self.farm.services.queries.changed(self.id, cursor)

    def frame(self) -> DataFrame:
        """A row for each of its cells: ids, axes, state, losses and metrics; see `producer.views.frame.sweep_frame`.

        Raises InvalidRequest where pandas is not installed.
        """
        from stylefarm.producer.views.frame import sweep_frame

        return sweep_frame(self.id, list(self.axes), self.statuses())

    def best(self, metric: str = "loss") -> Job:
        """The done job that is best by a metric of results, or by the last loss; of equals the first.

        The best one has the highest value of ssim and the lowest of all others. Raises InvalidRequest if there is no
        such metric, StillPending if no job is done yet, JobFailed if none will be.
        """
        from stylefarm.producer.views.selection import ranked

        statuses = self.statuses()
        first = ranked([status for status in statuses if status.state is State.DONE], metric)[:1]
        if first:
            return Job(self.farm, first[0].id, created=first[0].id in self.created)
        if all(status.state.final for status in statuses):
            raise JobFailed(f"no job of sweep {self.id} is done and has {metric}: there is no best one")
        raise StillPending(f"no job of sweep {self.id} is done yet: wait for it first")

    def failures(self, limit: int = 5) -> list[Status]:
        """Its jobs that failed last, the newest first."""
        return [Status.of(row) for row in self.farm.services.listing.failures(self.id, limit)]

    def pace(self) -> float:
        """How many of its jobs are done in a second, by the last ten minutes; 0.0 if none was done in them."""
        return self.farm.services.listing.throughput(self.id)

    def cancel(self) -> int:
        """Cancels all of its jobs that have not ended; how many. Those that run stop within one heartbeat."""
        return len(self.farm.services.store.commands.cancel(JobSelector(sweep=self.id)))

    def pause(self) -> int:
        """Pauses all of its jobs that have not ended; how many. Those that run are let go within one heartbeat."""
        return len(self.farm.services.store.commands.pause(JobSelector(sweep=self.id)))

    def resume(self) -> int:
        """Resumes its paused jobs; how many."""
        return self.farm.announced(self.farm.services.store.commands.resume(JobSelector(sweep=self.id)))

    def retry(self, *, failed: bool = False, from_checkpoint: bool = False) -> int:
        """Paints all of its jobs that have ended once more, or only those that `failed`; how many.

        They begin afresh, or `from_checkpoint` where one was stored.
        """
        states = {State.FAILED} if failed else FINAL
        store = self.farm.services.store
        return self.farm.announced(
            store.commands.retry(JobSelector(sweep=self.id), states, from_checkpoint=from_checkpoint)
        )

    def reprioritise(self, priority: int) -> int:
        """Makes its jobs more or less urgent, 0 to 9; how many had not ended. Raises InvalidSpec."""
        wish = parse_terms({"priority": priority}).priority
        return self.farm.announced(self.farm.services.store.commands.reprioritise(JobSelector(sweep=self.id), wish))

    def call(self, url: str | None) -> None:
        """Has `url` called once when its first job fails and once when all have ended; None: nobody is.

        What has happened already is told, too. Workers call, or an embedded farm while it is waited for. Raises
        InvalidRequest, InvalidSettings.
        """
        if url is not None:
            self.farm.check_webhook(url)
        self.farm.services.webhooks.set(self.id, url)

    def calls(self) -> list[WebhookRow]:
        """What is called when, and how that went."""
        return self.farm.services.webhooks.of(self.id)

    def wait(
        self, timeout: float | None = None, watch: Watcher | None = None, return_when: str = ALL_COMPLETED
    ) -> list[Status]:
        """Waits until all its jobs have ended, well or not; the statuses in the order of its cells.

        As `Farm.wait` otherwise. Raises StillPending after `timeout` seconds.
        """
        before = self.statuses()
        now = self.farm.wait([Job(self.farm, status.id) for status in before], timeout, watch, return_when)
        # A job that it shares with another sweep has another cell there.
        return [replace(status, cell=here.cell) for status, here in zip(now, before, strict=True)]

    def as_completed(self, timeout: float | None = None) -> Iterator[Job]:
        """Its jobs as they end, each once. Raises StillPending after `timeout` seconds."""
        return self.farm.as_completed(self.jobs(), timeout)

    def results(self, timeout: float | None = None) -> Iterator[Result]:
        """Waits for all its jobs; then their pictures in the order of its cells, each fetched when it is its turn.

        Raises StillPending after `timeout` seconds, and JobFailed at the first job that failed or was cancelled.
        """
        for status in self.wait(timeout):
            failed = failure_of(status)
            if failed is not None:
                raise failed
            yield Job(self.farm, status.id).fetch()

    def _newest(self, status: Status) -> Image.Image | None:
        picture = Job(self.farm, status.id).newest(status)
        return None if picture is None else picture.image
