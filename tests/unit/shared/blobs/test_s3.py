"""What we make of S3's answers; whether a real server gives them is for the integration tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import SecretStr

from stylefarm.shared.blobs.s3 import ATTEMPTS, CONNECT_SECONDS, PART_BYTES, READ_SECONDS, S3Blobs, connect
from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.errors import (
    FarmError,
    InvalidRequest,
    InvalidSettings,
    NotFound,
    ServiceUnavailable,
    StorageFull,
)
from stylefarm.shared.services import connect_services
from stylefarm.shared.settings import Settings

TYPE = "image/png"
LARGE = os.urandom(2 * PART_BYTES + 7)

Connect = Callable[..., S3Blobs]


def farm(**changes: object) -> Settings:
    keys = {"s3_access_key": "someone", "s3_secret_key": SecretStr("secret")}
    return Settings.model_validate({"s3_bucket": "pictures", **keys, **changes})


@pytest.fixture
def connected() -> Iterator[Connect]:
    """Connect to an imitation of Amazon's S3 which is empty at first."""
    with mock_aws():
        made: list[S3Blobs] = []

        def connect_with(**changes: object) -> S3Blobs:
            made.append(connect(farm(**changes)))
            return made[-1]

        yield connect_with
        for blobs in made:
            blobs.client.close()


@pytest.fixture
def blobs(connected: Connect) -> S3Blobs:
    return connected()


def answer_with(blobs: S3Blobs, operation: str, code: str, status: int) -> None:
    """From now on the store answers so to that operation."""
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuse(**_: object) -> None:
        raise ClientError(response, operation)  # type: ignore[arg-type]

    blobs.client.meta.events.register(f"before-call.s3.{operation}", refuse)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_bucket_is_made_when_it_is_missing(blobs: S3Blobs) -> None:
    """Given no bucket, if I put an object, I expect the bucket, and the object in it with its type."""
    blobs.put("inputs/a", b"data", TYPE)
    stored = blobs.client.get_object(Bucket="pictures", Key="inputs/a")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"data", TYPE)


