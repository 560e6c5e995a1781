"""A farm by its own database: what a Farm asks where it has the settings of the farm itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stylefarm.producer.backends.deleting import delete
from stylefarm.producer.backends.protocol import (
    Command,
    CommandCount,
    Forecast,
    JobSubmission,
    Kind,
    SubmittedJob,
    SubmittedSweep,
    SweepFacts,
    SweepSubmission,
)
from stylefarm.producer.backends.reads import DatabaseReads
from stylefarm.producer.backends.wait_tasks import DatabaseWaitTasks
from stylefarm.shared.db.records import CommandResult, Deletion, JobSelector
from stylefarm.shared.db.states import FINAL, ArtifactRole, State
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.gc_pause import uncollected
from stylefarm.shared.spec.marks import NO_MARKS, Marks
from stylefarm.shared.spec.ratings import Rating

if TYPE_CHECKING:
    from stylefarm.shared.store.reviews import ReviewAction


class DatabaseBackend(DatabaseReads):
    """The Backend of a farm whose services are reached from here.

    Args:
        settings: which farm.

    Example:
        backend = DatabaseBackend(load_settings())
        print(backend.counts("5f0c2b1e-..."))
        backend.close()
    """

    def wait_tasks(self, ids: Sequence[str]) -> DatabaseWaitTasks:
        """See `Backend.attend`."""
        return DatabaseWaitTasks(self.services, ids, self.embedded_worker)

    def command(self, selector: JobSelector, command: Command) -> CommandCount:
        """See `Backend.command`."""
        commands = self.store.commands
        afresh = self._without_checkpoint(selector, command)
        if command.action == "cancel":
            result = commands.cancel(selector)
        elif command.action == "pause":
            result = commands.pause(selector)
        else:
            result = self._queue(selector, command)
            self.announce_changes(result)
        return CommandCount(len(result), min(afresh, len(result)))

    def mark(
        self, kind: Kind, row_id: str, add: Sequence[str] = (), remove: Sequence[str] = (), note: str | None = None
    ) -> Marks:
        """See `Backend.mark`."""
        marks = self.store.marks
        change = marks.of_job if kind == "job" else marks.of_sweep
        return change(row_id, add, remove, note)

    def rate(self, changes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Rating]:
        """See `Backend.rate`."""
        return self.store.reviews.rate(self.settings.user, changes).ratings

    def undo(self) -> ReviewAction | None:
        """See `Backend.undo`."""
        return self.store.reviews.undo(self.settings.user)

    def redo(self) -> ReviewAction | None:
        """See `Backend.redo`."""
        return self.store.reviews.redo(self.settings.user)

    def delete(self, jobs: Sequence[str], sweeps: Sequence[str]) -> Deletion:
        """See `Backend.delete`."""
        return delete(self, jobs, sweeps)

    def submit(self, submission: JobSubmission) -> SubmittedJob:
        """See `Backend.submit`."""
        # Imported here, since programs that submit nothing need not wait for it.
        from stylefarm.producer.submission.resolver import SpecResolver

        resolver = SpecResolver(self.services)
        job = dataclasses.replace(resolver.resolve(submission.spec, terms=submission.terms), marks=submission.marks)
        rendered = None if submission.force else self.services.queries.find_done(job.key)
        if rendered is not None:
            if submission.marks != NO_MARKS:
                self.mark("job", rendered.id, submission.marks.tags, note=submission.marks.note)
            return SubmittedJob(rendered.id, created=False)
        with self.uploaded(resolver):
            ids = self.store.submissions.create([job])
        self.announce_new(f"job {ids[0]}", ids, [job], None)
        return SubmittedJob(ids[0], created=True)

    def submit_sweep(self, submission: SweepSubmission) -> SubmittedSweep:
        """See `Backend.submit_sweep`."""
        from stylefarm.producer.submission.kept_terms import kept_terms
        from stylefarm.producer.submission.resolve_grid import resolve_grid
        from stylefarm.producer.submission.resolver import SpecResolver
        from stylefarm.producer.terminal.progress import working

        grid, limit = submission.grid, submission.max_running
        resolver = SpecResolver(self.services)
        with uncollected():
            resolved = resolve_grid(resolver, grid, submission.terms, skip_bad=submission.skip_bad)
        with self.uploaded(resolver), working("submitting"), uncollected():
            stored = self.store.submissions.submit_sweep(
                grid.name, grid.axes, resolved.jobs, limit, force=submission.force, given=submission.given
            )
        sweep_id = stored.sweep_id
        queued = [job_id for job_id in dict.fromkeys(stored.ids) if job_id in stored.queued]
        if stored.new and len(queued) == len(resolved.jobs):
            self.announce_new(f"sweep {sweep_id}", queued, resolved.jobs, limit)
        else:
            # If nothing is new, an earlier submission may have stored the jobs without announcing them.
            self.announce(f"sweep {sweep_id}", queued or stored.ids)
        if submission.marks != NO_MARKS:
            self.mark("sweep", sweep_id, submission.marks.tags, note=submission.marks.note)
        if submission.parent is not None:
            self.store.marks.link(sweep_id, submission.parent)
        kept: Sequence[str] = ()
        if submission.given and len(queued) < len(stored.ids):
            kept = kept_terms(self.services.sweep_reads, sweep_id, submission.given, submission.terms)
        facts = SweepFacts.of(self.services.queries.sweep(sweep_id))
        return SubmittedSweep(facts, stored.queued, resolved.skipped, resolved.problems, kept, resolved.folded)

    def forecast(self, submission: SweepSubmission) -> Forecast:
        """See `Backend.forecast`."""
        from stylefarm.producer.backends.forecasting import forecast

        return forecast(self, submission)

    def _queue(self, selector: JobSelector, command: Command) -> CommandResult:
        """Carry out a command by which jobs may come into the queue. Raises InvalidRequest."""
        commands = self.store.commands
        if command.action == "resume":
            return commands.resume(selector)
        if command.action == "retry":
            return commands.retry(selector, _ended(command), from_checkpoint=command.from_checkpoint)
        if command.priority is None:
            raise InvalidRequest("prioritize needs a priority, 0 to 9: give one")
        return commands.reprioritize(selector, command.priority)

    def _without_checkpoint(self, selector: JobSelector, command: Command) -> int:
        """Return how many of the jobs that are tried again from their checkpoints have none."""
        if command.action != "retry" or not command.from_checkpoint:
            return 0
        if selector.sweep is not None:
            return self.services.sweep_reads.without_checkpoint(selector.sweep, _ended(command))
        if selector.job is not None:
            return 0 if self.services.queries.artifacts(selector.job, ArtifactRole.CHECKPOINT) else 1
        return 0


def _ended(command: Command) -> frozenset[State]:
    return frozenset({State.FAILED}) if command.failed else frozenset(FINAL)
