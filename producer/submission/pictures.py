"""The pictures that the specs of a submission name: each is read, and checked, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stylefarm.producer.grids.s3_objects import SCHEME, Objects
from stylefarm.producer.submission.source import Source
from stylefarm.producer.terminal.progress import counting
from stylefarm.shared.blobs.storage import BlobStore, picture_metadata
from stylefarm.shared.errors import FarmError, InvalidImage, NotFound
from stylefarm.shared.files.paths import is_url, located
from stylefarm.shared.foreign_text import one_line
from stylefarm.shared.images.color import is_gray
from stylefarm.shared.images.decode import DecodedImage, decode, read_bytes
from stylefarm.shared.images.exif import kept_exif
from stylefarm.shared.images.recognize import HEAD_BYTES, media_type
from stylefarm.shared.images.thumbnails import MEDIA_TYPE, thumbnails
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.spec import BLOB

# Pictures decoded at a time; each may take a gigabyte.
READS = 4


class PictureReader:
    """Reads pictures: files, objects in S3, and what the farm has already.

    Args:
        settings: how large a picture may be, and how S3 is reached.
        stored: returns the bytes that the farm has, of a hash.

    Attributes:
        sources: what was read, by name.

    Example:
        reader = PictureReader(load_settings(), lambda sha256: blobs.get(f"inputs/{sha256}"))
        print(reader.source("cat.jpg").width)
    """

    def __init__(self, settings: Settings, stored: Callable[[str], bytes]) -> None:
        self.settings = settings
        self.stored = stored
        self.sources: dict[str, Source] = {}
        self._objects = Objects(settings)

    def source(self, name: str) -> Source:
        """Return what is known of a picture; it is read when it is first asked for.

        Args:
            name: a path, an s3:// address or a content hash.

        Raises:
            InvalidImage: it cannot be used.
            NotFound: it is not there.

        Example:
            source = reader.source("cat.jpg")
            print(source.width, source.height, source.address)
        """
        if name not in self.sources:
            self.sources[name] = self._read(name)
        return self.sources[name]

    def survey(self, names: Iterable[str]) -> dict[str, FarmError]:
        """Read pictures, each once.

        Args:
            names: as for `source`.

        Returns:
            What is wrong with those that cannot be used, by name.

        Example:
            for name, error in reader.survey(["cat.jpg", "waves.jpg"]).items():
                print(name, error)
        """
        distinct = dict.fromkeys(names)
        bad: dict[str, FarmError] = {}

        def read(name: str) -> None:
            try:
                self.sources[name] = self._read(name)
            except (InvalidImage, NotFound) as error:
                bad[name] = error

        unread = [name for name in distinct if name not in self.sources]
        with ThreadPoolExecutor(READS, thread_name_prefix="read") as pool, counting("pictures", len(unread)) as advance:
            for _ in pool.map(read, unread):
                advance()
        return {name: bad[name] for name in distinct if name in bad}

    def bytes_of(self, source: Source) -> bytes:
        """Return the file of a picture that was read. Raises what `source` does.

        Args:
            source: what `source` returned.

        Example:
            data = reader.bytes_of(reader.source("cat.jpg"))
        """
        return self._bytes(source.origin, source.address)

    def bytes_as_read(self, source: Source) -> bytes:
        """Return the same, once it is clear that the file is still the one that was read.

        Args:
            source: what `source` returned, of a file or an object in S3.

        Raises:
            InvalidImage: it has changed since.

        Example:
            data = reader.bytes_as_read(reader.source("cat.jpg"))
        """
        data = self.bytes_of(source)
        if content_address(data) != source.address:
            raise InvalidImage(f"{source.origin} changed while it was being submitted: submit again")
        return data

    def _read(self, name: str) -> Source:
        _check_name(name)
        origin = _origin(name)
        data = self._bytes(origin, name)
        shown = _shown(name) if origin is None else Path(origin).name
        picture = decode(data, shown if origin is None else name, max_pixels=self.settings.max_pixels)
        return Source(
            content_address(data),
            origin,
            shown,
            picture.width,
            picture.height,
            brightest=int(np.asarray(picture.image).max()),
            notes=picture.notes,
            has_exif=kept_exif(data) is not None,
            has_alpha=picture.alpha is not None,
            is_gray=is_gray(picture.image),
        )

    def _bytes(self, origin: Path | str | None, address: str) -> bytes:
        if origin is None:
            return self.stored(address.removeprefix(BLOB).partition("/")[0])
        if isinstance(origin, Path):
            return read_bytes(origin, self.settings.max_bytes)
        return self._objects.get(origin)


def content_address(data: bytes) -> str:
    """Return the content hash by which specs name a picture.

    Args:
        data: its file.

    Example:
        >>> content_address(b"")[:15]
        'sha256:e3b0c442'
    """
    return BLOB + hashlib.sha256(data).hexdigest()


def _check_name(name: str) -> None:
    """Raise InvalidImage for a name that is an address, or that cannot be stored."""
    if is_url(name) and not name.startswith(SCHEME):
        raise InvalidImage(f"{name} is a web address, and pictures are files: download it, and give the file")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidImage(f"{one_line(name)} is called by what is no UTF-8: rename the file") from None


def store_input(blobs: BlobStore, sha256: str, data: bytes, name: str, picture: DecodedImage) -> None:
    """Store a picture that a user sends in, and its thumbnails.

    Args:
        blobs: the farm's object store.
        sha256: of the file.
        data: the file.
        name: what the user calls it; may be empty.
        picture: the same, decoded.

    Raises:
        ServiceUnavailable: the object store does not answer.
        StorageFull: it is full.

    Example:
        store_input(farm.services.blobs, sha256, data, "cat.jpg", decode(data, "cat.jpg"))
    """
    metadata = picture_metadata(name, picture.width, picture.height)
    blobs.put(f"inputs/{sha256}", data, media_type(data[:HEAD_BYTES]), metadata)
    for key, thumbnail in thumbnails(sha256, picture.image).items():
        blobs.put(key, thumbnail, MEDIA_TYPE)


def _origin(name: str) -> Path | str | None:
    """Where the picture of a name is read from: a file, an address in S3, or the farm's own store."""
    if name.startswith(BLOB):
        return None
    return name if name.startswith(SCHEME) else located(name)


def _shown(address: str) -> str:
    """Return what a picture of the farm is called: its address may say so, as in "sha256:1f.../cat.jpg"."""
    return address.partition("/")[2] or address[:19]
