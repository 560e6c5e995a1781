"""The services of a farm, connected by its settings: database, object store, and what uses them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from stylefarm.shared.blobs.storage import BlobStore, FolderBlobs
from stylefarm.shared.db.connection import connect
from stylefarm.shared.queries.cells import CellReads
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.lists import Listing
from stylefarm.shared.queries.reviews import ReviewReads
from stylefarm.shared.queries.sweeps import SweepReads
from stylefarm.shared.settings import Settings

if TYPE_CHECKING:
    from stylefarm.shared.dispatch.announcer import Announcer
    from stylefarm.shared.dispatch.dropped import DroppedObjects
    from stylefarm.shared.dispatch.reconcile import Reconciler
    from stylefarm.shared.dispatch.workers import WorkerRegistry
    from stylefarm.shared.store import Store
    from stylefarm.shared.webhooks.caller import WebhookCaller
    from stylefarm.shared.webhooks.subscriptions import Webhooks


@dataclass(frozen=True)
class Services:
    """Every service of a farm: its state is in the database, its objects are in the object store.

    What a command that only looks does without is imported when it is first used.
    """

    settings: Settings
    engine: Engine

    @cached_property
    def queries(self) -> Queries:
        """The queries about jobs."""
        return Queries(self.engine)

    @cached_property
    def store(self) -> Store:
        """Every change to the state of jobs."""
        from stylefarm.shared.store import Store

        return Store(self.engine)

    @cached_property
    def blobs(self) -> BlobStore:
        """The object store. Raises InvalidSettings."""
        if self.settings.s3_bucket is None:
            return FolderBlobs(self.settings.home.expanduser().absolute() / "objects")
        from stylefarm.shared.blobs import s3

        return s3.connect(self.settings)

    @cached_property
    def dropped(self) -> DroppedObjects:
        """What deleted jobs have left in the object store."""
        from stylefarm.shared.dispatch.dropped import DroppedObjects

        return DroppedObjects(self.engine, self.blobs)

    @cached_property
    def workers(self) -> WorkerRegistry:
        """The workers of the farm."""
        from stylefarm.shared.dispatch.workers import WorkerRegistry

        return WorkerRegistry(self.engine)

    @cached_property
    def sweep_reads(self) -> SweepReads:
        """The queries about whole sweeps."""
        return SweepReads(self.engine)

    @cached_property
    def cell_reads(self) -> CellReads:
        """The queries about the cells of sweeps, for pages."""
        return CellReads(self.engine)

    @cached_property
    def review_reads(self) -> ReviewReads:
        """The queries about ratings and votes."""
        return ReviewReads(self.engine)

    @cached_property
    def listing(self) -> Listing:
        """Lists of jobs and sweeps."""
        return Listing(self.engine)

    @cached_property
    def announcer(self) -> Announcer | None:
        """The announcer of queued jobs; an embedded farm has none. Raises InvalidSettings."""
        if self.settings.broker_url is None:
            return None
        from stylefarm.shared.dispatch.announcer import Announcer
        from stylefarm.shared.dispatch.backlog import Backlog
        from stylefarm.shared.queue.hints import Hints

        hints = Hints(self.settings.broker_url.get_secret_value())
        return Announcer(Backlog(self.engine), hints, self.settings.hint_window)

    @cached_property
    def webhooks(self) -> Webhooks:
        """The webhooks of sweeps."""
        from stylefarm.shared.webhooks.subscriptions import Webhooks

        return Webhooks(self.engine)

    @cached_property
    def webhook_caller(self) -> WebhookCaller:
        """The caller of webhooks."""
        from stylefarm.shared.webhooks.caller import WebhookCaller

        secret = self.settings.webhook_secret
        return WebhookCaller(
            self.webhooks,
            None if secret is None else secret.get_secret_value(),
            allow_private=self.settings.webhook_private,
        )

    @cached_property
    def reconciler(self) -> Reconciler | None:
        """The reconciler; an embedded farm, which is one process, needs none. Raises InvalidSettings."""
        if self.announcer is None:
            return None
        from stylefarm.shared.dispatch.orphans import Orphans
        from stylefarm.shared.dispatch.reconcile import Reconciler

        orphans = Orphans(self.engine, self.blobs)
        period, lease = self.settings.reconcile_seconds, self.settings.lease_seconds
        return Reconciler(self.store, self.announcer, orphans, period=period, lease=lease)


def connect_services(settings: Settings) -> Services:
    """Connect both, on the engine that the process shares; no service is called yet. Raises InvalidSettings."""
    return Services(settings, connect(settings.database))
