"""Files of the object store on this machine: fetched once, and checked against their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stylefarm.shared.blobs.storage import BlobStore, partial_beside, remove_partials
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.retry import retry_transient


def cached_file(folder: str, sha256: str, blobs: BlobStore, cache: Path) -> Path:
    """Return an object that is named by its hash, in a file of this machine.

    Args:
        folder: where it is in the object store, and in the cache: "weights", "models".
        sha256: its hash, in hex.
        blobs: the object store.
        cache: a folder of this machine.

    Raises:
        NotFound: it is not in the object store.
        ServiceUnavailable: the store does not answer, or gives other bytes; or the folder cannot be made.
        StorageFull: this machine's disk is full.
    """
    file = cache / folder / sha256
    if file.is_file():
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnavailable(f"the folder {file.parent} cannot be made ({error.strerror}): check it") from error
    remove_partials(file.parent)
    # It gets its name when its bytes are known to be the right ones: other slots of this machine read it then.
    partial = partial_beside(file)
    try:
        retry_transient(lambda: blobs.get_file(f"{folder}/{sha256}", partial))
        with partial.open("rb") as opened:
            fits = hashlib.file_digest(opened, "sha256").hexdigest() == sha256
        if not fits:
            raise ServiceUnavailable(
                f"the {folder} {sha256[:12]} came back with other bytes than were stored: check the store"
            )
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file
