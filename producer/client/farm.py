"""The farm as a program sees it: submit, wait, look at what came out.

The same code works embedded (rendering in this process) and against servers; the settings alone decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylefarm.producer.backends.deleting import prune
from stylefarm.producer.backends.protocol import Forecast, JobSubmission, SweepFacts, SweepSubmission
from stylefarm.producer.client.items import as_list
from stylefarm.producer.client.jobs import Job
from stylefarm.producer.client.plain_values import to_plain
from stylefarm.producer.client.results import Result, Snapshot
from stylefarm.producer.client.reviewing import ReviewSession
from stylefarm.producer.client.sweeps import Sweep
from stylefarm.shared.db.records import Deletion
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.marks import Marks, parse_marks, parse_tags
from stylefarm.shared.spec.terms import Terms, check_limit, parse_terms, split_terms

if TYPE_CHECKING:
    from stylefarm.producer.grids import Grid
    from stylefarm.shared.spec.spec import JobSpec

__all__ = ["Farm", "Job", "Result", "Snapshot", "Sweep"]


class Farm(ReviewSession):
    """A connection to a farm; use it in a `with` statement, or close it.

    Closing an embedded farm puts the job that it renders back into its queue.

    Args:
        settings: which farm; by default those of the environment and of stylefarm.toml. Without servers in them the
            farm is embedded: this process renders while it waits. Or the address of a farm, which is then asked over
            HTTP: "https://farm.example.org".
        token: who asks, of a farm that is named by its address; None: the token of the settings, if it is for that
            farm.

    Raises:
        InvalidSettings: a setting is wrong; over HTTP, also the address or the token, and any method may raise it.
        ServiceUnavailable: a service does not answer; any method may raise it.
        NotMigrated: the database has another schema than this release; any method may raise it.

    Example:
        with Farm() as farm:
            farm.submit(content="cat.jpg", style="waves.jpg").result().save("cat-waves.png")
    """

    def submit(self, spec: JobSpec | None = None, /, **fields: Any) -> Job:
        """Submit one stylization.

        Args:
            spec: what to render; or leave it out and give its fields.
            **fields: `content`, `style` and any other parameter of a spec. Besides, with a spec too: `force=True`
                renders once more what was rendered before, these terms say how the job is done: `priority` (0 to 9,
                higher is sooner), `device`, `label`, `after` (jobs, or their ids, that must be done first),
                `time_limit` (seconds), `max_attempts`; and `tags` and `note` are written on it, as `Job.tag` does.

        Returns:
            The job. If its picture was rendered before, it is the job that rendered it, unless `force` is given.

        Raises:
            NotFound: a picture, or a job of `after`, is not there.
            InvalidSpec: a parameter is wrong.
            InvalidImage: a picture cannot be used.
            InvalidRequest: the request contradicts itself. After each of these, nothing is submitted.

        Example:
            job = farm.submit(content="cat.jpg", style=["waves.jpg", "night.jpg"], iterations=200, priority=8)
        """
        # Imported here, since programs that submit nothing need not wait for it.
        from stylefarm.shared.spec.spec import parse_spec

        force = fields.pop("force", False)
        marks = parse_marks({name: fields.pop(name, None) for name in Marks._fields})
        terms, fields = split_terms(fields)
        if spec is not None and fields:
            raise InvalidSpec("submit takes a spec or its fields, not both: change the spec with model_copy")
        spec = spec or parse_spec({name: to_plain(value) for name, value in fields.items()})
        submitted = self.backend.submit(JobSubmission(spec, self.terms(terms), marks, force))
        return Job(self, submitted.id, created=submitted.created)

    def train(self, *, force: bool = False, **fields: Any) -> Job:
        """Submit the training of a model.

        Args:
            force: train again what was trained before, and replace another model of that name in the end.
            **fields: `method`, `name` and any other parameter of a training; terms and marks as in `submit`.

        Returns:
            The job; the model is there once it is done. While it runs, jobs may name the model: they wait for it.

        Raises:
            InvalidSpec: a parameter is wrong, or a data set is too small.
            InvalidImage: a picture of a style cannot be used.
            InvalidRequest: the name is another model's, or no pretrained network is at hand.
            NotFound: a data set, a picture or a model is not there. After each of these, nothing is submitted.

        Example:
            farm.train(method="ulyanov", name="waves", style="waves.jpg", content_set="photos").wait()
            farm.submit(content="cat.jpg", model="waves").result().save("cat-waves.png")
        """
        from stylefarm.producer.client.training import train

        job_id, is_new = train(self, {name: to_plain(value) for name, value in fields.items()}, force=force)
        return Job(self, job_id, created=is_new)

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
        """Submit a job for each cell of a grid.

        What was submitted before is not queued again: the same sweep is found again, and a cell that belongs to another
        sweep is shared with it. The sweep that is found gets the priority, the limits of time and attempts, and the
        `max_running` that are given.

        Args:
            grid: a Grid, or the path of a sweep file; or leave it out and give `matrix` and the rest.
            matrix: the values of each axis; every combination is a cell.
            base: parameters that are the same in all cells.
            name: what to call the sweep.
            max_running: at most so many of its jobs run at a time; comes before that of the file.
            force: render all of it once more.
            skip_bad: leave out the cells whose pictures cannot be used.
            webhook: an address to call, as `Sweep.call` does.
            **more: `zip`, `include`, `exclude` and `sample` as in a sweep file; terms as in `submit`, which come
                before those of the file; `tags` and `note`, which are written on the sweep as `Sweep.tag` does; and
                `parent`, the id of the sweep from one of whose cells this one is made.

        Returns:
            The sweep; its `created`, `skipped`, `problems` and `kept` say what this submission did.

        Raises:
            NotFound: a picture, or a job of `after`, is not there.
            InvalidSpec: a parameter, or the grid, is wrong.
            InvalidImage: pictures cannot be used; the sentence names all of them.
            InvalidRequest: the request contradicts itself.
            InvalidSettings: a webhook could not be signed. After each of these, nothing is submitted.

        Example:
            sweep = farm.sweep(matrix={"content": ["cat.jpg"], "style": ["waves.jpg"], "style_weight": [2, 5, 12]})
        """
        from stylefarm.producer.grids import Grid, parse_grid, read_grid

        marks = parse_marks({name: more.pop(name, None) for name in Marks._fields})
        parent = more.pop("parent", None)
        terms, parts = split_terms(more)
        if webhook is not None:
            self.check_webhook(webhook)
        if (grid is None) == (matrix is None and "zip" not in parts):
            raise InvalidSpec("a sweep is either a grid (or its file), or a matrix: give one of the two")
        if grid is None:
            parts = {"matrix": matrix or {}, "base": base or {}, "name": name, **parts}
            grid = parse_grid(to_plain(parts), self.settings)
        elif parts:
            raise InvalidSpec(f"{min(parts)} stands in the grid, or its file: give it there")
        elif not isinstance(grid, Grid):
            grid = read_grid(Path(grid), self.settings)
        limit = check_limit(grid.max_running if max_running is None else max_running)
        given = {**grid.terms, **terms}
        made = self.backend.submit_sweep(
            SweepSubmission(grid, self.terms(given), given, limit, marks, parent, force=force, skip_bad=skip_bad)
        )
        found = self._sweep(made.sweep)
        found.created, found.skipped, found.problems = made.created, made.skipped, made.problems
        found.kept, found.folded = made.kept, made.folded
        if webhook is not None:
            found.call(webhook)
        return found

    def forecast(self, grid: Grid, *, skip_bad: bool = False) -> Forecast:
        """Check a grid as `sweep` does, and return what it would ask of the farm; no job is stored.

        A farm over HTTP is sent the pictures that it lacks, and keeps them for a day.

        Args:
            grid: the cells.
            skip_bad: leave out cells whose pictures cannot be used.

        Returns:
            How many cells there are, how many of them are to be rendered, and how long that takes.

        Raises:
            InvalidSpec: as `sweep`; so are InvalidImage, InvalidRequest and NotFound.
            OutOfMemory: a picture cannot fit into this machine's memory, in an embedded farm.

        Example:
            found = farm.forecast(read_grid(Path("cats.yaml")))
            print(found.new, "pictures,", found.hours, "hours")
        """
        submission = SweepSubmission(grid, self.terms(grid.terms), grid.terms, grid.max_running, skip_bad=skip_bad)
        return self.backend.forecast(submission)

    def find_job(self, job_id: str) -> Job:
        """Return the job of an id.

        Args:
            job_id: its id, or the beginning of it; "@last" is the newest job, "@last~1" the one before it in lists.

        Raises:
            NotFound: no job has that id.
            InvalidRequest: several ids begin like that.

        Example:
            job = farm.find_job("9a41c07d")
        """
        return Job(self, self.backend.find(job_id, "job")[1])

    def sweeps(self, limit: int = 20, tags: Iterable[str] | str = ()) -> list[Sweep]:
        """Return the newest sweeps, the newest first.

        Args:
            limit: at most so many.
            tags: only sweeps that have all of these.

        Example:
            for sweep in farm.sweeps(limit=5):
                print(sweep.id, sweep.name)
        """
        return [self._sweep(listed.sweep) for listed in self.backend.sweeps(limit, parse_tags(tags))]

    def find_sweep(self, sweep_id: str) -> Sweep:
        """Return the sweep of an id, or of a name.

        Args:
            sweep_id: its id, or the beginning of it, or its name; "@last" is the newest sweep, "@last~1" the one
                before.

        Raises:
            NotFound: no sweep has that id or name.
            InvalidRequest: several sweeps are called so; the sentence has their ids.

        Example:
            sweep = farm.find_sweep("5f0c2b1e")
        """
        return self._sweep(self.backend.sweep(self.backend.find(sweep_id, "sweep")[1]))

    def find(self, reference: str) -> Job | Sweep:
        """Return the job, or the sweep, that is called so.

        Args:
            reference: as for `find_job` and `find_sweep`; "@last" is the newest of both.

        Raises:
            NotFound: there is neither.
            InvalidRequest: it may be either, or several are called so.

        Example:
            print(farm.find("@last"))
        """
        kind, found = self.backend.find(reference)
        return Job(self, found) if kind == "job" else self._sweep(self.backend.sweep(found))

    def delete(self, items: Iterable[Job | Sweep]) -> Deletion:
        """Delete jobs and sweeps with everything that is stored for them, all or none.

        A sweep goes with its jobs, but for those that other sweeps share: each of these becomes the oldest one's own.
        Pictures and weights go that no job names any more.

        Args:
            items: jobs and sweeps.

        Returns:
            How many `sweeps`, `jobs`, `objects` and `bytes` were deleted, and how many jobs were `kept`.

        Raises:
            NotFound: one of them is not there any more.
            InvalidRequest: one of the jobs runs (cancel it first), or another job waits for it. In both cases nothing
                is deleted.

        Example:
            farm.delete(job for job in sweep if job.cancelled())
        """
        listed = list(items)
        jobs = [item.id for item in listed if isinstance(item, Job)]
        return self.backend.delete(jobs, [item.id for item in listed if isinstance(item, Sweep)])

    def prune(self, older_than: timedelta | datetime, *, dry_run: bool = False, keep_picks: bool = False) -> Deletion:
        """Delete what has been over for some time: sweeps of which each job has ended by then, and jobs of no sweep.

        What a younger sweep shares is kept, and so is what another job waits for. It may be interrupted.

        Args:
            older_than: how long ago they have ended, or a moment, aware, before which they have.
            dry_run: delete nothing, and return how much that would be.
            keep_picks: leave jobs that somebody has picked, with their sweeps.

        Returns:
            How much was deleted, as `delete` returns it.

        Example:
            farm.prune(older_than=timedelta(days=30))
        """
        return prune(self.database, older_than, dry_run=dry_run, keep_picks=keep_picks)

    def terms(self, fields: Mapping[str, Any]) -> Terms:
        """Read the terms that a user gave, in which ids of jobs may be shortened.

        Args:
            fields: terms as `submit` takes them; others of their names are left at their defaults.

        Returns:
            The terms, in which `after` has whole ids.

        Raises:
            NotFound: there is no such job.
            InvalidSpec: a term is out of range.

        Example:
            terms = farm.terms({"priority": 8, "after": ["9a41c07d"]})
        """
        after = fields.get("after") or ()
        named = [entry.id if isinstance(entry, Job) else entry for entry in as_list(after)]
        terms = parse_terms({**fields, "after": named})
        return terms.model_copy(update={"after": tuple(self.find_job(job_id).id for job_id in terms.after)})

    def _sweep(self, facts: SweepFacts) -> Sweep:
        return Sweep(self, facts.id, facts.name, facts.axes, facts.marks)
