"""What a sheet shows of each job: the objects that hold its pictures, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from stylefarm.producer.backends.protocol import PictureSource
from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.views.pictures import decode_own
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.spec.spec import BLOB


@dataclass(frozen=True)
class SheetJob:
    """A job on a sheet: its newest picture, if it has one yet, and its snapshots, by iteration.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="running", iteration=50, iterations=200, request=JobRequestRow(spec={}, notes=[]))
        >>> shown = SheetJob(Status.of(row), newest=None)
        >>> shown.progress, shown.problem
        (0.25, 'running')
    """

    status: Status
    newest: StoredObject | None
    steps: Sequence[StoredSnapshot] = ()

    @property
    def progress(self) -> float | None:
        """The share of its steps that are done, 0 to 1, of a job that has begun and not ended."""
        status = self.status
        if status.state.final or (status.state is not State.RUNNING and self.newest is None):
            return None
        return status.iteration / max(1, status.iterations)

    @property
    def problem(self) -> str:
        """Why there is no result yet, in words; empty where there is one."""
        status = self.status
        if status.state is State.DONE:
            return "" if self.newest else "missing: it has no result"
        return f"{status.state}: {status.error}" if status.error else str(status.state)


def gather_jobs(sweep: Sweep, statuses: Sequence[Status]) -> list[SheetJob]:
    """Return the jobs with the objects of their pictures.

    Args:
        sweep: which one.
        statuses: some of its jobs.

    Returns:
        The jobs, in the order of `statuses`.

    Example:
        for shown in gather_jobs(sweep, sweep.statuses()):
            print(shown.status.title, shown.problem or shown.newest)
    """
    shots = sweep.farm.backend.sweep_snapshots(sweep.id)
    return [_sheet_job(status, shots.get(status.id, [])) for status in statuses]


def picture(source: PictureSource, stored: StoredObject) -> Image.Image:
    """Fetch a picture from the object store.

    Args:
        source: where it is fetched from, such as the backend of a farm.
        stored: the object.

    Returns:
        The picture, RGB.

    Raises:
        NotFound: it was deleted.
        InvalidImage: the object is no picture.
        ServiceUnavailable: the object store does not answer.

    Example:
        picture(farm.backend, shown.newest).save("newest.png")
    """
    return decode_own(source.fetch(stored), stored.key)


def image_addresses(spec: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the content hashes of the pictures that a spec names as its content, or its style.

    Args:
        spec: a resolved spec, as JSON values.
        name: "content" or "style".

    Returns:
        Their addresses; none where the spec names no picture.

    Example:
        >>> image_addresses({"content": "sha256:1f", "style": ["sha256:2a", "sha256:3b"]}, "style")
        ('sha256:2a', 'sha256:3b')
    """
    value = spec.get(name) or ()
    return tuple([value] if isinstance(value, str) else value)


def side_by_side(source: PictureSource, hashes: Sequence[str]) -> Image.Image:
    """Join the pictures of these content hashes side by side, as high as the lowest of them.

    Args:
        source: where they are fetched from, such as the backend of a farm.
        hashes: addresses of pictures, "sha256:..."; at least one.

    Returns:
        The picture, RGB.

    Raises:
        NotFound: one of them was deleted.
        ServiceUnavailable: the object store does not answer.

    Example:
        side_by_side(farm.backend, image_addresses(job.status().spec, "style")).save("styles.png")
    """
    images = [decode_own(source.fetch(_input(one)), one) for one in hashes]
    height = min(image.height for image in images)
    images = [image.resize((max(1, image.width * height // image.height), height)) for image in images]
    joined = Image.new("RGB", (sum(image.width for image in images), height))
    left = 0
    for image in images:
        joined.paste(image, (left, 0))
        left += image.width
    return joined


def _input(address: str) -> StoredObject:
    """Return the object that holds a content, a style or a mask; how large it is, is not known."""
    sha256 = address.removeprefix(BLOB)
    return StoredObject(f"inputs/{sha256}", sha256, 0)


def _sheet_job(status: Status, shots: Sequence[StoredSnapshot]) -> SheetJob:
    # A failed job's last snapshot is not its picture.
    if status.state is State.DONE:
        newest = status.result
    elif status.state.final or not shots:
        newest = None
    else:
        newest = shots[-1].stored
    return SheetJob(status, newest, shots)
