"""The connection to a farm's own services, and telling its workers what is queued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from stylefarm.shared.db.connection import new_engine
from stylefarm.shared.db.records import CommandResult, NewJob
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.queue.routes import Hint, queue_name
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings

if TYPE_CHECKING:
    from stylefarm.producer.backends.embedded import EmbeddedWorker
    from stylefarm.producer.submission.resolver import SpecResolver
    from stylefarm.producer.submission.training_resolver import TrainingResolver
    from stylefarm.shared.store import Store


class DatabaseConnection:
    """A connection to the services of a farm; an embedded farm renders in this process.

    Args:
        settings: which farm.

    Example:
        connection = DatabaseConnection(load_settings())
        connection.check_schema()
        connection.close()
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # An engine of its own, so that closing one farm closes no connection of another.
        self.services = Services(settings, new_engine(settings.database))
        self.embedded_worker: EmbeddedWorker | None = None
        if settings.embedded:
            # Imported here, since programs that use a farm on servers need not wait for it.
            from stylefarm import migrations
            from stylefarm.producer.backends.embedded import EmbeddedWorker

            migrations.upgrade(self.services.engine)
            self.embedded_worker = EmbeddedWorker(self.services)

    @property
    def address(self) -> str:
        """The URL of the database, without its password."""
        return make_url(self.settings.database).render_as_string(hide_password=True)

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
            connection.check_schema()
        """
        if not self.settings.embedded:
            from stylefarm import migrations

            migrations.check(self.services.engine)

    def close(self) -> None:
        """Stop rendering, and let go of the database.

        Example:
            connection.close()
        """
        if self.embedded_worker is not None:
            self.embedded_worker.close()
        self.services.engine.dispose()

    @contextmanager
    def uploaded(self, resolver: SpecResolver | TrainingResolver) -> Iterator[None]:
        """Check that every service answers, then upload the pictures, so that no job is stored without them.

        In the `with` block the jobs are stored; nothing that they name is deleted before.

        Args:
            resolver: has resolved the specs of a submission.

        Raises:
            ServiceUnavailable: a service does not answer.
            NotMigrated: the database has the schema of another release.
            StorageFull: the pictures do not fit.

        Example:
            resolver = SpecResolver(connection.services)
            job = resolver.resolve(parse_spec({"content": "cat.jpg", "style": "waves.jpg"}))
            with connection.uploaded(resolver):
                ids = connection.store.submissions.create([job])
        """
        self.services.queries.check()
        self.check_schema()
        if self.services.announcer is not None:
            self.services.announcer.hints.check()
        with self.store.holds.holding(resolver.keys):
            resolver.upload()
            yield

    def announce(self, what: str, ids: Sequence[str]) -> None:
        """Tell workers of those of the jobs that are queued.

        Args:
            what: what an error calls them, e.g. "job 9a41c07d".
            ids: whole ids of jobs.

        Raises:
            ServiceUnavailable: Redis is away; the sentence says that `what` is stored all the same.

        Example:
            connection.announce(f"job {job.id}", [job.id])
        """
        if self.services.announcer is not None:
            with stored_despite_broker(what):
                self.services.announcer.announce(ids)

    def announce_new(self, what: str, ids: Sequence[str], jobs: Sequence[NewJob], limit: int | None) -> None:
        """Tell workers of jobs that were stored just now.

        Args:
            what: as for `announce`.
            ids: whole ids of the jobs.
            jobs: the same, as they were submitted.
            limit: how many of them may run at a time.

        Raises:
            ServiceUnavailable: as `announce`.

        Example:
            connection.announce_new(f"job {ids[0]}", ids, [job], None)
        """
        # An embedded farm has no announcer: it renders only what is waited for.
        if self.services.announcer is None:
            return
        if limit is not None or jobs[0].terms.after:
            self.announce(what, ids)
            return
        # The terms are known here, so that the database need not be queried.
        terms = ((job_id, job.terms) for job_id, job in zip(ids, jobs, strict=True))
        hints = [Hint(job_id, queue_name(of.device, of.label), of.priority) for job_id, of in terms]
        with stored_despite_broker(what):
            self.services.announcer.publish(hints)

    def announce_changes(self, result: CommandResult) -> None:
        """Tell workers of jobs that may be in the queue now.

        Args:
            result: what a command on jobs returned.

        Example:
            connection.announce_changes(connection.store.commands.resume(JobSelector(sweep=sweep.id)))
        """
        if self.services.announcer is not None and result.changed:
            # If Redis does not answer, the reconciler announces them later.
            with suppress(ServiceUnavailable):
                self.services.announcer.announce(result.changed)


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
