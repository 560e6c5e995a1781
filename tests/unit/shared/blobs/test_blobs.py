"""Objects in a folder: whole or not at all, and nothing else in it."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.blobs.storage import CHUNK_BYTES, FolderBlobs, fetch_verified, store_object
from stylefarm.shared.errors import FarmError, InvalidRequest, NotFound, ServiceUnavailable, StorageFull

TYPE = "application/octet-stream"
LARGE = os.urandom(2 * CHUNK_BYTES + 7)

# None is the folder of another, as among the farm's own.
POOL = ["inputs/a", "inputs/b.c", "inputs/a-b", "weights/a", "jobs/1/1/result.png", "jobs/1/2/result.png", "jobs-1"]


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "objects")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def failing(number: int) -> object:
    def fsync(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    return fsync


def test_an_object_goes(blobs: FolderBlobs) -> None:
    """Given an object, if it is deleted, twice, I expect it gone, and the others there."""
    for key in ("jobs/1/1/a", "jobs/1/1/b"):
        blobs.put(key, b"data", TYPE)
    for _ in range(2):
        blobs.delete("jobs/1/1/a")
        assert list(blobs.keys("")) == ["jobs/1/1/b"]


def test_an_object_comes_back(blobs: FolderBlobs) -> None:
    """Given an empty folder, if I put an object, I expect its bytes, its key, and one file."""
    stored = store_object(blobs, "inputs/a", b"data", TYPE)
    assert (stored.key, stored.bytes) == ("inputs/a", 4)
    assert fetch_verified(blobs, stored.key, stored.sha256) == b"data"
    assert blobs.exists("inputs/a")
    assert list(blobs.keys("")) == ["inputs/a"]
    assert files(blobs.root) == ["a"]


def test_an_object_is_overwritten(blobs: FolderBlobs) -> None:
    """Given an object, if I put another of its key, I expect the new bytes, and a shorter one to be shorter."""
    blobs.put("inputs/a", b"a long one", TYPE)
    blobs.put("inputs/a", b"short", TYPE)
    assert blobs.get("inputs/a") == b"short"
    assert files(blobs.root) == ["a"]


def test_a_missing_object_is_not_found(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given no objects, if I ask for one, I expect NotFound with its key, and nothing where it was to go."""
    assert not blobs.exists("inputs/a")
    with pytest.raises(NotFound, match=r"there is no object inputs/a in "):
        blobs.get("inputs/a")
    with pytest.raises(NotFound, match="inputs/a"):
        blobs.get_file("inputs/a", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_an_object_is_none(blobs: FolderBlobs) -> None:
    """Given an object, if I ask for its folder, or for something in it, I expect that neither is found."""
    blobs.put("inputs/a", b"data", TYPE)
    for key in ("inputs", "inputs/a/b"):
        assert not blobs.exists(key)
        with pytest.raises(NotFound):
            blobs.get(key)
    assert list(blobs.keys("inputs/a/")) == []


NO_KEYS = ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a/.b", "a\\b", "a\0", "a\n", "ä"]


@pytest.mark.parametrize("key", [*NO_KEYS, "a" * 201])
def test_what_is_no_key_is_refused(blobs: FolderBlobs, tmp_path: Path, key: str) -> None:
    """Given a key that leads elsewhere or that not every store takes, if I use it, I expect a refusal, nothing more."""
    (tmp_path / "a").write_bytes(b"outside")
    for use in (
        lambda: blobs.put(key, b"", TYPE),
        lambda: blobs.put_file(key, tmp_path / "a", TYPE),
        lambda: blobs.get(key),
        lambda: blobs.get_file(key, tmp_path / "copy"),
        lambda: blobs.exists(key),
    ):
        with pytest.raises(InvalidRequest, match="no object can be called"):
            use()
    assert files(tmp_path) == ["a"]


def test_a_prefix_leads_nowhere_else(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given a file beside the folder, if I list with a prefix that leads out, I expect nothing."""
    (tmp_path / "a").write_bytes(b"outside")
    blobs.put("inputs/a", b"data", TYPE)
    for prefix in ("../", "..", "inputs/../../", "/", str(tmp_path) + "/"):
        assert list(blobs.keys(prefix)) == []


def test_only_objects_are_listed(blobs: FolderBlobs) -> None:
    """Given an interrupted write and a stray file, if I list, I expect the objects alone."""
    blobs.put("inputs/a", b"data", TYPE)
    (blobs.root / "inputs" / ".0123.partial").write_bytes(b"half")
    (blobs.root / ".DS_Store").write_bytes(b"stray")
    assert list(blobs.keys("")) == list(blobs.keys("inp")) == list(blobs.keys("inputs/")) == ["inputs/a"]


def test_files_travel_both_ways(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given a file of several pieces, if I store it and fetch it over another, I expect its bytes, and no rest."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(LARGE)
    copy.write_bytes(b"old")
    blobs.put_file("weights/a", source, TYPE)
    blobs.get_file("weights/a", copy)
    assert blobs.get("weights/a") == copy.read_bytes() == LARGE
    assert files(tmp_path) == ["a", "copy", "source"]


def test_objects_have_the_permissions_of_any_file(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given a umask, if I write an object and a copy, I expect what any new file would have."""
    before = os.umask(0o027)
    try:
        blobs.put("inputs/a", b"data", TYPE)
        blobs.get_file("inputs/a", tmp_path / "copy")
    finally:
        os.umask(before)
    for path in (blobs.root / "inputs" / "a", tmp_path / "copy"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENOSPC, StorageFull, "the disk that holds .* is full: make room and try again$"),
        (errno.EDQUOT, StorageFull, "is full"),
        (errno.EIO, ServiceUnavailable, r"the folder .* cannot be used \(Input/output error\): check its permissions"),
    ],
)
def test_a_failing_disk_keeps_what_was_there(
    blobs: FolderBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[FarmError],
    sentence: str,
) -> None:
    """Given an object, if the disk fails under a new one, I expect a sentence, the old one, and no half of it."""
    (tmp_path / "source").write_bytes(LARGE)
    blobs.put("inputs/a", b"old", TYPE)
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(kind, match=sentence):
        blobs.put("inputs/a", b"new", TYPE)
    with pytest.raises(kind, match=sentence):
        blobs.put_file("inputs/b", tmp_path / "source", TYPE)
    assert files(blobs.root) == ["a"]
    assert blobs.get("inputs/a") == b"old"


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENOSPC, StorageFull, r"copy cannot be written, the disk is full: make room and try again$"),
        (errno.EIO, ServiceUnavailable, r"copy cannot be written \(Input/output error\): check its folder$"),
    ],
)
def test_a_failing_disk_at_the_destination(
    blobs: FolderBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[FarmError],
    sentence: str,
) -> None:
    """Given an object, if the disk of its copy fails, I expect that copy to be named, and the older one untouched."""
    copy = tmp_path / "copy"
    copy.write_bytes(b"old")
    blobs.put("weights/a", LARGE, TYPE)
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(kind, match=sentence):
        blobs.get_file("weights/a", copy)
    assert copy.read_bytes() == b"old"
    assert files(tmp_path) == ["a", "copy"]


