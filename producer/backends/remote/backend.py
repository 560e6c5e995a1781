"""The Backend of a farm over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylefarm.producer.backends.protocol import (
    Command,
    CommandCount,
    Forecast,
    JobSubmission,
    Kind,
    SubmittedJob,
    SubmittedSweep,
    SweepSubmission,
)
from stylefarm.producer.backends.remote.reads import RemoteReads
from stylefarm.producer.backends.remote.uploads import Uploads
from stylefarm.producer.backends.remote.values import action_of, forecast_of, ratings_of, submitted_sweep_of
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import Deletion, JobSelector
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.spec.ratings import Rating

if TYPE_CHECKING:
    from stylefarm.shared.store.reviews import ReviewAction


class RemoteWaitTasks:
    """What a program does for a farm over HTTP while it waits: nothing, since the farm sees to its jobs itself."""

    renders = False

    def before_poll(self) -> None:
        """Do nothing."""

    def after_poll(self, statuses: Sequence[Status]) -> None:
        """Do nothing."""

    def rest(self, seconds: float) -> None:
        """Wait so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Do nothing."""


class RemoteBackend(RemoteReads):
    """The Backend of a farm whose API is reached from here.

    Example:
        backend = RemoteBackend(load_settings().over_http("https://farm.example.org", "..."))
        print(backend.sweeps(5))
        backend.close()
    """

    def wait_tasks(self, ids: Sequence[str]) -> RemoteWaitTasks:
        """See `Backend.attend`."""
        return RemoteWaitTasks()

    def command(self, selector: JobSelector, command: Command) -> CommandCount:
        """See `Backend.command`."""
        body: dict[str, Any] = {"action": command.action, "from_checkpoint": command.from_checkpoint}
        if command.priority is not None:
            body["priority"] = command.priority
        if selector.sweep is not None:
            path = f"/sweeps/{selector.sweep}/actions"
            body |= {"own": True, "failed": command.failed}
        else:
            path = f"/jobs/{selector.job}/actions"
        answered = self.connection.post(path, body)
        return CommandCount(answered["changed"], answered["afresh"])

    def mark(
        self, kind: Kind, row_id: str, add: Sequence[str] = (), remove: Sequence[str] = (), note: str | None = None
    ) -> Marks:
        """See `Backend.mark`."""
        body = {"add": list(add), "remove": list(remove), "note": note}
        answered = self.connection.patch(f"/{kind}s/{row_id}/marks", body)
        return Marks(tuple(answered["tags"]), answered["note"])

    def rate(self, changes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Rating]:
        """See `Backend.rate`."""
        ratings = [{"job": job_id, **change} for job_id, change in changes.items()]
        return ratings_of(self.connection.post("/ratings", {"ratings": ratings}))

    def undo(self) -> ReviewAction | None:
        """See `Backend.undo`."""
        return action_of(self.connection.post("/undo", None)["undone"])

    def redo(self) -> ReviewAction | None:
        """See `Backend.redo`."""
        return action_of(self.connection.post("/redo", None)["redone"])

    def delete(self, jobs: Sequence[str], sweeps: Sequence[str]) -> Deletion:
        """See `Backend.delete`."""
        if not jobs and not sweeps:
            return Deletion()
        return Deletion(**self.connection.post("/deletions", {"jobs": list(jobs), "sweeps": list(sweeps)})["deleted"])

    def submit(self, submission: JobSubmission) -> SubmittedJob:
        """See `Backend.submit`."""
        # Imported here, since programs that submit nothing need not wait for it.
        from stylefarm.producer.backends.remote.submissions import job_document

        uploads = Uploads(self.connection, self.settings)
        body = job_document(submission, uploads)
        uploads.send()
        answered = self.connection.submit("/jobs", body, str(uuid.uuid4()))
        return SubmittedJob(answered["job"]["id"], answered["created"])

    def submit_sweep(self, submission: SweepSubmission) -> SubmittedSweep:
        """See `Backend.submit_sweep`."""
        from stylefarm.producer.backends.remote.submissions import sweep_document
        from stylefarm.producer.terminal.progress import working

        uploads = Uploads(self.connection, self.settings)
        body, skipped, problems = sweep_document(submission, uploads)
        uploads.send()
        with working("submitting"):
            made = submitted_sweep_of(self.connection.submit("/sweeps", body, str(uuid.uuid4())))
        return replace(made, skipped=made.skipped + skipped, problems=(*problems, *made.problems))

    def forecast(self, submission: SweepSubmission) -> Forecast:
        """See `Backend.forecast`."""
        from stylefarm.producer.backends.remote.submissions import sweep_document

        uploads = Uploads(self.connection, self.settings)
        body, skipped, problems = sweep_document(submission, uploads)
        uploads.send()
        answered = self.connection.post("/sweeps:validate", body, again=True)
        found = forecast_of(answered)
        cells, left_out = found.cells + skipped, found.skipped + skipped
        return replace(found, cells=cells, skipped=left_out, notes=[*problems, *found.notes])