def test_the_bucket_is_made_for_a_file(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given no bucket, if I store a file of several parts, I expect it there in parts, with its type."""
    (tmp_path / "source").write_bytes(LARGE)
    blobs.put_file("weights/a", tmp_path / "source", TYPE)
    stored = blobs.client.head_object(Bucket="pictures", Key="weights/a")
    assert stored["ETag"].endswith('-3"')
    assert (stored["ContentLength"], stored["ContentType"]) == (len(LARGE), TYPE)


def test_the_bucket_is_made_in_its_region(connected: Connect) -> None:
    """Given a region other than Amazon's first, if the bucket is made, I expect it there."""
    blobs = connected(s3_region="eu-central-1")
    blobs.put("inputs/a", b"data", TYPE)
    assert blobs.client.get_bucket_location(Bucket="pictures")["LocationConstraint"] == "eu-central-1"


@pytest.mark.parametrize("code", ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"])
def test_another_made_the_bucket_first(blobs: S3Blobs, code: str) -> None:
    """Given a bucket that comes about while I make it, if I put an object, I expect it there."""

    def faster(**_: object) -> None:
        blobs.client.meta.events.unregister("before-call.s3.CreateBucket", faster)
        blobs.client.create_bucket(Bucket="pictures")
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateBucket")

    blobs.client.meta.events.register("before-call.s3.CreateBucket", faster)
    blobs.put("inputs/a", b"data", TYPE)
    assert blobs.get("inputs/a") == b"data"


def test_every_key_begins_with_the_prefix(connected: Connect) -> None:
    """Given a prefix and a stranger's object, if I write and list, I expect it before each key, and ours alone."""
    blobs = connected(s3_prefix="farm/one/")
    blobs.put("inputs/b", b"data", TYPE)
    blobs.put("inputs/a", b"data", TYPE)
    blobs.put("jobs/a", b"data", TYPE)
    blobs.client.put_object(Bucket="pictures", Key="inputs/c", Body=b"a stranger's")
    listed = blobs.client.list_objects_v2(Bucket="pictures")["Contents"]
    assert [entry["Key"] for entry in listed if entry["Key"] != "inputs/c"] == [
        "farm/one/inputs/a",
        "farm/one/inputs/b",
        "farm/one/jobs/a",
    ]
    assert list(blobs.keys("inputs/")) == ["inputs/a", "inputs/b"]
    assert list(blobs.keys("")) == ["inputs/a", "inputs/b", "jobs/a"]
    assert blobs.get("inputs/a") == b"data"
    assert not blobs.exists("inputs/c")


def test_a_missing_bucket_holds_nothing(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given no bucket, if I look for objects, I expect none, and NotFound that says why."""
    assert not blobs.exists("inputs/a")
    assert list(blobs.keys("")) == []
    with pytest.raises(NotFound, match="there is no bucket pictures at Amazon S3"):
        blobs.get("inputs/a")
    with pytest.raises(NotFound):
        blobs.get_file("inputs/a", tmp_path / "copy")
    assert files(tmp_path) == []


def test_a_missing_key_is_not_found(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given a bucket, if I ask for an object that is not in it, I expect NotFound with its key."""
    blobs.put("inputs/a", b"data", TYPE)
    assert blobs.exists("inputs/a")
    assert not blobs.exists("inputs/b")
    with pytest.raises(NotFound, match="there is no object inputs/b in the bucket pictures"):
        blobs.get("inputs/b")
    with pytest.raises(NotFound, match="inputs/b"):
        blobs.get_file("inputs/b", tmp_path / "copy")
    assert files(tmp_path) == []


def test_files_travel_both_ways(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given a file of several parts, if I store it and fetch it over another, I expect its bytes, and no rest."""
    (tmp_path / "source").write_bytes(LARGE)
    (tmp_path / "copy").write_bytes(b"old")
    blobs.put_file("weights/a", tmp_path / "source", TYPE)
    blobs.get_file("weights/a", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert files(tmp_path) == ["copy", "source"]


def test_files_of_this_machine_that_cannot_be(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given a source or a destination that cannot be, if I use it, I expect its path, and not a word of the store."""
    with pytest.raises(InvalidRequest, match=r"missing cannot be read \(No such file or directory\)"):
        blobs.put_file("weights/a", tmp_path / "missing", TYPE)
    blobs.put("weights/a", LARGE, TYPE)
    with pytest.raises(ServiceUnavailable, match=r"copy cannot be written \(No such file or directory\)"):
        blobs.get_file("weights/a", tmp_path / "nowhere" / "copy")


def test_a_full_disk_at_the_destination(blobs: S3Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an older copy, if the disk is full under the new one, I expect StorageFull, and the older one."""
    (tmp_path / "copy").write_bytes(b"old")
    blobs.put("weights/a", LARGE, TYPE)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="copy cannot be written, the disk is full"):
        blobs.get_file("weights/a", tmp_path / "copy")
    assert files(tmp_path) == ["copy"]
    assert (tmp_path / "copy").read_bytes() == b"old"


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_no_parts_of_a_failed_upload_stay(blobs: S3Blobs, tmp_path: Path, operation: str) -> None:
    """Given a store that fails within an upload in parts, if I store a file, I expect neither object nor parts."""
    (tmp_path / "source").write_bytes(LARGE)
    blobs.client.create_bucket(Bucket="pictures")
    answer_with(blobs, operation, "InternalError", 500)
    with pytest.raises(ServiceUnavailable, match="InternalError"):
        blobs.put_file("weights/a", tmp_path / "source", TYPE)
    assert not blobs.exists("weights/a")
    assert "Uploads" not in blobs.client.list_multipart_uploads(Bucket="pictures")


@pytest.mark.parametrize(
    ("code", "status", "kind", "sentence"),
    [
        ("QuotaExceeded", 403, StorageFull, "the object store at Amazon S3 is full"),
        ("AccessDenied", 403, ServiceUnavailable, "refuses the bucket pictures .*: check s3_access_key, s3_secret_key"),
        ("RequestTimeTooSkewed", 403, ServiceUnavailable, "set the clock that is wrong"),
        ("SlowDown", 503, ServiceUnavailable, "answers with an error .*SlowDown.*: try again"),
    ],
)
@pytest.mark.parametrize("from_file", [False, True])
def test_refusals_in_our_words(
    blobs: S3Blobs, tmp_path: Path, from_file: bool, code: str, status: int, kind: type[FarmError], sentence: str
) -> None:
    """Given a store that refuses, if I put an object or a file, I expect a sentence that says what to do."""
    blobs.client.create_bucket(Bucket="pictures")
    answer_with(blobs, "PutObject", code, status)
    with pytest.raises(kind, match=sentence):
        if from_file:
            (tmp_path / "source").write_bytes(b"data")
            blobs.put_file("inputs/a", tmp_path / "source", TYPE)
        else:
            blobs.put("inputs/a", b"data", TYPE)


def test_a_refusal_without_words_may_be_one_of_the_clock(blobs: S3Blobs) -> None:
    """Given a store that refuses what has no body in its answer, I expect the clock among what is to be looked at."""
    blobs.client.create_bucket(Bucket="pictures")
    answer_with(blobs, "HeadObject", "403", 403)
    with pytest.raises(ServiceUnavailable, match="what they may do, and the clock of this machine"):
        blobs.exists("inputs/a")


def test_what_is_no_key_is_refused(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given a key that a folder could not have, if I use it here, I expect the same refusal."""
    for key in ("", "../a", "a/../b", "a//b", ".a"):
        for use in (blobs.get, blobs.exists):
            with pytest.raises(InvalidRequest, match="no object can be called"):
                use(key)
        with pytest.raises(InvalidRequest):
            blobs.put(key, b"", TYPE)
        with pytest.raises(InvalidRequest):
            blobs.get_file(key, tmp_path / "copy")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"s3_endpoint": "http://no_name:1"}, "Invalid endpoint.*: check s3_endpoint"),
        ({"s3_region": "no region!"}, "check s3_endpoint and s3_region"),
    ],
)
def test_settings_that_boto3_refuses(changes: dict[str, str], sentence: str) -> None:
    """Given an endpoint or a region that cannot be, if I connect, I expect that setting named."""
    with pytest.raises(InvalidSettings, match=sentence):
        connect(farm(**changes))


def test_a_bucket_that_cannot_be(connected: Connect) -> None:
    """Given a name that no bucket has, if I put an object, I expect s3_bucket named."""
    with pytest.raises(InvalidSettings, match="s3_bucket = 'my pictures' cannot be the name of a bucket"):
        connected(s3_bucket="my pictures").put("inputs/a", b"", TYPE)


def test_no_keys_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given no keys in the settings and none that boto3 finds, if I ask, I expect the settings for them named."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    blobs = connect(farm(s3_access_key=None, s3_secret_key=None))
    with (
        closing(blobs.client),
        pytest.raises(InvalidSettings, match=r"no keys for .*: set s3_access_key and "),
    ):
        blobs.get("inputs/a")


def test_silence_is_borne_for_less_than_a_minute() -> None:
    """Given a store that never answers, if I ask it, I expect the longest wait to be well below a minute."""
    pauses = 2**ATTEMPTS - 1
    assert ATTEMPTS * max(CONNECT_SECONDS, READ_SECONDS) + pauses < 45


def test_the_settings_say_which_store(tmp_path: Path) -> None:
    """Given settings with and without a bucket, if I connect, I expect a bucket and a folder, and no question asked."""
    folder = connect_services(Settings(home=tmp_path)).blobs
    assert isinstance(folder, FolderBlobs)
    assert folder.root == tmp_path / "objects"
    bucket = connect_services(farm(home=tmp_path, s3_endpoint="http://localhost:1")).blobs
    assert isinstance(bucket, S3Blobs)
    bucket.client.close()
