"""Delete jobs and sweeps, with what is stored for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stylefarm.producer.backends.connection import DatabaseConnection
from stylefarm.shared.db.records import Deletion
from stylefarm.shared.errors import ServiceUnavailable, StorageFull


def delete(farm: DatabaseConnection, jobs: Sequence[str] = (), sweeps: Sequence[str] = ()) -> Deletion:
    """Delete jobs, and sweeps with the jobs that no other sweep shares, all or none.

    Args:
        farm: where they are.
        jobs: whole ids of jobs.
        sweeps: whole ids of sweeps.

    Returns:
        How much that was.

    Raises:
        NotFound: one of them is not there.
        InvalidRequest: one of the jobs runs, or another job waits for it.

    Example:
        print(delete(farm, jobs=[job.id]).objects, "objects deleted")
    """
    _let_go_of_dead(farm)
    deleted = farm.store.deletions.delete(jobs, sweeps)
    return replace(deleted, inputs=_delete_objects(farm, deleted))


def prune(
    farm: DatabaseConnection, older_than: timedelta | datetime, *, dry_run: bool = False, keep_picks: bool = False
) -> Deletion:
    """Delete what was over before a moment.

    Args:
        farm: where it is.
        older_than: the moment, aware, or how long ago it was.
        dry_run: only count.
        keep_picks: leave jobs that somebody has picked, with their sweeps.

    Returns:
        How much that was, or would be.

    Example:
        print(prune(farm, timedelta(days=30), dry_run=True))
    """
    before = older_than if isinstance(older_than, datetime) else datetime.now(UTC) - older_than
    if dry_run:
        found, jobs = farm.store.deletions.prunable(before, keep_picks=keep_picks)
        return replace(found, inputs=farm.services.dropped.count_without(jobs))
    _let_go_of_dead(farm)
    deleted = farm.store.deletions.prune(before, keep_picks=keep_picks)
    return replace(deleted, inputs=_delete_objects(farm, deleted))


def _let_go_of_dead(farm: DatabaseConnection) -> None:
    """Have jobs run no more whose process was killed: on servers workers see to that."""
    if farm.settings.embedded:
        farm.store.maintenance.requeue_expired(lease=farm.settings.lease_seconds)


def _delete_objects(farm: DatabaseConnection, deleted: Deletion) -> int:
    with _deleted_all_the_same(deleted):
        count = farm.services.dropped.delete()
        if farm.settings.embedded:
            _forget_cached_files(farm)
    return count


def _forget_cached_files(farm: DatabaseConnection) -> None:
    """Delete the copies that this machine has beside the files of the object store, and that are gone there."""
    for folder in ("weights", "models"):
        for file in (farm.settings.home.expanduser() / "cache" / folder).glob("[0-9a-f]*"):
            if not farm.services.blobs.exists(f"{folder}/{file.name}"):
                file.unlink(missing_ok=True)


@contextmanager
def _deleted_all_the_same(deleted: Deletion) -> Iterator[None]:
    """Say of what goes wrong from here on that the jobs are deleted, if any are."""
    try:
        yield
    except (ServiceUnavailable, StorageFull) as error:
        if not deleted.jobs:
            raise
        raise type(error)(
            f"the jobs are deleted, and what was stored for them will be with the next deletion: {error}"
        ) from error
