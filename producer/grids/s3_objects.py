"""Pictures in S3 buckets of the user's own, by their addresses: s3://bucket/key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stylefarm.shared.errors import InvalidImage, InvalidSpec
from stylefarm.shared.settings import Settings

if TYPE_CHECKING:
    from stylefarm.shared.blobs.s3 import OtherBucket

SCHEME = "s3://"


@dataclass(frozen=True)
class Objects:
    """Reads objects with the farm's own settings of S3; where it has none, with those that boto3 finds.

    Example:
        data = Objects(load_settings()).get("s3://photos/cat.jpg")
    """

    settings: Settings
    _buckets: dict[str, OtherBucket] = field(default_factory=dict)

    def get(self, address: str) -> bytes:
        """Return the bytes of an object.

        Args:
            address: s3://bucket/key.

        Raises:
            NotFound: there is no such object.
            InvalidImage: it is empty, or larger than the limit.
            InvalidSpec: the address names no bucket.
            ServiceUnavailable: the bucket does not answer.
        """
        name, key = _parted(address)
        bucket = self._bucket(name)
        size = bucket.size(key)
        if not 0 < size <= self.settings.max_bytes:
            what = "empty" if not size else f"{size:,} bytes large, more than the limit of {self.settings.max_bytes:,}"
            raise InvalidImage(f"{address} is {what}: put another picture there")
        return bucket.get(key)

    def listed(self, address: str) -> list[str]:
        """Return the address itself if an object has it; else the addresses below it, as in a folder, sorted.

        Args:
            address: s3://bucket, with or without a key or a prefix.

        Raises:
            InvalidSpec: the address names no bucket.
            ServiceUnavailable: the bucket does not answer.

        Example:
            addresses = Objects(load_settings()).listed("s3://photos/cats")
        """
        name, key = _parted(address)
        bucket = self._bucket(name)
        if key and not key.endswith("/") and bucket.exists(key):
            return [address]
        below = key if not key or key.endswith("/") else key + "/"
        return sorted(f"{SCHEME}{name}/{found}" for found in bucket.keys(below) if not found.endswith("/"))

    def _bucket(self, name: str) -> OtherBucket:
        if name not in self._buckets:
            # Imported here: boto3 takes a third of a second, and few grids have S3 addresses.
            from stylefarm.shared.blobs import s3

            self._buckets[name] = s3.other_bucket(self.settings, name)
        return self._buckets[name]


def _parted(address: str) -> tuple[str, str]:
    name, _, key = address.removeprefix(SCHEME).partition("/")
    if not name:
        raise InvalidSpec(f"{address!r} names no bucket: write {SCHEME}bucket/folder/picture.jpg")
    return name, key
