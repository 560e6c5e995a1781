"""Object storage behind one small Protocol: a folder for the embedded farm, an S3 bucket for servers.

Keys: `inputs/{sha256}` for pictures, `weights/{sha256}` for networks, `jobs/{id}/{attempt}/...` for what was painted.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from shared.errors import FarmError, NotFound, ServiceUnavailable, StorageFull
from shared.store import StoredObject


class BlobStore(Protocol):
    """Where pictures and weights lie. Every method may raise ServiceUnavailable."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Writes an object, whole or not at all, over any of the same key. Raises StorageFull."""
        ...

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Writes a large object from a file, in parts where the store has them. Raises StorageFull."""
        ...

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Writes the object's bytes to `path`, which is there whole afterwards or not at all. Raises NotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in order."""
        ...


def store_object(blobs: BlobStore, key: str, data: bytes, content_type: str) -> StoredObject:
    """Writes `data` under `key`, and says what was written."""
    blobs.put(key, data, content_type)
    return StoredObject(key, hashlib.sha256(data).hexdigest(), len(data))


def fetch_verified(blobs: BlobStore, key: str, sha256: str) -> bytes:
    """The bytes of `key`, which hash to `sha256` in hex. Raises NotFound, or ServiceUnavailable if they do not."""
    data = blobs.get(key)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ServiceUnavailable(
            f"the object {key} came back with other bytes than were stored: check the object store"
        )
    return data


class FolderBlobs:
    """Objects as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes, content_type: str) -> None:
        with self._replacing(key) as file:
            file.write(data)

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        with path.open("rb") as source, self._replacing(key) as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no object {key} in {self.root}") from None
        except OSError as error:
            raise _folder_error(self.root, error) from error

    def get_file(self, key: str, path: Path) -> None:
        data = self.get(key)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(data)
        partial.replace(path)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return iter(sorted(key for key in found if key.startswith(prefix) and not key.endswith(".partial")))

    def _path(self, key: str) -> Path:
        if not key or key.startswith("/") or ".." in key.split("/"):
            raise ValueError(f"not a key: {key!r}")
        return self.root / key

    @contextmanager
    def _replacing(self, key: str) -> Iterator[IO[bytes]]:
        """A temporary file beside the object that takes its place when all is written and on the disk."""
        path = self._path(key)
        temporary: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
                temporary = Path(file.name)
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise _folder_error(self.root, error) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def _folder_error(root: Path, error: OSError) -> FarmError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"the disk that holds {root} is full: make room and try again")
    reason = error.strerror or error
    return ServiceUnavailable(f"the folder {root} cannot be used ({reason}): check its permissions, or STYLEFARM_HOME")
