"""The connection that a farm, its jobs and its sweeps share: the services, waiting, and telling workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import make_url

from stylefarm.producer.client.items import HasId, JobT, as_list, cell_of, distinct
from stylefarm.producer.client.waiting import Waiting, is_over, newly_ended, poll, statuses_of
from stylefarm.producer.views.filters import job_filter
from stylefarm.producer.views.rated import rated
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.connection import new_engine
from stylefarm.shared.db.records import CommandResult
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, InvalidSettings, ServiceUnavailable
from stylefarm.shared.queries.lists import NO_FLAG, JobFilter, RatingFilter
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings, load_settings
from stylefarm.shared.spec.marks import parse_tags
from stylefarm.shared.spec.ratings import FLAGS, check_stars
from stylefarm.shared.text import nearest

if TYPE_CHECKING:
    from pandas import DataFrame

    from stylefarm.producer.client.embedded import EmbeddedWorker
    from stylefarm.shared.store import Store


class Session:
    """A connection to a farm: its services, and waiting for its jobs.

    Args:
        settings: which farm; by default those of the environment and of stylefarm.toml.

    Example:
        with Farm() as farm:
            print(len(farm.jobs()))
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        # An engine of its own, so that closing one farm closes no connection of another.
        self.services = Services(self.settings, new_engine(self.settings.database))
        self.embedded_worker: EmbeddedWorker | None = None
        if self.settings.embedded:
            # Imported here, since programs that use a farm on servers need not wait for it.
            from stylefarm import migrations
            from stylefarm.producer.client.embedded import EmbeddedWorker

            migrations.upgrade(self.services.engine)
            self.embedded_worker = EmbeddedWorker(self.services)

    def __repr__(self) -> str:
        where = make_url(self.settings.database).render_as_string(hide_password=True)
        return f"{type(self).__name__}({where!r})"

    @cached_property
    def store(self) -> Store:
        """Every change to the farm's jobs. Raises NotMigrated, as `check_schema`."""
        self.check_schema()
        return self.services.store

    def check_schema(self) -> None:
        """Check, before anything is written, that the database has the schema of this release.

        Raises:
            NotMigrated: it has another's; what is there can still be read.

        Example:
            farm.check_schema()
        """
        if not self.settings.embedded:
            from stylefarm import migrations

            migrations.check(self.services.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop rendering, if this farm is embedded; what is done stays done and the rest stays queued.

        Example:
            farm = Farm()
            try:
                farm.submit(content="cat.jpg", style="waves.jpg").wait()
            finally:
                farm.close()
        """
        if self.embedded_worker is not None:
            self.embedded_worker.close()
        self.services.engine.dispose()

    def jobs(
        self,
        *,
        states: Iterable[State | str] = (),
        sweep: HasId | None = None,
        where: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        tags: Iterable[str] | str = (),
        stars: int | None = None,
        flag: Iterable[str] | str = (),
        limit: int | None = 20,
    ) -> list[Status]:
        """Return where jobs stand, newest first; those of one sweep in the order of its cells.

        Args:
            states: only jobs in one of these; by default in any.
            sweep: only jobs of that sweep.
            where: the values that are wanted of some parameters, or axes, e.g. {"style_weight": [10]}; a picture may be
                called by its path, its name or its stem.
            since: submitted at that moment or later; aware.
            until: submitted at that moment or before; aware.
            tags: only jobs that have all of these, or are in a sweep that has.
            stars: only jobs that the user has given so many stars or more.
            flag: only jobs that the user has flagged so: "pick", "reject", or "none" for neither; or one of several.
            limit: at most so many; None: all.

        Returns:
            The statuses.

        Raises:
            InvalidRequest: there is no such parameter, state or flag.

        Example:
            failed = farm.jobs(states="failed", where={"size": 512}, limit=None)
        """
        values = {name: as_list(of) for name, of in (where or {}).items()}
        of_sweep = None if sweep is None else sweep.id
        rating = RatingFilter(self.settings.user, check_stars(stars), _flags(flag))
        wanted = JobFilter(_states(states), of_sweep, since, until, job_filter(values), parse_tags(tags), rating)
        return self.rated([Status.of(row) for row in self.services.listing.jobs(wanted, limit)])

    def rated(self, statuses: Sequence[Status]) -> list[Status]:
        """Return statuses with the ratings of the user, as the setting `user` names one.

        Args:
            statuses: jobs, as a watcher of `wait` gets them, who has no ratings.

        Example:
            picked = [status for status in farm.rated(statuses) if status.flag == "pick"]
        """
        return rated(self.services, self.settings.user, statuses)

    def statuses(self, jobs: Sequence[HasId | str]) -> list[Status]:
        """Return where jobs stand, in their order, by few questions to the database.

        Args:
            jobs: jobs, or whole ids of jobs.

        Raises:
            NotFound: one of them is not there.

        Example:
            for status in farm.statuses(jobs):
                print(status.id, status.state)
        """
        ids = [job if isinstance(job, str) else job.id for job in jobs]
        seen = statuses_of(self.services, ids)
        return self.rated([seen[job_id] for job_id in ids])

    def frame(self, jobs: Iterable[HasId | str]) -> DataFrame:
        """Return a row for each of any jobs: ids, pictures, parameters, state, losses and metrics.

        The parameters are the axes of their sweeps, and if a job is of none, those in which they differ.

        Args:
            jobs: jobs, statuses, or whole ids of jobs, e.g. a sweep, or what `jobs` returns.

        Returns:
            A pandas DataFrame, its rows in the order of `jobs`; see `producer.views.frame.job_frame` for the columns.

        Raises:
            InvalidRequest: pandas is not installed.
            NotFound: one of them is not there any more.

        Example:
            farm.frame(farm.jobs(tags="best", limit=None)).groupby("style_weight")["ssim"].mean()
        """
        from stylefarm.producer.views.frame import job_frame

        listed = list(jobs)
        left = [job for job in listed if not isinstance(job, Status)]
        now = iter(self.statuses(left))
        found = [job if isinstance(job, Status) else _at(next(now), job) for job in listed]
        return job_frame(found)

    def wait(
        self,
        jobs: Sequence[HasId],
        timeout: float | None = None,
        watch: Watcher | None = None,
        return_when: str = ALL_COMPLETED,
    ) -> list[Status]:
        """Wait until all of `jobs` have ended, however they did; an embedded farm renders them meanwhile.

        Args:
            jobs: the jobs to wait for.
            timeout: seconds; None waits without an end.
            watch: called a few times a second with the statuses of all of them, without ratings.
            return_when: one of the words of concurrent.futures. FIRST_COMPLETED returns as soon as one has ended,
                FIRST_EXCEPTION as soon as one has failed or was cancelled.

        Returns:
            The statuses, in the order of `jobs`.

        Raises:
            StillPending: after `timeout` seconds, which stops nothing.
            NotFound: one of them was deleted.
            InvalidRequest: `return_when` is another word.

        Example:
            statuses = farm.wait([farm.submit(content="cat.jpg", style=name) for name in styles], timeout=600)
        """
        now: list[Status] = []
        with closing(poll(self.waiting(jobs, timeout))) as seen:
            for now in seen:
                if watch is not None:
                    watch(now)
                if is_over(now, return_when):
                    break
        return self.rated(now)

    def as_completed(self, jobs: Iterable[JobT], timeout: float | None = None) -> Iterator[JobT]:
        """Yield each of `jobs` once, as they end, however they do; otherwise as `wait`.

        Args:
            jobs: the jobs to wait for.
            timeout: seconds to wait at most, in all; None: without end.

        Example:
            for job in farm.as_completed(jobs, timeout=3600):
                print(job.id, job.status().state)
        """
        asked = distinct(jobs)
        reported: set[int] = set()
        with closing(poll(self.waiting(asked, timeout))) as seen:
            for now in seen:
                yield from (asked[place] for place in newly_ended(now, reported))

    def waiting(self, jobs: Sequence[HasId], timeout: float | None) -> Waiting:
        """Return a Waiting for `jobs`, for callers that wait between polls in a way of their own.

        Args:
            jobs: the jobs to wait for.
            timeout: seconds until `pause` raises StillPending; None: never.

        Example:
            waiting = farm.waiting(jobs, timeout=600)
            statuses = waiting.poll_once()
        """
        render = None if self.embedded_worker is None else self.embedded_worker.add
        return Waiting(self.services, [(job.id, cell_of(job)) for job in jobs], timeout, render)

    def announce_changes(self, steered: CommandResult) -> int:
        """Tell workers of jobs that may be in the queue now.

        If Redis does not answer, the reconciler announces them later.

        Args:
            steered: what a command on jobs returned.

        Returns:
            How many jobs were changed in all.

        Example:
            resumed = farm.store.commands.resume(JobSelector(sweep=sweep.id))
            print(farm.announce_changes(resumed), "jobs resumed")
        """
        if self.services.announcer is not None and steered.changed:
            # If Redis does not answer, the reconciler announces them later.
            with suppress(ServiceUnavailable):
                self.services.announcer.announce(steered.changed)
        return len(steered)

    def announce(self, what: str, ids: Sequence[str]) -> None:
        """Tell workers of those of the jobs that are queued.

        Args:
            what: what an error calls them, e.g. "job 9a41c07d".
            ids: whole ids of jobs.

        Raises:
            ServiceUnavailable: Redis is away; the sentence says that `what` is stored all the same.

        Example:
            farm.announce(f"job {job.id}", [job.id])
        """
        if self.services.announcer is not None:
            with stored_despite_broker(what):
                self.services.announcer.announce(ids)

    def check_webhook(self, url: str) -> None:
        """Check that `url` can be called, and the call signed.

        Args:
            url: an http or https address.

        Raises:
            InvalidRequest: it is no address to call.
            InvalidSettings: an embedded farm has no secret to sign with.

        Example:
            farm.check_webhook("https://example.org/rendered")
        """
        from stylefarm.shared.webhooks.delivery import check_url

        check_url(url)
        if self.embedded_worker is not None and self.settings.webhook_secret is None:
            raise InvalidSettings("a webhook needs a secret to be signed with: set STYLEFARM_WEBHOOK_SECRET")


@contextmanager
def stored_despite_broker(what: str) -> Iterator[None]:
    """Say in a ServiceUnavailable of the `with` block that `what` is stored, and announced when Redis is back.

    Args:
        what: subject of the sentence, such as "the job".

    Raises:
        ServiceUnavailable: Redis does not answer.

    Example:
        >>> with stored_despite_broker("the job"):
        ...     raise ServiceUnavailable("no answer")
        Traceback (most recent call last):
        ...
        stylefarm.shared.errors.ServiceUnavailable: the job is stored, and told to workers when Redis is back: no answer
    """
    try:
        yield
    except ServiceUnavailable as error:
        raise ServiceUnavailable(f"{what} is stored, and told to workers when Redis is back: {error}") from error


def _at(status: Status, job: HasId | str) -> Status:
    """Return a status as the cell has it that its job was found in."""
    cell = cell_of(job)
    return status if cell is None else status.at(cell)


def _states(states: Iterable[State | str]) -> tuple[State, ...]:
    names = as_list(states)
    for name in names:
        if name not in list(State):
            raise InvalidRequest(f"no state {name!r}{nearest(str(name), map(str, State))}")
    return tuple(map(State, names))


def _flags(flags: Iterable[str] | str) -> tuple[str, ...]:
    names = as_list(flags)
    known = (*FLAGS, NO_FLAG)
    for name in names:
        if name not in known:
            raise InvalidRequest(f"no flag {name!r:.40}{nearest(str(name), known)}")
    return tuple(names)
