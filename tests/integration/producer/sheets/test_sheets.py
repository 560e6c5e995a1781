"""Sheets of a sweep in every state, as files."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, State, Sweep, sweep_sheet, write_sheet
from stylefarm.producer.views.metrics import NOT_VALIDATED
from stylefarm.producer.views.pictures import webp
from tests.made_up import made_up, texture
from tests.pages import document

AXES: Mapping[str, Any] = {
    "content": ["cat.png", "dog.png"],
    "style": ["waves.png", ["waves.png", "night.png"], "gravel.png"],
    "style_weight": [1.0, 10.0],
}
OUTCOMES = {
    ("cat.png", "gravel.png"): State.FAILED,
    ("dog.png", "waves.png"): State.RUNNING,
    ("dog.png", "gravel.png"): State.QUEUED,
}


def outcome(cell: Mapping[str, Any]) -> State:
    return OUTCOMES.get((cell["content"], str(cell["style"])), State.DONE)


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Two contents in three manners at two weights, some of them failed, running or queued."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield made_up(farm, AXES, outcome=outcome, snapshots=3, name="</script><b>manners")


def test_a_page_has_all_in_one_file(sweep: Sweep, tmp_path: Path) -> None:
    """Given jobs in every state, I expect each in the page with its picture, numbers and problem, and no link."""
    (path,) = write_sheet(sweep, tmp_path / "sheet.html", metric="ssim")
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|https?:|@import|url\(""", text)
    assert "<b>manners" not in text.replace("\\u003c", "(")
    page = document(path)
    assert page["title"] == sweep.name
    assert [axis["name"] for axis in page["axes"]] == ["content", "style_weight", "style"]
    assert page["axes"][2]["labels"] == ["waves", "waves + night", "gravel"]
    assert len(page["cells"]) == 12
    by_state: dict[str, list[Any]] = {}
    for cell in page["cells"]:
        by_state.setdefault(cell["state"], []).append(cell)
    assert {state: len(cells) for state, cells in by_state.items()} == {
        "done": 6,
        "failed": 2,
        "running": 2,
        "queued": 2,
    }
    assert all(cell["image"] is None for state in ("failed", "queued") for cell in by_state[state])
    assert "cut short" in by_state["failed"][0]["problem"]
    assert (by_state["running"][0]["progress"], by_state["running"][0]["steps"][-1][0]) == (0.5, 5)
    assert [step for step, _ in by_state["done"][0]["steps"]] == [3, 6, 10]
    assert page["note"] == NOT_VALIDATED
    for cell in by_state["done"] + by_state["running"]:
        for index in (cell["image"], *(image for _, image in cell["steps"]), *cell["inputs"]):
            with Image.open(BytesIO(base64.b64decode(page["images"][index]))) as image:
                assert image.format == "WEBP"


def test_a_picture_that_is_gone_is_marked(sweep: Sweep, tmp_path: Path) -> None:
    """Given a result and a style that were deleted, I expect the other pictures, in the page and in the PNG."""
    done = sweep.statuses()[0]
    blobs = sweep.farm.services.blobs
    assert done.result_key is not None
    blobs.delete(done.result_key)
    blobs.delete("inputs/" + done.spec["style"][0].removeprefix("sha256:"))
    page = document(write_sheet(sweep, tmp_path / "sheet.html")[0])
    assert sum(image is None for image in page["images"]) == 3  # the result, the style, and the mixture with it
    assert sweep_sheet(sweep, where={"style_weight": [1]}, cell=48).width > 4 * 48


def test_a_picture_with_other_bytes_is_marked(sweep: Sweep, tmp_path: Path) -> None:
    """Given a result whose object has other bytes than were stored, I expect that cell marked, and the others."""
    done = sweep.statuses()[0]
    assert done.result_key is not None
    blobs = sweep.farm.services.blobs
    sound = blobs.get(done.result_key)
    blobs.put(done.result_key, sound[:-1] + b"x", "image/png")
    page = document(write_sheet(sweep, tmp_path / "sheet.html")[0])
    assert sum(image is None for image in page["images"]) == 1
    assert sweep_sheet(sweep, where={"style_weight": [1]}, cell=48).width > 4 * 48


@pytest.mark.parametrize(("suffix", "files"), [(".png", 2), (".jpg", 2), (".pdf", 1), (".html", 1)])
def test_pages_are_files_or_pages_of_one(sweep: Sweep, tmp_path: Path, suffix: str, files: int) -> None:
    """Given two weights on no side, I expect a PNG and a JPEG for each, and one file of PDF and of HTML."""
    wanted: dict[str, Any] = {"rows": "content", "columns": "style", "cell": 48}
    paths = write_sheet(sweep, tmp_path / f"sheet{suffix}", metric="gram", **wanted)
    assert len(paths) == files
    assert {path.suffix for path in paths} == {suffix}
    if suffix == ".pdf":
        assert len(pages_of(paths[0])) == 2
    with pytest.raises(InvalidRequest, match="exists"):
        write_sheet(sweep, tmp_path / f"sheet{suffix}", **wanted)
    write_sheet(sweep, tmp_path / f"sheet{suffix}", **wanted, force=True)
    assert not list(tmp_path.glob(".stylefarm-*"))


