"""Object storage behind one small Protocol: a folder for the embedded farm, an S3 bucket for servers.

Keys: `inputs/{sha256}` for pictures, `weights/{sha256}` for networks, `models/{sha256}` for trained models,
`datasets/{sha256}` for lists of pictures, `jobs/{id}/{attempt}/...` for what was rendered. No key is the folder of
another.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import quote

from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.errors import DamagedObject, FarmError, InvalidRequest, NotFound, ServiceUnavailable, StorageFull

# Keys that every file system and every S3 server accepts. No part begins with a dot, so that no key leads out of the
# folder, or is the name of a temporary file.
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
KEY = re.compile(rf"{_PART}(/{_PART})*")

CHUNK_BYTES = 1 << 20


class BlobStore(Protocol):
    """The object store of pictures, weights and checkpoints.

    Every method may raise ServiceUnavailable; those that take a key raise InvalidRequest for what cannot be one.
    """

    def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object, whole or not at all, over any of the same key. Raises StorageFull.

        A bucket keeps its metadata, names and values in ASCII, for people who look into it; a folder keeps none.
        """
        ...

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Write a large object from a file, as `put` does. Raises StorageFull; InvalidRequest if it is unreadable."""
        ...

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises NotFound."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object's bytes to `path`, which is there whole afterwards or is as it was.

        Raises NotFound; StorageFull and ServiceUnavailable also of the disk that `path` is on.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is an object of that key."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Return the keys that start with `prefix`, in order."""
        ...

    def download_url(self, key: str, name: str) -> str | None:
        """Return where anybody can download the object, as a file of that name, within the next minute.

        None where browsers do not reach the store.
        """
        ...


def picture_metadata(name: str, width: int, height: int) -> dict[str, str]:
    """Return the metadata of a picture that a user has sent in; the name may be empty.

    Example:
        >>> picture_metadata("Kätzchen.jpg", 640, 480)
        {'name': 'K%C3%A4tzchen.jpg', 'width': '640', 'height': '480'}
    """
    size = {"width": str(width), "height": str(height)}
    return {"name": quote(name), **size} if name else size


def store_object(blobs: BlobStore, key: str, data: bytes, content_type: str) -> StoredObject:
    """Write `data` under `key`, and return what was written. Raises ServiceUnavailable, StorageFull."""
    blobs.put(key, data, content_type)
    return StoredObject(key, hashlib.sha256(data).hexdigest(), len(data))


def fetch_verified(blobs: BlobStore, key: str, sha256: str) -> bytes:
    """Return the bytes of `key`, checked by `sha256` in hex. Raises NotFound; DamagedObject if they differ."""
    data = blobs.get(key)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedObject(f"the object {key} came back with other bytes than were stored: check the object store")
    return data


