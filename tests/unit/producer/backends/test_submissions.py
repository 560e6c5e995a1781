"""A sweep as it is sent to a farm over HTTP: the same cells, and its pictures by their hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stylefarm.producer.backends.protocol import JobSubmission, SweepSubmission
from stylefarm.producer.backends.remote.connection import FarmConnection
from stylefarm.producer.backends.remote.submissions import job_document, sweep_document
from stylefarm.producer.backends.remote.uploads import Uploads
from stylefarm.producer.grids import parse_grid
from stylefarm.shared.errors import InvalidImage, InvalidRequest
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.spec.spec import parse_spec
from stylefarm.shared.spec.terms import Terms

BASE = {"content": "a.png", "style": "s.png"}


@pytest.fixture
def uploads(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    """The pictures of a submission from the folder in which they are; nothing is sent."""
    monkeypatch.chdir(pictures)
    return Uploads(FarmConnection("http://127.0.0.1:9", None), load_settings())


def addressed(value: Any, folder: Path) -> Any:
    """A value with the addresses that names of pictures stand for."""
    if isinstance(value, dict):
        return {name: addressed(entry, folder) for name, entry in value.items()}
    if isinstance(value, list):
        return [addressed(entry, folder) for entry in value]
    if isinstance(value, str) and value.endswith(".png"):
        data = (folder / value).read_bytes()
        return f"sha256:{hashlib.sha256(data).hexdigest()}/{Path(value).name}"
    return value


@pytest.mark.parametrize(
    "document",
    [
        {"base": BASE, "matrix": {"seed": "1..4", "tv_weight": {"linspace": [0, 1, 3]}}},
        {
            "base": {"style": "s.png"},
            "matrix": {"content": ["a.png", "b.png"]},
            "name": "cats",
            "exclude": {"content": "b.png"},
        },
        {"base": {"content": "a.png"}, "matrix": {"style": [["s.png", "t.png"], "t.png"]}},
        {"base": BASE, "zip": [{"seed": [1, 2], "size": [64, 128]}], "include": [{"seed": 2, "tv_weight": 1}]},
        {"base": {"style": "s.png"}, "matrix": {"content": ["a.png"]}, "include": {"content": "b.png", "seed": 7}},
        {
            "base": BASE,
            "matrix": {"seed": {"uniform": [1, 1000]}, "tv_weight": {"loguniform": [0.1, 10]}},
            "sample": {"count": 5, "seed": 3, "method": "latin-hypercube"},
        },
        {
            "base": {**BASE, "content_masks": ["a.png"], "style_masks": ["s.png"]},
            "matrix": {"init_image": ["b.png"], "init": ["image"]},
        },
    ],
)
def test_the_cells_are_the_same(uploads: Uploads, document: dict[str, Any]) -> None:
    """Given a grid of any kind, I expect its document to mean the same cells, in order, with addresses of pictures."""
    grid = parse_grid(document)
    body, skipped, problems = sweep_document(SweepSubmission(grid, Terms(), {}), uploads)
    sent = parse_grid(json.loads(json.dumps(body["sweep"])))
    here = Path()
    assert [cell for cell, _ in sent.cells()] == [addressed(cell, here) for cell, _ in grid.cells()]
    assert [spec.model_dump() for _, spec in sent.cells()] == [
        parse_spec(addressed(spec.model_dump(mode="json", exclude_unset=True), here)).model_dump()
        for _, spec in grid.cells()
    ]
    assert (list(sent.axes), sent.name, skipped, problems) == (list(grid.axes), grid.name, 0, ())


def test_what_is_given_besides_goes_along(uploads: Uploads) -> None:
    """Given terms, marks and the rest, I expect what was given in the body, and no default."""
    grid = parse_grid({"base": BASE, "matrix": {"seed": [1]}})
    submission = SweepSubmission(
        grid, Terms(priority=8, label="night"), {"priority": 8}, 3, Marks(("cats",), "mine"), "p", force=True
    )
    body, _, _ = sweep_document(submission, uploads)
    assert (body["sweep"]["priority"], body["sweep"]["max_running"], "label" in body["sweep"]) == (8, 3, False)
    assert (body["tags"], body["note"], body["parent"], body["force"]) == (["cats"], "mine", "p", True)
    spec = parse_spec({**BASE, "preset": "gatys", "size": 64})
    job = job_document(JobSubmission(spec, Terms(after=("x",)), Marks(("cats",)), force=True), uploads)
    assert job["force"]
    assert json.loads(json.dumps({**job["job"], "content": "", "style": ""})) == {
        "content": "",
        "style": "",
        "preset": "gatys",
        "size": 64,
        "after": ["x"],
        "tags": ["cats"],
    }


def test_bad_pictures_take_their_cells_along(uploads: Uploads) -> None:
    """Given values that name what is no picture, I expect their cells left out, but not those of an include."""
    Path("bad.png").write_bytes(b"none")
    document = {
        "base": {"content": "a.png"},
        "matrix": {"style": ["s.png", "bad.png", ["t.png", "bad.png"]], "seed": [1, 2]},
    }
    body, skipped, problems = sweep_document(SweepSubmission(parse_grid(document), Terms(), {}, skip_bad=True), uploads)
    sent = parse_grid(body["sweep"])
    assert (len(sent), skipped, len(sent.axes["style"])) == (2, 4, 3)
    assert len(problems) == 1
    assert "bad.png" in problems[0]
    with pytest.raises(InvalidImage, match=r"bad\.png"):
        sweep_document(SweepSubmission(parse_grid(document), Terms(), {}), uploads)
    named = {"base": BASE, "matrix": {"seed": [1, 2]}, "include": {"seed": 2, "init_image": "bad.png", "init": "image"}}
    with pytest.raises(InvalidRequest, match="include 1 names a picture that cannot be used"):
        sweep_document(SweepSubmission(parse_grid(named), Terms(), {}, skip_bad=True), uploads)