def test_three_axes_are_one_sheet(sweep: Sweep, tmp_path: Path) -> None:
    """Given two weights and no wish, I expect them within the contents, in one picture and on the page."""
    (path,) = write_sheet(sweep, tmp_path / "sheet.png", cell=48)
    with Image.open(path) as image:
        assert image.height > 4 * 48 * 0.75
    page = document(write_sheet(sweep, tmp_path / "sheet.html")[0])
    assert ([page["axes"][at]["name"] for at in page["rows"]], page["columns"]) == (["content", "style_weight"], [2])


def test_a_slice_is_one_picture(sweep: Sweep, tmp_path: Path) -> None:
    """Given one weight, or other axes on the sides, I expect sheets of their size, and a sentence for what is left."""
    wide = sweep_sheet(sweep, where={"style_weight": ["10"]}, cell=64)
    high = sweep_sheet(sweep, "style", "content", where={"style_weight": ["10"]}, cell=64)
    assert wide.width > high.width
    assert high.height > wide.height
    with pytest.raises(InvalidRequest, match="also has style_weight: choose by where"):
        sweep_sheet(sweep, "content", "style")
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("sheet.gif", {}, "ends in no format"),
        ("sheet.png", {"metric": "beauty"}, "unknown metric 'beauty'"),
        ("sheet.png", {"paper": "a4"}, "is for a PDF"),
        ("sheet.pdf", {"paper": "a3"}, "unknown paper 'a3': give one of fit, a4, letter"),
    ]
    for name, wanted, message in wrong:
        with pytest.raises(InvalidRequest, match=message):
            write_sheet(sweep, tmp_path / name, **wanted)
    assert not list(tmp_path.glob("sheet*"))


def test_a_long_sheet_goes_on_from_page_to_page(tmp_path: Path) -> None:
    """Given 120 rows, I expect pages of the paper with the heads on each, or as large as a page of a PDF may be."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        long = made_up(farm, {"seed": list(range(120)), "style_weight": [1, 2]}, variants=1)
        paper = pages_of(write_sheet(long, tmp_path / "paper.pdf", paper="a4")[0])
        fitting = pages_of(write_sheet(long, tmp_path / "fit.pdf", cell=900)[0])
        with pytest.raises(InvalidRequest, match=r"the sheet would be .* give a smaller cell"):
            write_sheet(long, tmp_path / "sheet.jpg", cell=900)
    # In points: A4, upright or on its side; and at most 200 inches.
    assert len(paper) > 5
    assert {tuple(sorted(page)) for page in paper} == {(595, 842)}
    assert len(fitting) > 1
    assert max(side for page in fitting for side in page) <= 14_400
    assert not list(tmp_path.glob("*.jpg"))


def test_a_sheet_of_one_axis_is_in_several_lines(tmp_path: Path) -> None:
    """Given one axis of twenty values, I expect a sheet about as wide as it is high, and of six values one line."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        sweep = made_up(farm, {"seed": list(range(20))}, variants=1)
        folded = sweep_sheet(sweep, cell=64)
        line = sweep_sheet(sweep, where={"seed": list(range(6))}, cell=64)
    assert 0.5 < folded.height / folded.width < 2
    assert line.height > 3 * line.width


def test_what_is_not_there_has_no_page(tmp_path: Path) -> None:
    """Given a grid in which two axes go together, I expect no file for the other combinations, in any format."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        axes: dict[str, list[Any]] = {"content": ["a.png", "b.png"], "seed": [1, 2, 3], "size": [48, 56, 64]}
        cells = [
            {"content": one, "seed": seed, "size": 40 + 8 * seed} for one in axes["content"] for seed in axes["seed"]
        ]
        sweep = made_up(farm, axes, cells=cells)
        asked: list[int] = []
        wanted: dict[str, Any] = {"rows": "content", "columns": [], "cell": 48}
        assert len(write_sheet(sweep, tmp_path / "sheet.png", **wanted, ask=asked.append)) == 3
        assert asked == [3]
        assert len(pages_of(write_sheet(sweep, tmp_path / "sheet.pdf", **wanted)[0])) == 3
        with pytest.raises(InvalidRequest, match="no job of the sweep has these values"):
            write_sheet(sweep, tmp_path / "none.html", where={"seed": [1], "size": [64]})


def pages_of(path: Path) -> list[tuple[int, int]]:
    """The width and height of each page of a PDF, in points."""
    boxes = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", path.read_bytes())
    return [(round(float(width)), round(float(height))) for width, height in boxes]


def test_a_ranking_has_the_closest_first(sweep: Sweep, tmp_path: Path) -> None:
    """Given a metric to sort by, I expect one list on the page, and a picture of the first few."""
    page = document(write_sheet(sweep, tmp_path / "sheet.html", sort_by="ssim")[0])
    assert (page["sortBy"], [m["more"] for m in page["measures"] if m["name"] in ("ssim", "gram")]) == (
        "ssim",
        [False, True],
    )
    few, many = (write_sheet(sweep, tmp_path / f"{n}.png", sort_by="ssim", top=n, cell=48)[0] for n in (2, 6))
    with Image.open(few) as small, Image.open(many) as large:
        assert small.height < large.height


@pytest.mark.parametrize("most", [900, 3000, 100_000])
def test_thumbnails_keep_to_their_bytes(most: int) -> None:
    """Given a picture with much detail, I expect a WebP within the bytes, of its aspect."""
    data = webp(texture(1, (512, 384)), 256, most)
    assert len(data) <= most
    with Image.open(BytesIO(data)) as image:
        assert image.width <= 256
        assert abs(image.width / image.height - 4 / 3) < 0.1
