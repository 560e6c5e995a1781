"""The manifest of a data set: its pictures by their hashes, in a fixed order, as one object of the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from stylefarm.shared.blobs.storage import BlobStore, fetch_verified
from stylefarm.shared.errors import InvalidRequest

FOLDER = "datasets"


@dataclass(frozen=True)
class ListedPicture:
    """A picture of a data set: the hash and the size of its file, its width and height, and what its user calls it."""

    sha256: str
    bytes: int
    width: int
    height: int
    name: str


@dataclass(frozen=True)
class Manifest:
    """The pictures of a data set, each once, ordered by hash: equal pictures make one data set, whatever their names.

    Example:
        >>> Manifest.of([ListedPicture("5e" * 32, 9, 4, 4, "b.png"), ListedPicture("ca" * 32, 9, 4, 4, "a.png")]).names
        ('b.png', 'a.png')
    """

    pictures: tuple[ListedPicture, ...]

    @classmethod
    def of(cls, pictures: Sequence[ListedPicture]) -> Manifest:
        """Return the manifest of these pictures; of equal ones the first is kept."""
        found: dict[str, ListedPicture] = {}
        for picture in pictures:
            found.setdefault(picture.sha256, picture)
        return cls(tuple(found[sha256] for sha256 in sorted(found)))

    @property
    def names(self) -> tuple[str, ...]:
        """What its user calls the pictures."""
        return tuple(picture.name for picture in self.pictures)

    @property
    def size(self) -> int:
        """The size of all files, in bytes."""
        return sum(picture.bytes for picture in self.pictures)

    @property
    def document(self) -> bytes:
        """The manifest as it is stored."""
        return json.dumps({"pictures": [asdict(picture) for picture in self.pictures]}).encode()

    @property
    def sha256(self) -> str:
        """The hash of the document, in hex."""
        return hashlib.sha256(self.document).hexdigest()


def read_manifest(blobs: BlobStore, sha256: str) -> Manifest:
    """Return the manifest of that hash.

    Args:
        blobs: the object store.
        sha256: as a training spec names the data set, in hex.

    Raises:
        NotFound: it is not there.
        DamagedObject: it is not what was stored.
        InvalidRequest: another release has stored it.
    """
    document = fetch_verified(blobs, f"{FOLDER}/{sha256}", sha256)
    try:
        return Manifest(tuple(ListedPicture(**entry) for entry in json.loads(document)["pictures"]))
    except (KeyError, TypeError, ValueError):
        raise InvalidRequest(f"the data set {sha256[:12]} is of another release: add it again") from None
