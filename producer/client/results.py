"""The pictures of a job: its result, and its snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylefarm.producer.backends.protocol import PictureSource
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.files.atomic import write_atomically

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Result:
    """A finished picture: the bytes of its file, and the suffix that belongs to them (".png").

    Example:
        job.result().save("cat-waves.png")
    """

    data: bytes = field(repr=False)
    suffix: str

    @property
    def image(self) -> Image.Image:
        """The picture, RGB. Raises InvalidImage where the bytes are not those of a picture.

        Example:
            width, height = job.result().image.size
        """
        from stylefarm.producer.views.pictures import decode_own

        return decode_own(self.data, "the result")

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook, its longer side at 512 pixels at most."""
        from stylefarm.producer.views.notebook import small_png

        return small_png(self.image)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the file, whole or not at all.

        Args:
            path: where to; its suffix must be that of the format, or none of a picture.
            force: replace a file that is there.

        Returns:
            The path.

        Raises:
            InvalidRequest: `path` exists (and no `force`), names another format, or cannot be written.
            StorageFull: the disk is full.

        Example:
            job.result().save("cat-waves.png", force=True)
        """
        from stylefarm.shared.images.encode import check_suffix

        path = Path(path)
        check_suffix(path, self.suffix)
        write_atomically(path, self.data, force=force)
        return path


@dataclass(frozen=True)
class Snapshot:
    """The picture after `iteration` steps, in the object store.

    Example:
        for snapshot in job.snapshots():
            snapshot.fetch().save(f"{snapshot.iteration:06}.png")
    """

    iteration: int
    stored: StoredObject
    source: PictureSource

    def fetch(self) -> Result:
        """Fetch its file.

        Raises:
            NotFound: it was deleted.
            ServiceUnavailable: the object store does not answer.

        Example:
            job.snapshots()[-1].fetch().save("last.png")
        """
        return fetch_result(self.source, self.stored)

    @property
    def image(self) -> Image.Image:
        """The picture, RGB; fetched again each time. Raises what `fetch` does.

        Example:
            job.snapshots()[0].image.show()
        """
        return self.fetch().image


def fetch_result(source: PictureSource, stored: StoredObject) -> Result:
    """Return the picture of a stored object, checked by its hash.

    Args:
        source: where it is fetched from, such as the backend of a farm.
        stored: the object.

    Raises:
        NotFound: it was deleted.
        ServiceUnavailable: the object store does not answer, or returns other bytes.

    Example:
        fetch_result(farm.backend, job.status().result).save("cat-waves.png")
    """
    return Result(source.fetch(stored), Path(stored.key).suffix)
