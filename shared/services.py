"""What a farm stands on, connected by the settings: the database and the object store."""

from __future__ import annotations

from dataclasses import dataclass

from shared.blobs import BlobStore, FolderBlobs
from shared.database import connect
from shared.queries import Queries
from shared.settings import Settings
from shared.store import Store


@dataclass(frozen=True)
class Services:
    """The two truths of a farm: state in the database, pictures in the object store."""

    settings: Settings
    store: Store
    queries: Queries
    blobs: BlobStore


def connect_services(settings: Settings) -> Services:
    """Connects both; nothing is asked of them yet. Raises InvalidSettings."""
    engine = connect(settings.database)
    return Services(settings, Store(engine), Queries(engine), _blobs(settings))


def _blobs(settings: Settings) -> BlobStore:
    if settings.s3_bucket is None:
        return FolderBlobs(settings.home.expanduser().absolute() / "objects")
    # boto3 takes a third of a second to import, which an embedded farm need not wait for.
    from shared import s3

    return s3.connect(settings)
