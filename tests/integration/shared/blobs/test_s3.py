"""The object store on a real S3 server: round trips, refusals, silence, and a server that comes back."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from stylefarm.shared.blobs import s3
from stylefarm.shared.blobs.s3 import PART_BYTES, S3Blobs, connect
from stylefarm.shared.blobs.storage import fetch_verified, picture_metadata, store_object
from stylefarm.shared.errors import FarmError, NotFound, ServiceUnavailable
from stylefarm.shared.settings import Settings
from tests.servers import SwiftServer

TYPE = "image/png"
MEBIBYTE = 2**20

Connect = Callable[..., S3Blobs]


@pytest.fixture
def connected(swift_server: SwiftServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Connect to a bucket of the test's own, which is not there yet."""
    # Proxies of the environment are not meant for this machine.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made: list[S3Blobs] = []
    usual = {
        "s3_bucket": f"test-{uuid.uuid4().hex}",
        "s3_endpoint": swift_server.endpoint,
        "s3_region": swift_server.region,
        "s3_access_key": swift_server.access_key,
        "s3_secret_key": SecretStr(swift_server.secret_key),
    }

    def connect_with(**changes: object) -> S3Blobs:
        made.append(connect(Settings.model_validate({**usual, **changes})))
        return made[-1]

    yield connect_with
    for blobs in made:
        blobs.client.close()


@pytest.fixture
def blobs(connected: Connect) -> S3Blobs:
    return connected()


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def seconds_until_unavailable(call: Callable[[], object], sentence: str) -> float:
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=sentence):
        call()
    return time.monotonic() - started


def test_an_object_comes_back(blobs: S3Blobs) -> None:
    """Given no bucket, if I put an object, I expect the bucket made, and the bytes, the type and the key in it."""
    assert not blobs.exists("inputs/a")
    stored = store_object(blobs, "inputs/a", b"data", TYPE)
    assert fetch_verified(blobs, stored.key, stored.sha256) == b"data"
    assert blobs.client.head_object(Bucket=blobs.bucket, Key="inputs/a")["ContentType"] == TYPE
    assert blobs.exists("inputs/a")
    assert list(blobs.keys("inputs/")) == ["inputs/a"]
    assert list(blobs.keys("jobs/")) == []


def test_a_bucket_tells_what_its_pictures_are(blobs: S3Blobs) -> None:
    """Given a picture with a name that is no ASCII, I expect its name and its size in the metadata."""
    blobs.put("inputs/a", b"data", TYPE, picture_metadata("Kätzchen.jpg", 640, 480))
    metadata = blobs.client.head_object(Bucket=blobs.bucket, Key="inputs/a")["Metadata"]
    assert {name.lower(): value for name, value in metadata.items()} == {
        "name": "K%C3%A4tzchen.jpg",
        "width": "640",
        "height": "480",
    }


def test_a_browser_downloads_from_a_store_that_it_reaches(connected: Connect, blobs: S3Blobs) -> None:
    """Given the address at which browsers reach the store, I expect links to objects that need no key; else none."""
    blobs.put("inputs/a", b"data", TYPE)
    assert blobs.download_url("inputs/a", "cat.png") is None
    reached = connected(s3_public_endpoint=blobs.address)
    url = reached.download_url("inputs/a", "cat.png")
    assert url is not None
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"data", TYPE)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="cat.png"'
    assert "X-Amz-Expires=60" in url
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("inputs/a", "inputs/b"))


def test_an_object_is_overwritten(blobs: S3Blobs) -> None:
    """Given an object, if I put another of its key, I expect the new bytes."""
    blobs.put("inputs/a", b"a long one", TYPE)
    blobs.put("inputs/a", b"", TYPE)
    assert blobs.get("inputs/a") == b""


