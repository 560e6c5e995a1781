"""The object store on S3, through boto3."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import FarmError, NotFound, ServiceUnavailable, StorageFull
from shared.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CONNECT_SECONDS = 5
READ_SECONDS = 60

# Objects above this size travel in parts of this size, each retried by itself.
PART_BYTES = 8 * 1024 * 1024

MISSING = {"NoSuchKey", "404", "NotFound"}
NO_BUCKET = {"NoSuchBucket"}
FULL = {"QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "XMinioStorageFull", "507"}


class S3Blobs:
    """Objects in a bucket. boto3's clients are safe to share between threads."""

    def __init__(self, client: S3Client, bucket: str, prefix: str, address: str) -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix
        self.address = address
        self.transfer = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)

    def put(self, key: str, data: bytes, content_type: str) -> None:
        def upload() -> None:
            body, extra = BytesIO(data), {"ContentType": content_type}
            self.client.upload_fileobj(body, self.bucket, self.prefix + key, ExtraArgs=extra, Config=self.transfer)

        self._into_bucket(upload)

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        def upload() -> None:
            extra = {"ContentType": content_type}
            self.client.upload_file(str(path), self.bucket, self.prefix + key, ExtraArgs=extra, Config=self.transfer)

        self._into_bucket(upload)

    def get(self, key: str) -> bytes:
        with self._translated(key):
            return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def get_file(self, key: str, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, self._translated(key):
            partial = Path(folder) / "object"
            self.client.download_file(self.bucket, self.prefix + key, str(partial), Config=self.transfer)
            partial.replace(path)

    def exists(self, key: str) -> bool:
        try:
            with self._translated(key):
                self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        except NotFound:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        with self._translated(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"].removeprefix(self.prefix)

    def _into_bucket(self, upload: Callable[[], None]) -> None:
        """Uploads, and makes the bucket first where it turns out to be missing."""
        try:
            with self._translated(""):
                upload()
        except _NoBucket:
            with self._translated(""):
                self.client.create_bucket(Bucket=self.bucket)
                upload()

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._in_our_words(key, error) from error
        except (Boto3Error, BotoCoreError) as error:
            cause = error.__context__
            if isinstance(cause, ClientError):
                raise self._in_our_words(key, cause) from error
            raise ServiceUnavailable(
                f"the object store at {self.address} does not answer ({error}): is it running, and is"
                " s3_endpoint right?"
            ) from error

    def _in_our_words(self, key: str, error: ClientError) -> FarmError:
        code = error.response.get("Error", {}).get("Code", "unknown")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in NO_BUCKET:
            return _NoBucket(f"there is no bucket {self.bucket} at {self.address}, nor anything in it")
        if code in MISSING:
            return NotFound(f"there is no object {key} in the bucket {self.bucket}")
        if code in FULL:
            return StorageFull(f"the object store at {self.address} is full ({code}): make room and try again")
        if status in {401, 403}:
            return ServiceUnavailable(
                f"the object store at {self.address} refuses the bucket {self.bucket} ({code}): check s3_access_key,"
                " s3_secret_key and what they may do"
            )
        return ServiceUnavailable(f"the object store at {self.address} answers with an error ({code}): {error}")


class _NoBucket(NotFound):
    """The bucket itself is missing."""


def connect(settings: Settings) -> S3Blobs:
    """The bucket that the settings name. Nothing is asked of it yet."""
    if settings.s3_bucket is None:
        raise ValueError("settings without s3_bucket have no object store on S3")
    secret = settings.s3_secret_key
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "max_attempts": 3},
            # Servers other than Amazon's have neither a host name for each bucket nor the newer checksums.
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    return S3Blobs(client, settings.s3_bucket, settings.s3_prefix, settings.s3_endpoint or "Amazon S3")
