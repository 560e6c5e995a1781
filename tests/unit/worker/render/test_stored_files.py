"""Objects of the store in files of a worker's machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.render.stored_files import cached_file

DATA = b"weights"
SHA256 = hashlib.sha256(DATA).hexdigest()


class WatchedBlobs(FolderBlobs):
    """A store that notes, once an object has been written to a file, which files had a name then."""

    watched: Path
    named: list[Path]

    def get_file(self, key: str, path: Path) -> None:
        """Write the object's bytes to the file, and look."""
        super().get_file(key, path)
        self.named = list(self.watched.glob("[!.]*"))


@pytest.fixture
def blobs(tmp_path: Path) -> WatchedBlobs:
    """An empty store, that watches the cache of weights."""
    blobs = WatchedBlobs(tmp_path / "store")
    blobs.watched = tmp_path / "cache" / "weights"
    return blobs


def test_a_file_has_its_name_when_it_is_verified(blobs: WatchedBlobs, tmp_path: Path) -> None:
    """Given an object, if it is fetched, I expect it kept, with its name once its bytes are verified."""
    blobs.put(f"weights/{SHA256}", DATA, "application/octet-stream")
    file = cached_file("weights", SHA256, blobs, tmp_path / "cache")
    assert (file.read_bytes(), blobs.named, list(file.parent.iterdir())) == (DATA, [], [file])
    blobs.delete(f"weights/{SHA256}")
    assert cached_file("weights", SHA256, blobs, tmp_path / "cache") == file


def test_other_bytes_are_not_kept(blobs: WatchedBlobs, tmp_path: Path) -> None:
    """Given an object of other bytes than its hash says, I expect a sentence, and no file of it."""
    blobs.put(f"weights/{SHA256}", b"others", "application/octet-stream")
    with pytest.raises(ServiceUnavailable, match="came back with other bytes than were stored: check the store"):
        cached_file("weights", SHA256, blobs, tmp_path / "cache")
    assert (blobs.named, list(blobs.watched.iterdir())) == ([], [])
