"""The farm as a program sees it: submit, wait, look at what came out.

The same code works embedded (painting in this process) and against servers; the settings alone decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stylefarm.producer.client.jobs import Job, Result, Snapshot
from stylefarm.producer.client.sweeps import Sweep
from stylefarm.producer.client.waiting import Waiting, Watcher, is_over, looks, newly_ended, statuses_of
from stylefarm.producer.views.filters import fitting
from stylefarm.producer.views.status import Status
from stylefarm.shared.db import tables
from stylefarm.shared.db.connection import new_engine
from stylefarm.shared.db.records import NewJob, Steered
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, InvalidSettings, InvalidSpec, ServiceUnavailable
from stylefarm.shared.gc_pause import uncollected
from stylefarm.shared.queries.lists import Wanted
from stylefarm.shared.queue.routes import Hint, queue_name
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings, load_settings
from stylefarm.shared.spec.terms import Terms, check_limit, parse_terms, parted
from stylefarm.shared.text import nearest

if TYPE_CHECKING:
    from stylefarm.producer.client.embedded import Painter
    from stylefarm.producer.grids import Grid
    from stylefarm.producer.submission.submission import Intake
    from stylefarm.shared.spec.spec import JobSpec

__all__ = ["Farm", "Job", "Result", "Snapshot", "Sweep"]


class Farm:
    """A connection to a farm; use it in a `with` statement, or close it.

    Every method may raise ServiceUnavailable or NotMigrated. Closing an embedded farm puts the job at hand back into
    its queue.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        # Of its own: closing one farm takes no connection from another.
        self.services = Services(self.settings, new_engine(self.settings.database))
        self.painter: Painter | None = None
        if self.settings.embedded:
            # What only an embedded farm needs, and who asks a farm on servers need not wait for.
            from stylefarm import migrations
            from stylefarm.producer.client.embedded import Painter

            migrations.upgrade(self.services.engine)
            self.painter = Painter(self.services)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops painting, if this farm is embedded; what is done stays done and the rest stays queued."""
        if self.painter is not None:
            self.painter.close()
        self.services.engine.dispose()

    def submit(self, spec: JobSpec | None = None, /, **fields: Any) -> Job:
        """Submits one stylization: a spec, or its fields (`content`, `style`, any parameter).

        If its picture was painted before, the job that painted it is the answer, unless `force=True` asks for another.
        Besides, either takes terms, which say how it is to be done: `priority` (0 to 9, higher is sooner), `device`,
        `label`, `after` (jobs, or their ids, that are to be done first), `time_limit` (seconds), `max_attempts`. Raises
        NotFound, InvalidSpec, InvalidImage, InvalidRequest; then nothing is submitted.
        """
        # What only submitting needs is imported here: whoever looks on need not wait for it.
        from stylefarm.producer.submission.submission import Intake
        from stylefarm.shared.spec.spec import parse_spec

        force = fields.pop("force", False)
        terms, fields = parted(fields)
        if spec is not None and fields:
            raise InvalidSpec("submit takes a spec or its fields, not both: change the spec with model_copy")
        intake = Intake(self.services)
        spec = spec or parse_spec({name: plain(value) for name, value in fields.items()})
        job = intake.resolve(spec, terms=self.terms(terms))
        painted = None if force else self.services.queries.painted(job.spec.key)
        if painted is not None:
            return Job(self, painted.id, created=False)
        self.before_storing(intake)
        ids = self.services.store.create([job])
        self._submitted(f"job {ids[0]}", ids, [job], None)
        return Job(self, ids[0])

    def sweep(
        self,
        grid: Grid | Path | str | None = None,
        /,
        *,
        matrix: Mapping[str, Any] | None = None,
        base: Mapping[str, Any] | None = None,
        name: str = "",
        max_running: int | None = None,
        force: bool = False,
        skip_bad: bool = False,
        webhook: str | None = None,
        **more: Any,
    ) -> Sweep:
        """Submits a job for each cell of a grid: a Grid, a sweep file, or what stands in one, from `matrix` on.

        What was asked for before is not queued again, unless `force` asks for it: the same sweep is found again, and a
        cell of another one is shared. At most `max_running` of its jobs run at a time. `skip_bad` leaves out the cells
        of pictures that cannot be used; `webhook` is called as `Sweep.call` says. `more` are `zip`, `include`,
        `exclude` and `sample`, as in a sweep file, and terms for all of them, as in `submit`; these and `max_running`
        come before those of the file. Raises NotFound, InvalidSpec, InvalidImage, InvalidRequest, InvalidSettings;
        then nothing is submitted.
        """
        from stylefarm.producer.grids import Grid, parse_grid, read_grid
        from stylefarm.producer.submission.resolve_grid import take
        from stylefarm.producer.submission.submission import Intake
        from stylefarm.producer.terminal.progress import working

        terms, parts = parted(more)
        if webhook is not None:
            self.check_webhook(webhook)
        if (grid is None) == (matrix is None and "zip" not in parts):
            raise InvalidSpec("a sweep is either a grid (or its file), or a matrix: give one of the two")
        if grid is None:
            parts = {"matrix": matrix or {}, "base": base or {}, "name": name, **parts}
            grid = parse_grid(plain(parts), self.settings)
        elif parts:
            raise InvalidSpec(f"{min(parts)} stands in the grid, or its file: give it there")
        elif not isinstance(grid, Grid):
            grid = read_grid(Path(grid), self.settings)
        limit = check_limit(grid.max_running if max_running is None else max_running)
        intake = Intake(self.services)
        with uncollected():
            taken = take(intake, grid, self.terms({**grid.terms, **terms}), skip_bad=skip_bad)
        self.before_storing(intake)
        with working("submitting"), uncollected():
            stored = self.services.store.submit_sweep(grid.name, grid.axes, taken.jobs, limit, anew=force)
        queued = [job_id for job_id in dict.fromkeys(stored.ids) if job_id in stored.queued]
        if stored.new and len(queued) == len(taken.jobs):
            self._submitted(f"sweep {stored.sweep_id}", queued, taken.jobs, limit)
        else:
            # Nothing new may mean that it was stored before and never announced.
            self.announce(f"sweep {stored.sweep_id}", queued or stored.ids)
        found = self.find_sweep(stored.sweep_id)
        found.created, found.skipped, found.problems = stored.queued, taken.skipped, taken.problems
        if webhook is not None:
            found.call(webhook)
        return found

    def find_job(self, job_id: str) -> Job:
        """The job of that id, which may be shortened. Raises NotFound."""
        return Job(self, self.services.queries.full_id(tables.Job, job_id))

    def sweeps(self, limit: int = 20) -> list[Sweep]:
        """The newest sweeps, the newest first."""
        rows = (listed.sweep for listed in self.services.listing.sweeps(limit))
        return [Sweep(self, row.id, row.name, row.axes) for row in rows]

    def jobs(
        self,
        *,
        states: Iterable[State | str] = (),
        sweep: Sweep | None = None,
        where: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 20,
    ) -> list[Status]:
        """Where the jobs stand that are asked for, newest first; those of one sweep in the order of its cells.

        Args:
            states: in one of them; by default in any.
            sweep: of that one.
            where: for some parameters, or axes, the values that are wanted, e.g. {"style_weight": [10]}; a picture may
                be called by its path, its name or its stem.
            since, until: submitted then, both aware and included.
            limit: at most so many; None for all.

        Raises InvalidRequest if there is no such parameter or state.
        """
        values = {name: _listed(of) for name, of in (where or {}).items()}
        of_sweep = None if sweep is None else sweep.id
        wanted = Wanted(_states(states), of_sweep, since, until, fitting(values))
        return [Status.of(row) for row in self.services.listing.jobs(wanted, limit)]

    def find_sweep(self, sweep_id: str) -> Sweep:
        """The sweep of that id, which may be shortened. Raises NotFound."""
        found = self.services.queries.sweep(self.services.queries.full_id(tables.Sweep, sweep_id))
        return Sweep(self, found.id, found.name, found.axes)

    def statuses(self, jobs: Sequence[Job | str]) -> list[Status]:
        """Where these jobs, or those of these whole ids, stand, in their order, by few questions. Raises NotFound."""
        ids = [job.id if isinstance(job, Job) else job for job in jobs]
        seen = statuses_of(self.services, ids)
        return [seen[job_id] for job_id in ids]

    def wait(
        self,
        jobs: Sequence[Job],
        timeout: float | None = None,
        watch: Watcher | None = None,
        return_when: str = ALL_COMPLETED,
    ) -> list[Status]:
        """Waits until all of `jobs` have ended, however they did; an embedded farm paints them meanwhile.

        `watch` is called a few times a second with the statuses of all of them. `return_when` is one of the words of
        concurrent.futures: FIRST_COMPLETED returns as soon as one has ended, FIRST_EXCEPTION as soon as one has failed
        or was cancelled. Raises StillPending after `timeout` seconds, which stops nothing, and NotFound.
        """
        now: list[Status] = []
        with closing(looks(self.waiting(jobs, timeout))) as seen:
            for now in seen:
                if watch is not None:
                    watch(now)
                if is_over(now, return_when):
                    break
        return now

    def as_completed(self, jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
        """Each of `jobs` once, as they end, however they do; otherwise as `wait`."""
        by_id = {job.id: job for job in jobs}
        told: set[str] = set()
        with closing(looks(self.waiting(list(by_id.values()), timeout))) as seen:
            for now in seen:
                yield from (by_id[status.id] for status in newly_ended(now, told))

    def waiting(self, jobs: Sequence[Job], timeout: float | None) -> Waiting:
        """What looks at `jobs` until they have ended, for who paces that; `wait` does it itself."""
        paint = None if self.painter is None else self.painter.add
        return Waiting(self.services, [job.id for job in jobs], timeout, paint)

    def terms(self, fields: Mapping[str, Any]) -> Terms:
        """The terms that a user gave; what is to be done first is found by its ids, which may be shortened."""
        after = fields.get("after") or ()
        named = [entry.id if isinstance(entry, Job) else entry for entry in _listed(after)]
        terms = parse_terms({**fields, "after": named})
        return terms.model_copy(update={"after": tuple(self.find_job(job_id).id for job_id in terms.after)})

    def announced(self, steered: Steered) -> int:
        """Tells workers of jobs that may be in the queue now; how many jobs it was in all."""
        if self.services.announcer is not None and steered.changed:
            # While Redis is away, the reconciler does it later.
            with suppress(ServiceUnavailable):
                self.services.announcer.announce(steered.changed)
        return len(steered)

    def check_webhook(self, url: str) -> None:
        """Raises InvalidRequest if that is no address to call, InvalidSettings if this farm could not sign the call."""
        from stylefarm.shared.webhooks.delivery import check_url

        check_url(url)
        if self.painter is not None and self.settings.webhook_secret is None:
            raise InvalidSettings("a webhook needs a secret to be signed with: set STYLEFARM_WEBHOOK_SECRET")

    def before_storing(self, intake: Intake) -> None:
        """Every service is asked first, so that nothing is stored that could not be completed."""
        self.services.queries.check()
        if self.services.announcer is not None:
            self.services.announcer.hints.check()
        intake.upload()

    def _submitted(self, what: str, ids: Sequence[str], jobs: Sequence[NewJob], limit: int | None) -> None:
        # An embedded farm has no announcer: it paints only what is waited for.
        if self.services.announcer is None:
            return
        if limit is not None or jobs[0].terms.after:
            self.announce(what, ids)
            return
        # What was just stored need not be asked for.
        terms = ((job_id, job.terms) for job_id, job in zip(ids, jobs, strict=True))
        hints = [Hint(job_id, queue_name(of.device, of.label), of.priority) for job_id, of in terms]
        with _stored(what):
            self.services.announcer.publish(hints)

    def announce(self, what: str, ids: Sequence[str]) -> None:
        """Tells workers of those of the jobs that are queued; ServiceUnavailable then says that `what` is stored."""
        if self.services.announcer is not None:
            with _stored(what):
                self.services.announcer.announce(ids)


@contextmanager
def _stored(what: str) -> Iterator[None]:
    try:
        yield
    except ServiceUnavailable as error:
        raise ServiceUnavailable(f"{what} is stored, and told to workers when Redis is back: {error}") from error


def plain(value: Any) -> Any:
    """A value as a spec and JSON take it: paths as text, also within lists and mappings."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _listed(value: Any) -> list[Any]:
    """Values as a list; one alone need not be in one, and a text is not its letters, nor a mapping its keys."""
    alone = isinstance(value, str | Mapping) or not isinstance(value, Iterable)
    return [value] if alone else list(value)


def _states(states: Iterable[State | str]) -> tuple[State, ...]:
    names = _listed(states)
    for name in names:
        if name not in list(State):
            raise InvalidRequest(f"no state {name!r}{nearest(str(name), map(str, State))}")
    return tuple(map(State, names))
