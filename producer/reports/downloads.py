"""Results and snapshots as files in a folder; what is there already is not fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylefarm.producer.backends.protocol import PictureSource
from stylefarm.producer.client.farm import Job, Sweep
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.terminal.progress import counting
from stylefarm.producer.views.file_names import file_names
from stylefarm.producer.views.selection import select
from stylefarm.producer.views.status import Status
from stylefarm.shared.blobs.storage import read_chunks
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.errors import FarmError, InvalidRequest, NotFound
from stylefarm.shared.files.atomic import check_writable, make_folder, write_atomically


@dataclass(frozen=True)
class DownloadItem:
    """A picture of a job, and the file that it becomes; `cell` has the values of its cell in the sweep.

    Example:
        for item in download_sweep(sweep, "results").written:
            print(item.job, item.path, item.stored.bytes)
    """

    path: Path
    job: str
    stored: StoredObject
    cell: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Downloaded:
    """The files that are in the folder now: those that were written, and those that were there already.

    `missing` is how many of the jobs have no result yet.

    Example:
        done = download_sweep(sweep, "results")
        print(len(done.written), "new files,", done.missing, "not rendered yet")
    """

    written: Sequence[DownloadItem]
    kept: Sequence[DownloadItem]
    missing: int = 0


def download_sweep(
    sweep: Sweep,
    folder: str | Path,
    *,
    where: Mapping[str, Sequence[Any]] | None = None,
    snapshots: bool = False,
    force: bool = False,
) -> Downloaded:
    """Write every result of a sweep under the name of its cell, e.g. `cat_waves_style_weight-10.png`.

    Each file appears whole. A file that has the bytes of the result already is left alone, so that the same call
    continues after an interruption, after a full disk, or when more is rendered.

    Args:
        sweep: what is downloaded.
        folder: is made if need be.
        where: the values that are wanted of some axes.
        snapshots: also those of each job, e.g. `cat_waves_style_weight-10_snapshots/000050.png`.
        force: overwrite files of these names that hold something else.

    Returns:
        What was written, what was there, and how many are missing.

    Raises:
        InvalidRequest: there is no such axis or value, or a file of that name holds something else; nothing is written.
        NotFound: the objects of some results were deleted; the others are written.
        StorageFull: the disk is full; what was written stays, and nothing is half-written.
        ServiceUnavailable: likewise.

    Example:
        download_sweep(sweep, "results", where={"style_weight": [10]})
    """
    statuses = sweep.statuses()
    names = {id(status): name for status, name in zip(statuses, file_names(statuses), strict=True)}
    chosen = select(sweep.axes, statuses, where=where).statuses
    shots = sweep.farm.backend.sweep_snapshots(sweep.id) if snapshots else {}
    wanted: list[DownloadItem] = []
    for status in chosen:
        name = names[id(status)]
        if (stored := status.result) is not None:
            wanted.append(_item(Path(folder), name, status, stored))
        below = Path(folder, f"{name}_snapshots")
        wanted += [_item(below, f"{shot.iteration:06}", status, shot.stored) for shot in shots.get(status.id, ())]
    found = _download(sweep.farm.backend, Path(folder), wanted, force)
    return Downloaded(found.written, found.kept, sum(status.result is None for status in chosen))


def download_snapshots(job: Job, folder: str | Path, *, force: bool = False) -> Downloaded:
    """Write the snapshots of a job, each named by its iteration, e.g. `000050.png`.

    Args:
        job: whose snapshots.
        folder: is made if need be.
        force: overwrite files of these names that hold something else.

    Returns:
        What was written, and what was there.

    Raises:
        NotFound: the job has no snapshots.
        InvalidRequest: as `download_sweep`; so are StorageFull and ServiceUnavailable.

    Example:
        download_snapshots(job, "steps")
    """
    status = job.status()
    wanted = [_item(Path(folder), f"{shot.iteration:06}", status, shot.stored) for shot in job.snapshots()]
    if not wanted:
        raise NotFound(f"job {job.id} has no snapshots (yet): render with snapshot_every, e.g. 10")
    return _download(job.farm.backend, Path(folder), wanted, force)


def download_job(job: Job, folder: str | Path, *, force: bool = False) -> Downloaded:
    """Write the result of a job, called by its pictures, and its snapshots, each named by its iteration.

    Args:
        job: whose pictures; what is not rendered yet is left out.
        folder: is made if need be.
        force: overwrite files of these names that hold something else.

    Returns:
        What was written, and what was there.

    Raises:
        InvalidRequest: as `download_sweep`; so are StorageFull and ServiceUnavailable.

    Example:
        download_job(job, "cat-waves")
    """
    status = job.status()
    wanted = [_item(Path(folder), f"{shot.iteration:06}", status, shot.stored) for shot in job.snapshots()]
    if status.result is not None:
        wanted.append(_item(Path(folder), file_names([status])[0], status, status.result))
    return _download(job.farm.backend, Path(folder), wanted, force)


def _item(folder: Path, name: str, status: Status, stored: StoredObject) -> DownloadItem:
    return DownloadItem(folder / (name + Path(stored.key).suffix), status.id, stored, status.cell)


def _download(source: PictureSource, folder: Path, wanted: Sequence[DownloadItem], force: bool) -> Downloaded:
    with _new_folders([folder, *(one.path.parent for one in wanted)]):
        return _download_into(source, folder, wanted, force)


@contextmanager
def _new_folders(folders: Iterable[Path]) -> Iterator[None]:
    """Remove those of some folders that the block makes if it fails and leaves nothing in them."""
    new = [path for path in dict.fromkeys(folders) if not path.exists()]
    try:
        yield
    except FarmError:
        for path in sorted(new, key=lambda path: -len(path.parts)):
            with suppress(OSError):
                path.rmdir()
        raise


def _download_into(source: PictureSource, folder: Path, wanted: Sequence[DownloadItem], force: bool) -> Downloaded:
    make_folder(folder)
    check_writable(folder / ".stylefarm", force=True)
    there = [one for one in wanted if one.path.exists()]
    with counting("files compared", len(there)) as advance:
        alike = in_parallel(there, _is_alike, advance)
    kept = {one.path: one for one, same in zip(there, alike, strict=True) if same is True}
    foreign = [one.path for one in there if one.path not in kept]
    if foreign and not force:
        others = f", and so do {len(foreign) - 1} others" if len(foreign) > 1 else ""
        raise InvalidRequest(
            f"{foreign[0]} holds something else{others}: give force=True to write over it, or another path",
            flag="force",
        )
    left = [one for one in wanted if one.path not in kept]
    for parent in {one.path.parent for one in left}:
        make_folder(parent)
    with counting("files", len(left)) as advance:
        made = in_parallel(left, lambda one: _fetch(source, one, force), advance)
    failed = [one for one in made if isinstance(one, FarmError)]
    if failed:
        what = f"{len(failed)} of {len(wanted)} files cannot be written, the others are there"
        raise type(failed[0])(f"{what}: {failed[0]}")
    return Downloaded(left, list(kept.values()))


def _is_alike(wanted: DownloadItem) -> bool:
    """Return whether an existing file has the wanted bytes."""
    if not wanted.path.is_file() or wanted.path.stat().st_size != wanted.stored.bytes:
        return False
    sha256 = hashlib.sha256()
    for chunk in read_chunks(wanted.path):
        sha256.update(chunk)
    return sha256.hexdigest() == wanted.stored.sha256


def _fetch(source: PictureSource, wanted: DownloadItem, force: bool) -> None:
    write_atomically(wanted.path, source.fetch(wanted.stored), force=force)
