"""The farm as a program sees it: submit, wait, look at what came out.

The same code works embedded (painting in this process) and against servers; the settings alone decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylefarm.producer.client.jobs import Job, Result, Snapshot
from stylefarm.producer.client.session import Session, listed, stored
from stylefarm.producer.client.sweeps import Sweep
from stylefarm.shared.db import tables
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.gc_pause import uncollected
from stylefarm.shared.queue.routes import Hint, queue_name
from stylefarm.shared.spec.terms import Terms, check_limit, parse_terms, split_terms

if TYPE_CHECKING:
    from stylefarm.producer.grids import Grid
    from stylefarm.producer.submission.submission import Intake
    from stylefarm.shared.spec.spec import JobSpec

__all__ = ["Farm", "Job", "Result", "Snapshot", "Sweep"]


class Farm(Session):
    """A connection to a farm; use it in a `with` statement, or close it.

    Every method may raise ServiceUnavailable or NotMigrated. Closing an embedded farm puts the job at hand back into
    its queue.
    """

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
        terms, fields = split_terms(fields)
        if spec is not None and fields:
            raise InvalidSpec("submit takes a spec or its fields, not both: change the spec with model_copy")
        intake = Intake(self.services)
        spec = spec or parse_spec({name: plain(value) for name, value in fields.items()})
        job = intake.resolve(spec, terms=self.terms(terms))
        painted = None if force else self.services.queries.find_done(job.spec.key)
        if painted is not None:
            return Job(self, painted.id, created=False)
        self.before_storing(intake)
        ids = self.services.store.submissions.create([job])
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

        terms, parts = split_terms(more)
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
            stored = self.services.store.submissions.submit_sweep(grid.name, grid.axes, taken.jobs, limit, force=force)
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
        return Job(self, self.services.queries.full_id(tables.JobRow, job_id))

    def sweeps(self, limit: int = 20) -> list[Sweep]:
        """The newest sweeps, the newest first."""
        rows = (listed.sweep for listed in self.services.listing.sweeps(limit))
        return [Sweep(self, row.id, row.name, row.axes) for row in rows]

    def find_sweep(self, sweep_id: str) -> Sweep:
        """The sweep of that id, which may be shortened. Raises NotFound."""
        found = self.services.queries.sweep(self.services.queries.full_id(tables.SweepRow, sweep_id))
        return Sweep(self, found.id, found.name, found.axes)

    def terms(self, fields: Mapping[str, Any]) -> Terms:
        """The terms that a user gave; what is to be done first is found by its ids, which may be shortened."""
        after = fields.get("after") or ()
        named = [entry.id if isinstance(entry, Job) else entry for entry in listed(after)]
        terms = parse_terms({**fields, "after": named})
        return terms.model_copy(update={"after": tuple(self.find_job(job_id).id for job_id in terms.after)})

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
        with stored(what):
            self.services.announcer.publish(hints)


def plain(value: Any) -> Any:
    """A value as a spec and JSON take it: paths as text, also within lists and mappings."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value