def test_a_destination_that_cannot_be(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given a destination in no folder, or that is one, if I fetch, I expect it named in the sentence."""
    blobs.put("weights/a", b"data", TYPE)
    with pytest.raises(ServiceUnavailable, match=r"nowhere/copy cannot be written \(No such file or directory\)"):
        blobs.get_file("weights/a", tmp_path / "nowhere" / "copy")
    with pytest.raises(ServiceUnavailable, match=r"objects cannot be written \(Is a directory\)"):
        blobs.get_file("weights/a", blobs.root)
    assert files(tmp_path) == ["a"]


def test_a_source_that_cannot_be_read(blobs: FolderBlobs, tmp_path: Path) -> None:
    """Given no such file, or a folder, if I store it, I expect that path named, and no object."""
    with pytest.raises(InvalidRequest, match=r"missing cannot be read \(No such file or directory\): check its name"):
        blobs.put_file("weights/a", tmp_path / "missing", TYPE)
    with pytest.raises(InvalidRequest, match=r"cannot be read \(Is a directory\)"):
        blobs.put_file("weights/a", tmp_path, TYPE)
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """Given a file where the folder is to be, if I write, I expect it named, and STYLEFARM_HOME."""
    (tmp_path / "objects").write_bytes(b"")
    blobs = FolderBlobs(tmp_path / "objects")
    with pytest.raises(ServiceUnavailable, match=r"objects cannot be used \(.*\): check .* or STYLEFARM_HOME$"):
        blobs.put("inputs/a", b"data", TYPE)
    assert not blobs.exists("inputs/a")


def test_a_folder_that_may_not_be_read(blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a folder that the system keeps shut, if I list or look, I expect the reason, not an empty store."""

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    blobs.put("inputs/a", b"data", TYPE)
    with monkeypatch.context() as shut:
        shut.setattr(os, "scandir", denied)
        with pytest.raises(ServiceUnavailable, match="Permission denied"):
            blobs.keys("")
    with monkeypatch.context() as shut:
        shut.setattr(Path, "stat", denied)
        with pytest.raises(ServiceUnavailable, match="Permission denied"):
            blobs.exists("inputs/a")


def test_changed_bytes_are_noticed(blobs: FolderBlobs) -> None:
    """Given an object whose file was changed, if I fetch it by its hash, I expect it named as other than stored."""
    stored = store_object(blobs, "inputs/a", b"data", TYPE)
    (blobs.root / "inputs" / "a").write_bytes(b"date")
    with pytest.raises(ServiceUnavailable, match="inputs/a came back with other bytes than were stored"):
        fetch_verified(blobs, stored.key, stored.sha256)


def test_writers_of_one_key_do_not_mix(blobs: FolderBlobs) -> None:
    """Given eight writers of one key, if they write at once, I expect one of theirs whole, and no rest."""
    payloads = [bytes([number]) * CHUNK_BYTES for number in range(8)]
    threads = [threading.Thread(target=blobs.put, args=("inputs/a", payload, TYPE)) for payload in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blobs.get("inputs/a") in payloads
    assert files(blobs.root) == ["a"]


actions = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(POOL), st.binary(max_size=20)),
    st.tuples(st.sampled_from(["get", "exists"]), st.sampled_from(POOL), st.none()),
    st.tuples(st.just("keys"), st.text("injobs/1", max_size=6) | st.sampled_from(POOL), st.none()),
)


