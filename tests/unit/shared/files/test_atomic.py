"""Writing results: whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from stylefarm.shared.errors import InvalidRequest, StorageFull
from stylefarm.shared.files.atomic import check_writable, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("force", [False, True])
def test_a_new_file_is_written(tmp_path: Path, force: bool) -> None:
    """Given an empty folder, if I write, I expect the data and nothing else in it."""
    write_atomically(tmp_path / "out.png", b"data", force=force)
    assert (tmp_path / "out.png").read_bytes() == b"data"
    assert names(tmp_path) == ["out.png"]


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    """Given a file, if I write without force, I expect a refusal that names the argument, and the file as it was."""
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    sentence = r"exists: give force=True to overwrite it, or another path$"
    with pytest.raises(InvalidRequest, match=sentence):
        check_writable(target, force=False)
    with pytest.raises(InvalidRequest, match=sentence):
        write_atomically(target, b"new", force=False)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["out.png"]


def test_an_existing_file_is_replaced_with_force(tmp_path: Path) -> None:
    """Given a file, if I write with force, I expect the new data."""
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    check_writable(target, force=True)
    write_atomically(target, b"new", force=True)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    """Given a file that someone makes while mine is being written, if I end without force, I expect theirs to stay."""
    target = tmp_path / "out.png"
    real_fsync, real_link = os.fsync, os.link

    def someone_writes(descriptor: int) -> None:
        real_fsync(descriptor)
        target.write_bytes(b"theirs")

    def link(source: Path, name: Path) -> None:
        if not hard_links:
            raise OSError(errno.EPERM, "Operation not permitted")
        real_link(source, name)

    monkeypatch.setattr(os, "fsync", someone_writes)
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(InvalidRequest, match="exists"):
        write_atomically(target, b"mine", force=False)
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["out.png"]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file system that knows no hard links, if I write, I expect the data all the same."""

    def refuse(source: Path, name: Path) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    write_atomically(tmp_path / "out.png", b"data", force=False)
    assert (tmp_path / "out.png").read_bytes() == b"data"
    assert names(tmp_path) == ["out.png"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Given a disk that fills up, if I write over a file, I expect StorageFull, the old file, and no remains."""
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="free some space"):
        write_atomically(target, b"new", force=True)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["out.png"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Ctrl-C in the middle of it, if I look into the folder, I expect it empty."""

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out.png", b"data", force=False)
    assert names(tmp_path) == []


@pytest.mark.parametrize("force", [False, True])
def test_permissions_follow_the_umask(tmp_path: Path, force: bool) -> None:
    """Given a umask of 027, if I write, I expect 0640 and not the 0600 of temporary files."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out.png", b"data", force=force)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640


def test_permissions_of_what_is_overwritten_stay(tmp_path: Path) -> None:
    """Given a file that nobody else may read, if I overwrite it, I expect the same of the new one."""
    target = tmp_path / ".bashrc"
    target.touch(0o600)
    write_atomically(target, b"new", force=True)
    assert (stat.S_IMODE(target.stat().st_mode), target.read_bytes()) == (0o600, b"new")


def test_a_link_to_nowhere_tells_where_it_leads(tmp_path: Path) -> None:
    """Given a link into a folder that is not there, if I write to it, I expect to read of that folder."""
    (tmp_path / "out.png").symlink_to("nowhere/out.png")
    with pytest.raises(InvalidRequest, match=r"the folder .*nowhere does not exist"):
        write_atomically(tmp_path / "out.png", b"data", force=False)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    """Given a link to a file, if I write to the link with force, I expect the file behind it to change."""
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "latest.png").symlink_to("real.png")
    write_atomically(tmp_path / "latest.png", b"new", force=True)
    assert (tmp_path / "latest.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes() == b"new"


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    """Given no folder, a folder, a device, a name too long, if I ask or write, I expect one sentence each."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")
    places = {
        tmp_path / "absent" / "out.png": "the folder .*absent does not exist: create it",
        tmp_path / "file" / "out.png": "file is a file, not a folder",
        tmp_path / "folder": "is a folder: give the name of a file in it",
        tmp_path / "loop": "is a link that leads back to itself: give another file",
        Path("/dev/null"): "is a device or a pipe",
        tmp_path / ("x" * 300): "File name too long",
        tmp_path / "a\0b": "null",
    }
    for place, sentence in places.items():
        with pytest.raises(InvalidRequest, match=sentence):
            check_writable(place, force=True)
        with pytest.raises(InvalidRequest, match=sentence):
            write_atomically(place, b"data", force=True)


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a folder I may not write to, if I ask, I expect a sentence about permission."""
    # Not by chmod: tests may run as root, who may write anywhere.
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "denied")))
    with pytest.raises(InvalidRequest, match="you may not write to its folder"):
        check_writable(tmp_path / "out.png", force=False)


def test_asking_leaves_nothing(tmp_path: Path) -> None:
    """Given a folder, if I ask whether I can write there, I expect it unchanged."""
    check_writable(tmp_path / "out.png", force=False)
    assert names(tmp_path) == []
