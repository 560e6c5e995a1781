"""What can be done to a sweep: cancel, pause, resume, retry, reprioritize, tag, call somebody, delete."""

from __future__ import annotations

from collections.abc import Iterable

from stylefarm.producer.backends.protocol import Command
from stylefarm.producer.client.session import Session
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.db.tables import WebhookRow
from stylefarm.shared.spec.marks import NO_MARKS, Marks, parse_marks, parse_tags
from stylefarm.shared.spec.terms import parse_terms


class SweepCommands:
    """The commands of a Sweep.

    Args:
        farm: the connection that it is asked through.
        sweep_id: its whole id.
        marks: its tags and its note.

    Example:
        sweep = farm.find_sweep("5f0c2b1e")
        sweep.pause()
    """

    def __init__(self, farm: Session, sweep_id: str, marks: Marks = NO_MARKS) -> None:
        self.farm = farm
        self.id = sweep_id
        self.tags, self.note = marks

    def cancel(self) -> int:
        """Cancel all of its jobs that have not ended; those that run stop within one heartbeat.

        Returns:
            How many jobs were cancelled or asked to stop.

        Example:
            print(sweep.cancel(), "jobs cancelled")
        """
        return self._command(Command("cancel"))

    def pause(self) -> int:
        """Pause all of its jobs that have not ended; those that run are stopped within one heartbeat.

        Returns:
            How many jobs were paused or asked to.

        Example:
            sweep.pause()
        """
        return self._command(Command("pause"))

    def resume(self) -> int:
        """Resume its paused jobs.

        Returns:
            How many there were.

        Example:
            sweep.resume()
        """
        return self._command(Command("resume"))

    def retry(self, *, failed: bool = False, from_checkpoint: bool = False) -> int:
        """Render all of its jobs that have ended once more.

        Args:
            failed: only those that failed.
            from_checkpoint: go on from the last checkpoint, where one was stored, instead of from the beginning.

        Returns:
            How many jobs are tried again.

        Example:
            sweep.retry(failed=True)
        """
        return self._command(Command("retry", failed=failed, from_checkpoint=from_checkpoint))

    def reprioritize(self, priority: int) -> int:
        """Change how urgent its jobs are.

        Args:
            priority: 0 to 9; jobs of a higher priority are rendered first.

        Returns:
            How many jobs had not ended.

        Raises:
            InvalidSpec: `priority` is out of range.

        Example:
            sweep.reprioritize(2)
        """
        checked = parse_terms({"priority": priority}).priority
        return self._command(Command("prioritize", priority=checked))

    reprioritise = reprioritize

    def delete(self) -> int:
        """Delete the sweep with everything that is stored for its jobs; those that other sweeps share are kept.

        Returns:
            How many jobs were deleted.

        Raises:
            InvalidRequest: one of its jobs runs (cancel it first), or another job waits for one of them; nothing is
                deleted.
            NotFound: it was deleted already.

        Example:
            print(sweep.delete(), "jobs deleted")
        """
        return self.farm.backend.delete([], [self.id]).jobs

    def tag(self, *tags: str, remove: Iterable[str] = (), note: str | None = None) -> tuple[str, ...]:
        """Add tags to the sweep, by which lists can be filtered.

        Args:
            *tags: small letters, digits and . _ : / -, each at most 63.
            remove: tags to take away.
            note: what to write about it, in place of what was written before; an empty text removes it.

        Returns:
            The tags that it has then.

        Raises:
            InvalidSpec: no tag can be called so.

        Example:
            sweep.tag("cats", "for-print", note="the client likes the third one")
        """
        marks = parse_marks({"tags": tags, "note": note})
        changed = self.farm.backend.mark("sweep", self.id, marks.tags, parse_tags(remove), note)
        self.tags, self.note = changed
        return self.tags

    def call(self, url: str | None) -> None:
        """Have an address called once when the first job fails, and once when all have ended.

        What has happened already is reported, too. Workers make the call, or an embedded farm while it waits.

        Args:
            url: an http or https address; None: nobody is called.

        Raises:
            InvalidRequest: it is no address to call.
            InvalidSettings: an embedded farm has no secret to sign with.

        Example:
            sweep.call("https://example.org/rendered")
        """
        if url is not None:
            self.farm.check_webhook(url)
        self.farm.check_schema()
        self.farm.services.webhooks.set(self.id, url)

    def calls(self) -> list[WebhookRow]:
        """Return what is called for which event, and how that went.

        Example:
            for call in sweep.calls():
                print(call.event, call.delivered_at, call.error)
        """
        return self.farm.services.webhooks.of(self.id)

    def _command(self, command: Command) -> int:
        return self.farm.backend.command(JobSelector(sweep=self.id), command).changed
