"""Crops of a data set: the same for the same seed and step, each picture once, none flat, within a limit on disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.training import resized
from stylefarm.worker.training.crops import Crops
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.resized import ResizedPictures
from tests.unit.worker.training.small import painted


class Counted(PictureList):
    """Pictures that say how often they were decoded."""

    decoded: int = 0

    def picture(self, index: int) -> Tensor:
        object.__setattr__(self, "decoded", self.decoded + 1)
        return super().picture(index)


def counted(count: int = 5) -> Counted:
    return Counted([painted(seed, 40 + 10 * seed, 60) for seed in range(count)])


def crops(pictures: ResizedPictures, seed: int = 0, *, flip: bool = True) -> Crops:
    return Crops(pictures, range(len(pictures)), side=32, flip=flip, seed=seed)


def test_a_step_has_its_crops_in_any_run(tmp_path: Path) -> None:
    """Given a seed, if a step's crops are drawn again, elsewhere or after others, I expect the same; else others."""
    first = crops(ResizedPictures(counted(), (32, 48), tmp_path / "a", "set"))
    again = crops(ResizedPictures(counted(), (32, 48), tmp_path / "b", "set"))
    run = list(first.batches(0, 6, 3))
    assert torch.equal(again.batch(5, 3), run[5])
    assert all(torch.equal(a, b) for a, b in zip(list(again.batches(2, 6, 3)), run[2:], strict=True))
    assert all(batch.shape == (3, 3, 32, 32) and 0 <= float(batch.min()) <= float(batch.max()) <= 1 for batch in run)
    other = crops(ResizedPictures(counted(), (32, 48), tmp_path / "a", "set"), seed=1)
    assert not torch.equal(other.batch(5, 3), run[5])


def test_batches_come_while_the_program_exits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given batches that are read ahead, if Python begins to exit, I expect the others all the same, until the end."""
    expected = list(crops(ResizedPictures(counted(), (32, 48), tmp_path, "set")).batches(0, 4, 3))
    batches = crops(ResizedPictures(counted(), (32, 48), tmp_path, "set")).batches(0, 4, 3)
    first = next(batches)
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    for batch, same in zip([first, *batches], expected, strict=True):
        assert torch.equal(batch, same)


def test_each_picture_comes_once_before_any_comes_again(tmp_path: Path) -> None:
    """Given 6 pictures of one color each, if 12 crops are drawn, I expect each color twice, once in each half."""
    noise = torch.randint(0, 40, (3, 40, 40), generator=torch.Generator().manual_seed(0))
    pictures = PictureList([(noise + 40 * number).clamp(0, 255).byte() for number in range(6)])
    drawn = crops(ResizedPictures(pictures, (32,), tmp_path, "set"))
    shades = [float(crop.mean()) * 255 // 40 for step in range(4) for crop in drawn.batch(step, 3)]
    assert sorted(shades[:6]) == sorted(shades[6:]) == [0, 1, 2, 3, 4, 5]
    assert shades[:6] != shades[6:]


def test_flat_crops_are_passed_over(tmp_path: Path) -> None:
    """Given a picture that is flat but for a corner, if crops are drawn, I expect most to show the corner."""
    picture = torch.full((3, 48, 200), 128, dtype=torch.uint8)
    picture[:, :, 150:] = painted(0, 48, 50)
    drawn = crops(ResizedPictures(PictureList([picture]), (48,), tmp_path, "set"))
    batch = drawn.batch(0, 40)
    assert sum(float(crop.std()) > 0.03 for crop in batch) > 35
    flat = crops(ResizedPictures(PictureList([picture[:, :, :100]]), (48,), tmp_path, "flat"))
    assert flat.batch(0, 2).shape == (2, 3, 32, 32)


def test_half_of_the_crops_are_mirrored(tmp_path: Path) -> None:
    """Given a picture that grows lighter to the right, if crops are drawn, I expect about half to grow darker."""
    ramp = torch.linspace(0, 255, 40).byte().expand(3, 40, 40)
    pictures = ResizedPictures(PictureList([ramp]), (32,), tmp_path, "set")
    for flip, least, most in ((True, 10, 30), (False, 0, 0)):
        batch = crops(pictures, flip=flip).batch(0, 40)
        assert least <= sum(float(crop[0, 0, 0]) > float(crop[0, 0, -1]) for crop in batch) <= most


def test_pictures_are_decoded_once(tmp_path: Path) -> None:
    """Given a data set, if it is used by two trainings one after the other, I expect each picture decoded once."""
    pictures = counted()
    for _ in range(2):
        drawn = crops(ResizedPictures(pictures, (32, 48), tmp_path, "set"))
        list(drawn.batches(0, 4, 5))
    assert pictures.decoded == 5
    assert {side for index in range(5) for side in ResizedPictures(pictures, (32, 48), tmp_path, "set").of(index)} == {
        32,
        48,
    }


@pytest.mark.parametrize("fault", ["limit", "full disk", "cut off"])
def test_what_is_not_on_disk_is_decoded_again(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no room on disk, or a file that was cut off, if crops are drawn, I expect the same ones, and no error."""
    expected = crops(ResizedPictures(counted(), (32, 48), tmp_path / "a", "set")).batch(0, 5)
    if fault == "full disk":

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(np, "save", full)
    limit = 100 if fault == "limit" else 1 << 30
    pictures = ResizedPictures(counted(), (32, 48), tmp_path / "b", "set", limit)
    if fault == "cut off":
        crops(pictures).batch(0, 5)
        for file in (tmp_path / "b").rglob("*.npy"):
            file.write_bytes(file.read_bytes()[:200])
    assert torch.equal(crops(pictures).batch(0, 5), expected)
    if fault != "cut off":
        assert not [file for file in (tmp_path / "b").rglob("*") if file.is_file()]


def test_data_sets_that_were_used_longest_ago_make_room(tmp_path: Path) -> None:
    """Given a limit that two data sets pass, if a third is used, I expect the oldest gone, and the newest kept."""
    folders = []
    for name in ("first", "second"):
        pictures = ResizedPictures(counted(), (32, 48), tmp_path, name)
        crops(pictures).batch(0, 5)
        folders.append(pictures.folder)
    # A file system may not tell two moments of one test apart.
    os.utime(folders[0], (0, 0))
    size = sum(file.stat().st_size for file in folders[1].rglob("*.npy"))
    ResizedPictures(counted(), (32, 48), tmp_path, "third", limit=3 * size)
    assert [folder.exists() for folder in folders] == [False, True]
    assert resized.DISK_LIMIT > 1 << 30


@pytest.mark.parametrize("function", ["scandir", "utime"])
def test_data_sets_that_another_training_deletes_do_no_harm(
    function: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a folder that another training deletes as it is looked into, or begun with, I expect the same crops."""
    expected = crops(ResizedPictures(counted(), (32, 48), tmp_path, "set")).batch(0, 5)
    doomed = next(tmp_path.iterdir())
    real = getattr(os, function)

    def deleted_meanwhile(path: Path) -> object:
        if str(path) == str(doomed) and doomed.exists():
            doomed.rename(tmp_path_factory.mktemp("deleted") / "folder")
        return real(path)

    monkeypatch.setattr(os, function, deleted_meanwhile)
    name = "another" if function == "scandir" else "set"
    assert torch.equal(crops(ResizedPictures(counted(), (32, 48), tmp_path, name)).batch(0, 5), expected)
    assert not doomed.exists()


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    """Given no pictures, if crops are made of them, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="no pictures"):
        crops(ResizedPictures(PictureList([]), (32,), tmp_path, "set"))
