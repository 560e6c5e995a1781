"""What can be done to a job: cancel, pause, resume, retry, reprioritize, tag, rate, delete."""

from __future__ import annotations

from collections.abc import Iterable

from stylefarm.producer.backends.protocol import Command
from stylefarm.producer.client.reviewing import rate
from stylefarm.producer.client.session import Session
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.spec.marks import parse_marks, parse_tags
from stylefarm.shared.spec.ratings import KEPT, Flag, Kept, Rating
from stylefarm.shared.spec.terms import parse_terms


class JobCommands:
    """The commands of a Job.

    Args:
        farm: the connection that it is asked through.
        job_id: its whole id.

    Example:
        job = farm.find_job("9a41c07d")
        job.pause()
    """

    def __init__(self, farm: Session, job_id: str) -> None:
        self.farm = farm
        self.id = job_id

    def cancel(self) -> bool:
        """Cancel the job; a running one stops within one heartbeat.

        Returns:
            False if it had ended already.

        Example:
            job.cancel()
        """
        return self._command(Command("cancel"))

    def pause(self) -> bool:
        """Take the job out of the queue until it is resumed.

        A running job is stopped within one heartbeat, its state stored; it goes on from there.

        Returns:
            False if it has ended, or is paused already.

        Example:
            job.pause()
        """
        return self._command(Command("pause"))

    def resume(self) -> bool:
        """Put a paused job back into the queue, or withdraw the request to pause it.

        Returns:
            False if it is not paused.

        Example:
            job.resume()
        """
        return self._command(Command("resume"))

    def retry(self, *, from_checkpoint: bool = False) -> bool:
        """Render a job that has ended once more.

        Args:
            from_checkpoint: go on from the last checkpoint, if one was stored, instead of from the beginning.

        Returns:
            False if it has not ended yet.

        Example:
            job.retry(from_checkpoint=True)
        """
        return self._command(Command("retry", from_checkpoint=from_checkpoint))

    def reprioritize(self, priority: int) -> bool:
        """Change how urgent the job is.

        Args:
            priority: 0 to 9; jobs of a higher priority are rendered first.

        Returns:
            False if it has ended.

        Raises:
            InvalidSpec: `priority` is out of range.

        Example:
            job.reprioritize(8)
        """
        checked = parse_terms({"priority": priority}).priority
        return self._command(Command("prioritize", priority=checked))

    reprioritise = reprioritize

    def tag(self, *tags: str, remove: Iterable[str] = (), note: str | None = None) -> tuple[str, ...]:
        """Add tags to the job, by which lists can be filtered.

        Args:
            *tags: small letters, digits and . _ : / -, each at most 63.
            remove: tags to take away.
            note: what to write about it, in place of what was written before; an empty text removes it.

        Returns:
            The tags that it has then.

        Raises:
            InvalidSpec: no tag can be called so.

        Example:
            job.tag("best", remove=["maybe"])
        """
        marks = parse_marks({"tags": tags, "note": note})
        return self.farm.backend.mark("job", self.id, marks.tags, parse_tags(remove), note).tags

    def rate(self, *, stars: int | Kept | None = KEPT, flag: Flag | Kept | None = KEPT) -> Rating:
        """Say what the user thinks of the picture; `Farm.undo` takes it back.

        Args:
            stars: 0 to 5; None clears them; left out, they stay.
            flag: "pick" or "reject"; None clears it; left out, it stays.

        Returns:
            The rating that the job has then.

        Raises:
            InvalidRequest: neither is given, or there is no such value.
            NotFound: the job was deleted.

        Example:
            job.rate(stars=4, flag="pick")
        """
        return rate(self.farm, [self], stars=stars, flag=flag)[self.id]

    def delete(self) -> None:
        """Delete the job and everything that is stored for it; the cells of sweeps that it was in are empty then.

        Raises:
            InvalidRequest: it runs (cancel it first), or another job waits for it.
            NotFound: it was deleted already.

        Example:
            if job.cancelled():
                job.delete()
        """
        self.farm.backend.delete([self.id], [])

    def _command(self, command: Command) -> bool:
        return self.farm.backend.command(JobSelector(job=self.id), command).changed > 0