@given(st.lists(actions, max_size=15))
def test_a_folder_is_a_dict(sequence: list[tuple[str, str, bytes | None]]) -> None:
    """Given any sequence of puts and questions, I expect the answers of a dict."""
    model: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        blobs = FolderBlobs(Path(folder) / "objects")
        for name, key, data in sequence:
            if data is not None:
                blobs.put(key, data, TYPE)
                model[key] = data
            elif name == "exists":
                assert blobs.exists(key) == (key in model)
            elif name == "keys":
                assert list(blobs.keys(key)) == sorted(k for k in model if k.startswith(key))
            elif key in model:
                assert blobs.get(key) == model[key]
            else:
                with pytest.raises(NotFound):
                    blobs.get(key)


def test_empty_folders_go_with_their_last_object(blobs: FolderBlobs) -> None:
    """Given objects of two jobs, if one's are deleted, I expect no folder of it left, and the top folder to stay."""
    for key in ("jobs/1/1/snapshots/000001.png", "jobs/1/2/result.png", "jobs/2/1/result.png"):
        blobs.put(key, b"data", TYPE)
    blobs.delete("jobs/1/1/snapshots/000001.png")
    assert sorted(path.name for path in (blobs.root / "jobs" / "1").iterdir()) == ["2"]
    for key in ("jobs/1/2/result.png", "jobs/2/1/result.png"):
        blobs.delete(key)
    assert [path.name for path in blobs.root.rglob("*")] == ["jobs"]


def test_a_folder_is_written_to_while_it_becomes_empty(blobs: FolderBlobs) -> None:
    """Given a writer whose folder another keeps emptying, I expect each object whole when it is written."""
    until = threading.Event()

    def empty() -> None:
        while not until.is_set():
            blobs.delete("jobs/1/1/a")

    emptying = [threading.Thread(target=empty) for _ in range(2)]
    for thread in emptying:
        thread.start()
    try:
        for _ in range(100):
            blobs.put("jobs/1/1/a", b"data", TYPE)
        blobs.put("jobs/1/1/b", b"data", TYPE)
        assert blobs.get("jobs/1/1/b") == b"data"
    finally:
        until.set()
        for thread in emptying:
            thread.join()
