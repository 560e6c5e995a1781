"""The plates: their pixels, and the command that writes them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from examples.plates import PLATES, draw
from examples.plates.__main__ import main

SIZES = ((16, 16), (60, 40), (40, 120))
plates = pytest.mark.parametrize("name", PLATES)


drawn = functools.cache(draw)


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


@plates
def test_a_seed_is_a_picture(name: str) -> None:
    """Given a plate, if it is drawn of the same seed and of another, I expect the same bytes and another picture."""
    first = drawn(name, 16, 16)
    assert draw(name, 16, 16, seed=0).tobytes() == first.tobytes()
    assert np.abs(pixels(draw(name, 16, 16, seed=1)) - pixels(first)).mean() > 4


@plates
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_any_size_is_filled(name: str, width: int, height: int) -> None:
    """Given any size and aspect ratio, I expect a picture of that size in RGB, none of whose quarters is flat."""
    image = drawn(name, width, height)
    assert (image.mode, image.size) == ("RGB", (width, height))
    values = pixels(image)
    assert values.std() > 20
    for half in np.array_split(values, 2):
        for quarter in np.array_split(half, 2, axis=1):
            assert quarter.std() > 8


@plates
def test_the_composition_is_the_same_at_each_size(name: str) -> None:
    """Given two sizes of one aspect ratio, I expect pictures that are alike when the larger is scaled down."""
    small, large = (
        pixels(drawn(name, width, height).convert("L").resize((15, 10), Image.Resampling.BOX)).ravel()
        for width, height in ((60, 40), (120, 80))
    )
    likeness = np.mean((small - small.mean()) * (large - large.mean())) / (small.std() * large.std())
    assert likeness > 0.85


def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given two names, one of them twice, I expect their pictures in a new folder, and their paths printed once."""
    folder = tmp_path / "new" / "plates"
    main(["ink", "glass", "ink", "--size", "40x30", "--seed", "5", "-o", str(folder)])
    assert capsys.readouterr().out.splitlines() == [str(folder / "ink.png"), str(folder / "glass.png")]
    assert sorted(path.name for path in folder.iterdir()) == ["glass.png", "ink.png"]
    with Image.open(folder / "ink.png") as image:
        assert image.tobytes() == draw("ink", 40, 30, seed=5).tobytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["waves", "sunflowers"], "there is no plate sunflowers: choose from swirls, waves, glass, dots, ink"),
        (["--size", "0"], "0: expected N or WxH, each from 16 to 4096"),
        (["--size", "40x"], "40x: expected N or WxH, each from 16 to 4096"),
        (["--size", "40x99999"], "40x99999: expected N or WxH, each from 16 to 4096"),
        (["--seed", "-1"], "-1: expected a whole number from 0"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a name, a size or a seed that is wrong, I expect one sentence that says so, and nothing written."""
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "-o", str(tmp_path / "plates")])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(told)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file where the folder should be, I expect one sentence, and the file as it was."""
    (tmp_path / "plates").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        main(["glass", "--size", "16", "-o", str(tmp_path / "plates")])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "plates").read_text() == "mine"


def test_a_picture_that_cannot_be_replaced_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a folder of the picture's name, I expect one sentence, and no half-written file."""
    (tmp_path / "glass.png").mkdir()
    with pytest.raises(SystemExit) as stopped:
        main(["glass", "--size", "16", "-o", str(tmp_path)])
    assert stopped.value.code == 2
    assert "glass.png" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["glass.png"]
