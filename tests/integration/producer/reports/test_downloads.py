"""Results as files: named, whole, and each fetched once."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import (
    Farm,
    InvalidRequest,
    NotFound,
    ServiceUnavailable,
    State,
    StorageFull,
    Sweep,
    download_snapshots,
    download_sweep,
)
from stylefarm.shared.blobs.storage import FolderBlobs
from tests.made_up import made_up

AXES: dict[str, Any] = {"content": ["cat.png", "dog.png"], "style": ["waves.png"], "seed": [*range(1, 11)]}


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Twenty jobs with two snapshots each, one of which failed."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        failed = {"content": "dog.png", "style": "waves.png", "seed": 10}
        yield made_up(farm, AXES, outcome=lambda cell: State.FAILED if cell == failed else State.DONE, snapshots=2)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the objects that are read from the object store."""
    keys: list[str] = []
    get = FolderBlobs.get

    def counted(self: FolderBlobs, key: str) -> bytes:
        keys.append(key)
        return get(self, key)

    monkeypatch.setattr(FolderBlobs, "get", counted)
    return keys


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(sweep: Sweep) -> list[bytes]:
    blobs = sweep.farm.services.blobs
    return [blobs.get(status.result_key) for status in sweep.statuses() if status.result_key]


def test_each_result_has_a_readable_name(sweep: Sweep, out: Path) -> None:
    """Given a sweep, I expect the file of each result under the name of its cell, and one job without a result."""
    done = download_sweep(sweep, out / "new")
    names = [f"{content}_seed-{seed}.png" for content in ("cat", "dog") for seed in AXES["seed"]][:-1]
    assert files(out / "new") == dict(zip(names, results(sweep), strict=True))
    assert (len(done.written), len(done.kept), done.missing) == (19, 0, 1)


def test_a_slice_and_its_snapshots(sweep: Sweep, out: Path) -> None:
    """Given a slice with snapshots, I expect these files alone, with the names that they have in the whole."""
    done = download_sweep(sweep, out, where={"content": ["dog"], "seed": [2, 10]}, snapshots=True)
    written = {one.path.relative_to(out).as_posix() for one in done.written}
    folder = "dog_seed-2_snapshots"
    assert written == {"dog_seed-2.png", f"{folder}/000005.png", f"{folder}/000010.png"}
    assert done.missing == 1
    job = sweep.jobs()[11]
    shots = [shot.fetch().data for shot in job.snapshots()]
    assert [(out / folder / name).read_bytes() for name in ("000005.png", "000010.png")] == shots
    alone = download_snapshots(job, out / "alone")
    assert [one.path.read_bytes() for one in alone.written] == shots
    with pytest.raises(NotFound, match="has no snapshots"):
        download_snapshots(sweep.jobs()[19], out / "none")


def test_what_is_there_is_not_fetched_again(sweep: Sweep, out: Path, fetched: list[str]) -> None:
    """Given a folder with most of the files, if I download again, I expect the others to be fetched, and no more."""
    download_sweep(sweep, out)
    assert len(fetched) == 19
    before = files(out)
    fetched.clear()
    again = download_sweep(sweep, out)
    assert (fetched, len(again.written), len(again.kept)) == ([], 0, 19)
    for seed in (1, 7):
        (out / f"cat_seed-{seed}.png").unlink()
    download_sweep(sweep, out)
    assert len(fetched) == 2
    assert files(out) == before


def test_a_file_of_somebody_else_is_not_overwritten_unasked(sweep: Sweep, out: Path) -> None:
    """Given files of these names that hold something else, I expect a refusal and nothing written, or --force."""
    theirs = {f"cat_seed-{seed}.png": b"mine" for seed in (1, 2, 3)}
    for name, data in theirs.items():
        (out / name).write_bytes(data)
    with pytest.raises(InvalidRequest, match=r"seed-1\.png holds something else, and so do 2 others: give force=True"):
        download_sweep(sweep, out)
    assert files(out) == theirs
    assert len(download_sweep(sweep, out, force=True).written) == 19
    assert list(files(out).values()).count(b"mine") == 0
    with pytest.raises(InvalidRequest, match="is a file, not a folder"):
        download_sweep(sweep, out / "cat_seed-1.png")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_gone_on_from(
    sweep: Sweep, out: Path, monkeypatch: pytest.MonkeyPatch, number: int, fetched: list[str]
) -> None:
    """Given a full disk, I expect nothing left; one that fills up, whole files; with room again, only the rest."""
    real, room, lock = os.fsync, [0], threading.Lock()

    def until_full(descriptor: int) -> None:
        with lock:
            room[0] -= 1
            if room[0] < 0:
                raise OSError(number, os.strerror(number))
        real(descriptor)

    with monkeypatch.context() as filling:
        filling.setattr(os, "fsync", until_full)
        with pytest.raises(StorageFull, match="the disk is full; free some space"):
            download_sweep(sweep, out / "new", snapshots=True)
        assert not list(out.iterdir())
        room[0] = 7
        with pytest.raises(StorageFull, match="the disk is full; free some space"):
            download_sweep(sweep, out)
    known = results(sweep)
    assert len(files(out)) == 7
    assert all(data in known for data in files(out).values())
    fetched.clear()
    again = download_sweep(sweep, out)
    assert (len(again.kept), len(again.written), len(fetched)) == (7, 12, 12)
    assert sorted(files(out).values()) == sorted(known)


def test_an_interruption_is_gone_on_from(sweep: Sweep, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Ctrl-C while files are fetched, I expect whole files alone; if I ask again, all of them."""
    get, count = FolderBlobs.get, iter(range(1000))

    def interrupted(self: FolderBlobs, key: str) -> bytes:
        if next(count) == 9:
            raise KeyboardInterrupt
        return get(self, key)

    with monkeypatch.context() as pressing:
        pressing.setattr(FolderBlobs, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download_sweep(sweep, out)
    known = results(sweep)
    assert 0 < len(files(out)) < 19
    assert all(data in known for data in files(out).values())
    download_sweep(sweep, out)
    assert sorted(files(out).values()) == sorted(known)


def test_results_that_are_gone_do_not_hold_up_the_others(sweep: Sweep, out: Path) -> None:
    """Given two results that were deleted, I expect the seventeen others and NotFound; given other bytes, no file."""
    blobs = sweep.farm.services.blobs
    keys = [status.result_key for status in sweep.statuses() if status.result_key]
    for key in keys[:2]:
        blobs.delete(key)
    with pytest.raises(NotFound, match="2 of 19 files cannot be written, the others are there: there is no object"):
        download_sweep(sweep, out)
    assert sorted(files(out).values()) == sorted(blobs.get(key) for key in keys[2:])
    blobs.put(keys[0], b"other bytes", "image/png")
    with pytest.raises(ServiceUnavailable, match="other bytes"):
        download_sweep(sweep, out)
    assert not (out / "cat_seed-1.png").exists()