class FolderBlobs:
    """Objects as files below a folder, which is made when the first one is written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object; see `BlobStore.put`."""
        self._write(key, [data])

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Write an object from a file; see `BlobStore.put_file`."""
        self._write(key, read_chunks(path))

    def get(self, key: str) -> bytes:
        """Return an object's bytes; see `BlobStore.get`."""
        with self._reading(key) as path:
            return path.read_bytes()

    def get_file(self, key: str, path: Path) -> None:
        """Write an object's bytes to a file; see `BlobStore.get_file`."""
        with replacing(path) as file:
            file.writelines(self._chunks(key))

    def exists(self, key: str) -> bool:
        """Return whether there is such an object."""
        try:
            with self._reading(key) as path:
                return stat.S_ISREG(path.stat().st_mode)
        except NotFound:
            return False

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        with suppress(NotFound), self._reading(key) as path:
            path.unlink()
            self._remove_empty(path.parent)

    def keys(self, prefix: str) -> Iterator[str]:
        """Return the keys that start with a prefix, in order."""
        folder = prefix.rpartition("/")[0]
        if folder and not KEY.fullmatch(folder):
            return iter(())
        with self._translated():
            return iter(sorted(key for key in self._below(folder) if key.startswith(prefix)))

    def download_url(self, key: str, name: str) -> str | None:
        """Return None: no browser reaches the folder."""
        return None

    def _write(self, key: str, chunks: Iterable[bytes]) -> None:
        path = self.root / check_key(key)
        with self._translated(), _whole_file(path, make_folder=True) as file:
            file.writelines(chunks)

    def _chunks(self, key: str) -> Iterator[bytes]:
        with self._reading(key) as path, path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _remove_empty(self, folder: Path) -> None:
        """Remove the folder and those above it that have nothing in them, up to the root's own."""
        while self.root in folder.parent.parents:
            try:
                folder.rmdir()
            except OSError:  # it has something in it, or another has removed it
                return
            folder = folder.parent

    def _below(self, folder: str) -> Iterator[str]:
        for parent, _, names in os.walk(self.root / folder, onerror=_unless_missing):
            keys = ((Path(parent) / name).relative_to(self.root).as_posix() for name in names)
            yield from (key for key in keys if KEY.fullmatch(key))

    @contextmanager
    def _reading(self, key: str) -> Iterator[Path]:
        """Open the file of an object that is expected to exist."""
        path = self.root / check_key(key)
        with self._translated():
            try:
                yield path
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NotFound(f"there is no object {key} in {self.root}") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if _is_full(error):
                raise StorageFull(f"the disk that holds {self.root} is full: make room and try again") from error
            raise ServiceUnavailable(
                f"the folder {self.root} cannot be used ({_reason(error)}): check its permissions, or STYLEFARM_HOME"
            ) from error


def check_key(key: str) -> str:
    """Return the key. Raises InvalidRequest if no object can have it."""
    if not KEY.fullmatch(key):
        raise InvalidRequest(f"no object can be called {key!r}: use letters, digits and . _ - in parts between slashes")
    return key


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a local file, piece by piece. Raises InvalidRequest."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> FarmError:
    """Return the error of a local file that was to be stored."""
    return InvalidRequest(f"{path} cannot be read ({_reason(error)}): check its name and its permissions")


_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial")
# What an interrupted download has left is nobody's after so long.
LEFT_OVER_SECONDS = 86_400.0


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Provide a local file that replaces `path` if the block ends well; otherwise it is deleted.

    Raises StorageFull and ServiceUnavailable; inside, an OSError is taken for one of the file.
    """
    try:
        with _whole_file(path) as file:
            yield file
    except OSError as error:
        if _is_full(error):
            raise StorageFull(f"{path} cannot be written, the disk is full: make room and try again") from error
        raise ServiceUnavailable(f"{path} cannot be written ({_reason(error)}): check its folder") from error


def partial_beside(path: Path) -> Path:
    """Return a new name, in the folder of `path`, for a file that is renamed to it when it is whole."""
    return path.with_name(f".{secrets.token_hex(8)}.partial")


def remove_partials(folder: Path) -> None:
    """Delete the partial files of a folder that are so old that their process was killed."""
    for partial in folder.glob(".*.partial"):
        # Another process may delete it at the same time.
        with suppress(FileNotFoundError):
            if _PARTIAL.fullmatch(partial.name) and time.time() - partial.stat().st_mtime > LEFT_OVER_SECONDS:
                partial.unlink()


@contextmanager
def _whole_file(path: Path, *, make_folder: bool = False) -> Iterator[IO[bytes]]:
    # Opened like any new file, for its permissions: those of tempfile are for the owner alone.
    partial = partial_beside(path)
    file = _opened_in_folder(partial) if make_folder else partial.open("xb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        # The file is gone already if all went well; otherwise the first error is raised.
        with suppress(OSError):
            partial.unlink()


def _opened_in_folder(path: Path) -> IO[bytes]:
    """Open a new file in a folder that is made if need be, also if another removes it at this moment."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb")
        except FileNotFoundError:
            continue
        except FileExistsError:
            if path.parent.is_file():
                raise


def _reason(error: OSError) -> str:
    """Return the system's description of an error, without numbers and paths."""
    return error.strerror or str(error)


def _is_full(error: OSError) -> bool:
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
