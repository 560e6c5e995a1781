"""The sweep files of the examples, and the photographs that they name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from examples import photographs
from examples.plates import PLATES
from stylefarm.producer.grids.document import read_grid
from tests import REPOSITORY

FILES = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "examples").rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_sweep_file_is_a_sweep(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given photographs and plates, I expect each cell of a sweep file to be a job of pictures that are there."""
    monkeypatch.setattr(sys, "argv", ["photographs", "-o", str(tmp_path / "photographs")])
    photographs.main()
    (tmp_path / "plates").mkdir()
    for name in PLATES:
        Image.new("RGB", (16, 16)).save(tmp_path / "plates" / f"{name}.png")
    copied = tmp_path / file
    copied.parent.mkdir(parents=True)
    shutil.copyfile(REPOSITORY / file, copied)
    specs = [spec for _, spec in read_grid(copied).cells()]
    assert len(specs) > 1
    assert all(Path(picture).is_file() for spec in specs for picture in (spec.content, *spec.style))
