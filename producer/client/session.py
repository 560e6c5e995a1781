"""The connection that a farm, its jobs and its sweeps share: whom they ask, lists of jobs, and waiting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from stylefarm.producer.backends.connecting import connect
from stylefarm.producer.backends.database import DatabaseBackend
from stylefarm.producer.backends.protocol import JobQuery
from stylefarm.producer.client.items import HasId, JobT, as_list, cell_of, distinct
from stylefarm.producer.client.waiting import Waiting, all_of, is_over, newly_ended, poll
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.queries.lists import NO_FLAG
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings, load_settings
from stylefarm.shared.spec.marks import parse_tags
from stylefarm.shared.spec.ratings import FLAGS, check_stars
from stylefarm.shared.text import nearest

if TYPE_CHECKING:
    from pandas import DataFrame

    from stylefarm.shared.store import Store


class Session:
    """A connection to a farm: lists of its jobs, and waiting for them.

    Args:
        settings: which farm; by default those of the environment and of stylefarm.toml. Or the address of a farm that
            is asked over HTTP.
        token: who asks, of a farm that is named by its address.

    Attributes:
        backend: the farm itself: its database, or its HTTP API.

    Example:
        with Farm() as farm:
            print(len(farm.jobs()))
    """

    def __init__(self, settings: Settings | str | None = None, *, token: str | None = None) -> None:
        if isinstance(settings, str):
            settings = load_settings().over_http(settings, token)
        elif token is not None:
            raise InvalidRequest("a token goes with the address of a farm: Farm('https://farm.example.org', token=...)")
        self.settings = settings or load_settings()
        self.backend = connect(self.settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend.address!r})"

    @property
    def database(self) -> DatabaseBackend:
        """The farm's own database, with what only it can be asked for.

        Raises InvalidRequest where the farm is asked over HTTP.
        """
        if isinstance(self.backend, DatabaseBackend):
            return self.backend
        raise self.settings.elsewhere

    @property
    def services(self) -> Services:
        """The farm's own services."""
        return self.database.services

    @property
    def store(self) -> Store:
        """Every change to the farm's jobs. Raises NotMigrated, as `check_schema`."""
        return self.database.store

    def check_schema(self) -> None:
        """Check, before anything is written, that the database has the schema of this release.

        Raises:
            NotMigrated: it has another's; what is there can still be read.

        Example:
            farm.check_schema()
        """
        self.database.check_schema()

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
        self.backend.close()

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
        query = JobQuery(
            states=_states(states),
            sweep=None if sweep is None else sweep.id,
            where={name: as_list(of) for name, of in (where or {}).items()},
            since=since,
            until=until,
            tags=parse_tags(tags),
            stars=check_stars(stars),
            flags=_flags(flag),
        )
        return self.backend.jobs(query, limit)

    def rated(self, statuses: Sequence[Status]) -> list[Status]:
        """Return statuses with the ratings of the user, as the setting `user` names one.

        Args:
            statuses: jobs, as a watcher of `wait` gets them, who has no ratings.

        Example:
            picked = [status for status in farm.rated(statuses) if status.flag == "pick"]
        """
        return self.backend.rated(statuses)

    def statuses(self, jobs: Sequence[HasId | str]) -> list[Status]:
        """Return where jobs stand, in their order, by few questions to the farm.

        Args:
            jobs: jobs, or whole ids of jobs.

        Raises:
            NotFound: one of them is not there.

        Example:
            for status in farm.statuses(jobs):
                print(status.id, status.state)
        """
        ids = [job if isinstance(job, str) else job.id for job in jobs]
        seen = all_of(ids, self.backend.statuses(ids))
        return [seen[job_id] for job_id in ids]

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
        return Waiting(self.backend, [(job.id, cell_of(job)) for job in jobs], timeout)

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

        if self.settings.url is not None:
            raise self.settings.elsewhere
        check_url(url)
        if self.settings.embedded and self.settings.webhook_secret is None:
            raise InvalidSettings("a webhook needs a secret to be signed with: set STYLEFARM_WEBHOOK_SECRET")


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
