"""The object store on S3, through boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from s3transfer.exceptions import RetriesExceededError

from stylefarm.shared.blobs.storage import check_key, replacing, unreadable
from stylefarm.shared.errors import FarmError, InvalidSettings, NotFound, ServiceUnavailable, StorageFull
from stylefarm.shared.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.literals import BucketLocationConstraintType

# Timeouts of one attempt; after ATTEMPTS of them a store that does not answer is given up.
CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 3

# How long a presigned URL holds: a browser follows it at once.
LINK_SECONDS = 60

# Objects from this size on are uploaded in parts of this size, each retried by itself.
PART_BYTES = 8 * 1024 * 1024

MISSING = {"NoSuchKey", "404", "NotFound"}
NO_BUCKET = {"NoSuchBucket"}
# Another worker was faster.
BUCKET_IS_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Swift answers EntityTooLarge when a quota is used up.
FULL = {"QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "XMinioStorageFull", "507"}

# The default region of a new bucket; Amazon refuses it as an explicit LocationConstraint.
HOME_REGION = "us-east-1"


class S3Blobs:
    """Objects in a bucket, which is made when the first one is written. Safe to share between threads."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        address: str,
        location: str | None = None,
        public: S3Client | None = None,
    ) -> None:
        """Set `location`, the region that a new bucket is created in; without it, the server's own.

        `public` signs addresses under which browsers reach the store.
        """
        self.client = client
        self.public = public
        self.bucket = bucket
        self.prefix = prefix
        self.address = address
        self.location = location
        self.transfer = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
        # A single part is not faster in a thread, and the log would not know the current job there.
        self.whole = TransferConfig(multipart_threshold=PART_BYTES, use_threads=False)

    def put(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object; see `BlobStore.put`."""
        name, extra = self._name(key), {"ContentType": content_type, "Metadata": metadata or {}}

        def upload() -> None:
            config = self._config(len(data))
            self.client.upload_fileobj(BytesIO(data), self.bucket, name, ExtraArgs=extra, Config=config)

        self._into_bucket(key, upload)

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Write an object from a file; see `BlobStore.put_file`."""
        name, extra = self._name(key), {"ContentType": content_type}

        def upload() -> None:
            config = self._config(path.stat().st_size)
            self.client.upload_file(str(path), self.bucket, name, ExtraArgs=extra, Config=config)

        try:
            self._into_bucket(key, upload)
        except OSError as error:  # of the file: what the network raises is translated by now
            raise unreadable(path, error) from error

    def get(self, key: str) -> bytes:
        """Return an object's bytes; see `BlobStore.get`."""
        name = self._name(key)
        with self._translated(key):
            return self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def get_file(self, key: str, path: Path) -> None:
        """Write an object's bytes to a file; see `BlobStore.get_file`."""
        name = self._name(key)
        with replacing(path) as file, self._translated(key):
            self.client.download_fileobj(self.bucket, name, file, Config=self.transfer)

    def exists(self, key: str) -> bool:
        """Return whether there is such an object."""
        name = self._name(key)
        try:
            with self._translated(key):
                self.client.head_object(Bucket=self.bucket, Key=name)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        name = self._name(key)
        with suppress(NotFound), self._translated(key):
            self.client.delete_object(Bucket=self.bucket, Key=name)

    def keys(self, prefix: str) -> Iterator[str]:
        """Return the keys that start with a prefix, in order."""
        listing = self.client.get_paginator("list_objects_v2")
        try:
            with self._translated(prefix):
                for page in listing.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                    yield from (entry["Key"].removeprefix(self.prefix) for entry in page.get("Contents", []))
        except _NoBucket:
            return

    def download_url(self, key: str, name: str) -> str | None:
        """Return a presigned URL of an object; see `BlobStore.download_url`."""
        if self.public is None:
            return None
        parameters = {
            "Bucket": self.bucket,
            "Key": self._name(key),
            "ResponseContentDisposition": f'attachment; filename="{name}"',
        }
        return self.public.generate_presigned_url("get_object", Params=parameters, ExpiresIn=LINK_SECONDS)

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _config(self, size: int) -> TransferConfig:
        return self.whole if size < PART_BYTES else self.transfer

    def _into_bucket(self, key: str, upload: Callable[[], None]) -> None:
        """Upload, and create the bucket first where it is missing."""
        try:
            with self._translated(key):
                upload()
        except _NoBucket:
            with self._translated(key):
                self._make_bucket()
                upload()

    def _make_bucket(self) -> None:
        try:
            if self.location is None:
                self.client.create_bucket(Bucket=self.bucket)
            else:
                place = cast("BucketLocationConstraintType", self.location)
                self.client.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": place})
        except ClientError as error:
            if _code(error) not in BUCKET_IS_THERE:
                raise

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refused(key, error) from error
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
            raise InvalidSettings(
                f"there are no keys for the object store at {self.address} ({error}): set s3_access_key and"
                " s3_secret_key, or give boto3 a profile or a role"
            ) from error
        except ParamValidationError as error:
            raise InvalidSettings(f"s3_bucket = {self.bucket!r} cannot be the name of a bucket: correct it") from error
        except (Boto3Error, BotoCoreError, RetriesExceededError) as error:
            # boto3 wraps the error of an upload, and keeps its code only in the message.
            if isinstance(error.__context__, ClientError):
                raise self._refused(key, error.__context__) from error
            raise ServiceUnavailable(
                f"the object store at {self.address} does not answer ({error}): is it running, and is"
                " s3_endpoint right?"
            ) from error

    def _refused(self, key: str, error: ClientError) -> FarmError:
        code = _code(error)
        if code in NO_BUCKET:
            return _NoBucket(f"there is no bucket {self.bucket} at {self.address}, nor anything in it")
        if code in MISSING:
            return NotFound(f"there is no object {key} in the bucket {self.bucket}")
        if code in FULL:
            return StorageFull(f"the object store at {self.address} is full ({code}): make room and try again")
        if code == "RequestTimeTooSkewed":
            return ServiceUnavailable(
                f"the object store at {self.address} has another time than this machine: set the clock that is wrong"
            )
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {401, 403}:
            # The answer to a HEAD has no body, so that the store cannot say that the clocks differ.
            clock = ", and the clock of this machine" if code == "403" else ""
            return ServiceUnavailable(
                f"the object store at {self.address} refuses the bucket {self.bucket} ({code}): check s3_access_key,"
                f" s3_secret_key and what they may do{clock}"
            )
        return ServiceUnavailable(
            f"the object store at {self.address} answers with an error ({error}): try again, and look into its log"
        )


class OtherBucket(S3Blobs):
    """A bucket that is not the farm's: its keys may be anything, and it is only read."""

    def _name(self, key: str) -> str:
        return key

    def size(self, key: str) -> int:
        """Return the object's size in bytes. Raises NotFound, ServiceUnavailable."""
        with self._translated(key):
            return self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"]


class _NoBucket(NotFound):
    """The bucket itself is missing."""


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")


def connect(settings: Settings) -> S3Blobs:
    """Return the bucket that the settings name, without a request to it yet. Raises InvalidSettings."""
    if settings.s3_bucket is None:
        raise ValueError("settings without s3_bucket have no object store on S3")
    amazon = settings.s3_endpoint is None
    location = settings.s3_region if amazon and settings.s3_region != HOME_REGION else None
    public = settings.s3_public_endpoint
    return S3Blobs(
        _client(settings, settings.s3_endpoint),
        settings.s3_bucket,
        settings.s3_prefix,
        settings.s3_endpoint or "Amazon S3",
        location,
        None if public is None else _client(settings, public),
    )


def other_bucket(settings: Settings, name: str) -> OtherBucket:
    """Return another bucket at the store of the settings, without a request to it yet. Raises InvalidSettings."""
    return OtherBucket(_client(settings, settings.s3_endpoint), name, "", settings.s3_endpoint or "Amazon S3")


def _client(settings: Settings, endpoint: str | None) -> S3Client:
    secret = settings.s3_secret_key
    try:
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=None if secret is None else secret.get_secret_value(),
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                # A connection for each thread that fetches objects.
                max_pool_connections=16,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                # Servers other than Amazon's have neither a host name for each bucket nor the newer checksums.
                s3={"addressing_style": "path" if endpoint else "auto"},
                signature_version="s3v4",
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (ValueError, BotoCoreError) as error:
        raise InvalidSettings(f"boto3 cannot use these settings ({error}): check s3_endpoint and s3_region") from None
