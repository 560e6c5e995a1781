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
    assert [axis["name"] for axis in page["axes"]] == ["content", "style", "style_weight"]
    assert page["axes"][1]["labels"] == ["waves", "waves + night", "gravel"]
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
    """Given two weights, I expect a PNG and a JPEG for each, and one file of PDF and of HTML; nothing overwritten."""
    paths = write_sheet(sweep, tmp_path / f"sheet{suffix}", metric="gram", cell=48)
    assert len(paths) == files
    assert {path.suffix for path in paths} == {suffix}
    if suffix == ".pdf":
        assert paths[0].read_bytes().count(b"/Type /Page\n") == 2
    with pytest.raises(InvalidRequest, match="exists"):
        write_sheet(sweep, tmp_path / f"sheet{suffix}", cell=48)
    write_sheet(sweep, tmp_path / f"sheet{suffix}", cell=48, force=True)
    assert not list(tmp_path.glob(".stylefarm-*"))


def test_a_slice_is_one_picture(sweep: Sweep, tmp_path: Path) -> None:
    """Given one weight, or other axes on the sides, I expect sheets of their size, and a sentence for what is left."""
    wide = sweep_sheet(sweep, where={"style_weight": ["10"]}, cell=64)
    high = sweep_sheet(sweep, "style", "content", where={"style_weight": ["10"]}, cell=64)
    assert wide.width > high.width
    assert high.height > wide.height
    with pytest.raises(InvalidRequest, match="also has style_weight: choose by where"):
        sweep_sheet(sweep)
    with pytest.raises(InvalidRequest, match="ends in no format"):
        write_sheet(sweep, tmp_path / "sheet.gif")
    with pytest.raises(InvalidRequest, match="unknown metric 'beauty'"):
        write_sheet(sweep, tmp_path / "sheet.png", metric="beauty")
    assert not list(tmp_path.glob("sheet*"))


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