def test_a_missing_key_is_not_found(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given a bucket, if I ask for an object that is not in it, I expect NotFound, and no file."""
    blobs.put("inputs/a", b"data", TYPE)
    assert not blobs.exists("inputs/b")
    with pytest.raises(NotFound, match="inputs/b"):
        blobs.get("inputs/b")
    with pytest.raises(NotFound, match="inputs/b"):
        blobs.get_file("inputs/b", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_travels_in_parts(blobs: S3Blobs, tmp_path: Path) -> None:
    """Given 20 MiB, if I store and fetch them, I expect an object of several parts, and the same bytes."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(20 * MEBIBYTE))
    blobs.put_file("weights/a", source, TYPE)
    stored = blobs.client.head_object(Bucket=blobs.bucket, Key="weights/a")
    assert stored["ETag"].endswith(f'-{-(-20 * MEBIBYTE // PART_BYTES)}"')
    assert stored["ContentType"] == TYPE
    blobs.get_file("weights/a", copy)
    assert copy.read_bytes() == source.read_bytes() == blobs.get("weights/a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "source"]


def test_many_writers_make_the_bucket_at_once(blobs: S3Blobs) -> None:
    """Given no bucket, if several workers put their first object at once, I expect all of these."""
    errors: list[FarmError] = []
    barrier = threading.Barrier(4)

    def write(key: str) -> None:
        barrier.wait()
        try:
            blobs.put(key, b"data", TYPE)
        except FarmError as error:
            errors.append(error)

    names = [f"inputs/{number}" for number in range(4)]
    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(blobs.keys("")) == names


def test_a_listing_of_several_pages(blobs: S3Blobs) -> None:
    """Given a store that lists two keys at a time, if I list five, I expect all, in order."""
    names = [f"inputs/{number}" for number in range(5)]
    for name in reversed(names):
        blobs.put(name, b"", TYPE)
    pages: list[int] = []
    events = blobs.client.meta.events
    events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))
    events.register("after-call.s3.ListObjectsV2", lambda parsed, **_: pages.append(parsed["KeyCount"]))
    assert list(blobs.keys("")) == names
    assert pages == [2, 2, 1]


def test_changed_bytes_are_noticed(blobs: S3Blobs) -> None:
    """Given an object that was changed in the bucket, if I fetch it by its hash, I expect it named."""
    stored = store_object(blobs, "inputs/a", b"data", TYPE)
    blobs.client.put_object(Bucket=blobs.bucket, Key="inputs/a", Body=b"date")
    with pytest.raises(ServiceUnavailable, match="inputs/a came back with other bytes than were stored"):
        fetch_verified(blobs, stored.key, stored.sha256)


@pytest.mark.parametrize(
    "changes", [{"s3_secret_key": SecretStr("wrong")}, {"s3_access_key": "farm:nobody"}], ids=["secret", "access"]
)
def test_wrong_keys_are_refused(connected: Connect, tmp_path: Path, changes: dict[str, object]) -> None:
    """Given a wrong key, if I use the store in any way, I expect the settings to check, and not the secret."""
    blobs = connected(**changes)
    (tmp_path / "source").write_bytes(b"data")
    for call in (
        lambda: blobs.exists("inputs/a"),
        lambda: blobs.get("inputs/a"),
        lambda: blobs.put("inputs/a", b"data", TYPE),
        lambda: blobs.put_file("inputs/a", tmp_path / "source", TYPE),
        lambda: blobs.get_file("inputs/a", tmp_path / "copy"),
        lambda: list(blobs.keys("")),
    ):
        with pytest.raises(ServiceUnavailable, match=r"check s3_access_key, s3_secret_key") as refusal:
            call()
        assert "wrong" not in str(refusal.value)
    assert not (tmp_path / "copy").exists()


def test_nobody_answers_at_the_endpoint(connected: Connect, tmp_path: Path) -> None:
    """Given an endpoint without a server, if I use it, I expect it named within seconds."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
        endpoint = f"http://127.0.0.1:{held.getsockname()[1]}"
        blobs = connected(s3_endpoint=endpoint)
        sentence = f"the object store at {endpoint} does not answer .*is s3_endpoint right"
        assert seconds_until_unavailable(lambda: blobs.exists("inputs/a"), sentence) < 25
        assert seconds_until_unavailable(lambda: blobs.put("inputs/a", b"data", TYPE), sentence) < 25
        assert seconds_until_unavailable(lambda: blobs.get_file("inputs/a", tmp_path / "copy"), sentence) < 25


def test_the_endpoint_keeps_silent(connected: Connect, silent_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an endpoint that takes a request and never answers, if I use it, I expect the wait to end, each time."""
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    blobs = connected(s3_endpoint=silent_endpoint)
    sentence = f"the object store at {silent_endpoint} does not answer .*timed? ?out"
    assert seconds_until_unavailable(lambda: blobs.exists("inputs/a"), sentence) < 25
    assert seconds_until_unavailable(lambda: blobs.put("inputs/a", b"data", TYPE), sentence) < 25


def test_the_server_comes_back(blobs: S3Blobs, swift_server: SwiftServer, tmp_path: Path) -> None:
    """Given an object, if the server is killed and started again, I expect an error between, and then the object."""
    blobs.put("inputs/a", b"data", TYPE)
    swift_server.kill()
    try:
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            blobs.get("inputs/a")
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            blobs.get_file("inputs/a", tmp_path / "copy")
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            blobs.put("inputs/b", b"data", TYPE)
    finally:
        swift_server.restart()
    assert blobs.get("inputs/a") == b"data"
    assert list(blobs.keys("")) == ["inputs/a"]
    assert list(tmp_path.iterdir()) == []
