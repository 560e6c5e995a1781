"""Pictures of this machine that a submission names: checked here, and sent to the farm where it lacks them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from stylefarm.producer.backends.remote.connection import FarmConnection, in_chunks
from stylefarm.producer.submission.pictures import PictureReader
from stylefarm.producer.submission.source import Source
from stylefarm.producer.terminal.progress import counting
from stylefarm.shared.errors import FarmError, NotFound
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.spec import BLOB

# Pictures on their way at a time.
UPLOADS = 4
# What a picture may be called in an address; others go without a name.
_NAME = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")


class Uploads:
    """The pictures of one submission.

    Args:
        connection: to the farm.
        settings: how large a picture may be, and how S3 is reached.

    Example:
        uploads = Uploads(connection, load_settings())
        uploads.survey(["cat.jpg"])
        uploads.send()
        print(uploads.address("cat.jpg"))  # sha256:1f.../cat.jpg
    """

    def __init__(self, connection: FarmConnection, settings: Settings) -> None:
        self.connection = connection
        self._reader = PictureReader(settings, _of_farm)

    def survey(self, names: Iterable[str]) -> dict[str, FarmError]:
        """Read the pictures that are not in the farm, once each; return what is wrong with some, by name."""
        return self._reader.survey(name for name in names if not name.startswith(BLOB))

    def address(self, name: str) -> str:
        """Return what the farm knows a picture by; one that cannot be read gets an address that nothing has."""
        if name.startswith(BLOB):
            return name
        source = self._reader.sources.get(name)
        if source is None:
            return BLOB + sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{source.address}/{source.name}" if _NAME.fullmatch(source.name) else source.address

    def send(self) -> None:
        """Send what was read and the farm does not have.

        Raises:
            InvalidImage: a file has changed since it was read.
            StorageFull: the farm's disk is full.
        """
        sources = {source.address.removeprefix(BLOB): source for source in self._reader.sources.values()}
        missing: list[str] = []
        for hashes in in_chunks(sources):
            missing += self.connection.post("/images:hold", {"sha256": hashes}, again=True)["missing"]
        count = len(missing)
        with ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload") as pool, counting("uploads", count) as advance:
            for _ in pool.map(lambda one: self._send(sources[one]), missing):
                advance()

    def _send(self, source: Source) -> None:
        self.connection.upload("/images", self._reader.bytes_as_read(source))


def map_pictures(value: Any, address: Any) -> Any:
    """Return a value of a parameter of pictures with each name replaced.

    Args:
        value: a name, a list of them, in which there may be lists, or None.
        address: returns what a name becomes.

    Example:
        >>> map_pictures(["a.png", ["b.png"]], str.upper)
        ['A.PNG', ['B.PNG']]
    """
    if isinstance(value, str):
        return address(value)
    return [map_pictures(entry, address) for entry in value] if isinstance(value, list | tuple) else value


def _of_farm(address: str) -> bytes:
    raise NotFound(f"the picture {BLOB}{address} is the farm's, and is read there")
