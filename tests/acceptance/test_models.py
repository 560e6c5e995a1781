"""Models and data sets on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.conftest import write_pictures
from tests.programs import CommandLine, InProcess
from tests.tiny_models import adain_model, trunk_model, written


@pytest.fixture
def inside(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program in a folder with pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    folder = tmp_path / "work"
    folder.mkdir()
    write_pictures(folder)
    return InProcess.of(CommandLine(folder, {**home, "STYLEFARM_THREADS": "1"}), request)


def test_a_model_goes_from_a_file_to_a_picture_and_to_other_programs(inside: InProcess) -> None:
    """Given a file of a model, if it is imported, shown, used, exported and deleted, I expect each to work, and the
    exported files to have been run."""
    written(trunk_model("cin", styles=3), inside.folder / "Three Styles.safetensors")
    imported = inside.run("model", "import", "Three Styles.safetensors", "--json")
    assert imported.code == 0, imported.messages
    assert [model["name"] for model in imported.document["models"]] == ["three-styles"]
    assert inside.run("model", "import", "Three Styles.safetensors", "--json").document["added"] == [False]
    assert inside.run("model", "list").out.splitlines()[1].split()[:3] == ["three-styles", "cin", "3"]
    assert inside.run("model", "show", "three-styles", "--json").document["model"]["card"] == {
        "about": "random weights"
    }
    assert "about    random weights" in inside.run("model", "show", "three-styles").out

    rendered = inside.run(
        "render", "a.png", "--model", "three-styles", "--style-index", "1", "--size", "32", "-o", "r.png"
    )
    assert rendered.code == 0, rendered.messages
    with Image.open(inside.folder / "r.png") as picture:
        assert picture.size == (32, 24)

    exported = inside.run("model", "export", "three-styles", "-o", "m.onnx", "--json")
    assert exported.code == 0, exported.messages
    assert exported.document["difference"] < 1e-4
    copied = inside.run("model", "export", "three-styles", "-o", "copy.safetensors")
    assert copied.code == 0, copied.messages
    assert inside.run("model", "import", "copy.safetensors", "--name", "three-styles", "--json").document["added"] == [
        False
    ]
    assert inside.run("model", "export", "three-styles", "-o", "copy.safetensors").code == 2, "the file exists"
    assert inside.run("model", "delete", "three-styles").out == "three-styles\n"
    gone = inside.run("model", "show", "three-styles")
    assert (gone.code, gone.messages) == (3, "stylefarm: no model is called 'three-styles': there is none yet\n")


def test_files_that_are_no_models_are_refused(inside: InProcess) -> None:
    """Given files that are none, or damaged, or of another method, I expect one sentence each, and none registered."""
    folder = inside.folder
    save_file({"x": torch.zeros(2)}, str(folder / "foreign.safetensors"))
    whole = written(trunk_model("johnson"), folder / "whole.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    damaged = trunk_model("johnson")
    next(iter(damaged.tensors.values())).view(-1)[0] = torch.nan
    written(damaged, folder / "nan.safetensors")
    lacking = trunk_model("johnson")
    written(
        type(lacking)("johnson", lacking.architecture, dict(list(lacking.tensors.items())[1:])),
        folder / "lacking.safetensors",
    )
    written(type(lacking)("dream", {}, lacking.tensors), folder / "dream.safetensors")
    for name, sentence in {
        "foreign.safetensors": "is no model of stylefarm",
        "cut.safetensors": "is damaged",
        "nan.safetensors": "holds numbers that are not finite",
        "lacking.safetensors": "",
        "dream.safetensors": "which this release does not have",
        "a.png": "is no model",
        "absent.safetensors": "there is no file absent.safetensors",
        ".": "there is no file",
    }.items():
        ended = inside.run("model", "import", name)
        assert ended.code in (2, 3), (name, ended)
        assert sentence in ended.messages
        assert ended.messages.count("\n") == 1, ended.messages
    assert inside.run("model", "import", "whole.safetensors", "--name", "Nice name!").code == 2
    assert inside.run("model", "list", "-q").out == ""


def test_a_name_is_not_given_twice(inside: InProcess) -> None:
    """Given a model, if another one is imported under its name, I expect a refusal, and with --force the other one."""
    written(trunk_model("johnson"), inside.folder / "one.safetensors")
    written(adain_model(), inside.folder / "two.safetensors")
    assert inside.run("model", "import", "one.safetensors", "--name", "n").code == 0
    refused = inside.run("model", "import", "two.safetensors", "--name", "n")
    assert (refused.code, "--force" in refused.messages) == (2, True)
    assert inside.run("model", "import", "two.safetensors", "--name", "n", "--force").code == 0
    assert inside.run("model", "show", "n", "--format", "{method}").out == "adain\n"


def test_a_folder_becomes_a_data_set(inside: InProcess) -> None:
    """Given folders in a folder, with copies, damaged and other files, if it is added, I expect each picture once, the
    damaged file counted and named, and pictures gone from the store with the data set."""
    photos = inside.folder / "photos"
    (photos / "deeper").mkdir(parents=True)
    shutil.copy(inside.folder / "a.png", photos / "a.png")
    shutil.copy(inside.folder / "a.png", photos / "copy of a.png")
    shutil.copy(inside.folder / "b.png", photos / "deeper" / "b.image")
    (photos / "notes.txt").write_text("no picture")
    (photos / "cut.png").write_bytes((inside.folder / "a.png").read_bytes()[:100])
    (photos / ".hidden.png").write_bytes(b"x")
    added = inside.run("dataset", "add", "mine", "photos", "--json")
    assert added.code == 0, added.messages
    document = added.document
    assert (document["dataset"]["pictures"], document["dataset"]["left_out"], document["added"]) == (2, 1, True)
    assert [Path(name).name for name in document["left_out"]] == ["cut.png"]
    assert "left out: " in added.messages
    assert inside.run("dataset", "add", "mine", "photos", "--json").document["added"] is False
    shown = inside.run("dataset", "show", "mine", "--json").document
    assert sorted(picture["name"] for picture in shown["pictures"]) == ["a.png", "b.image"]
    assert inside.run("dataset", "list", "-q").out == "mine\n"

    shutil.copy(inside.folder / "s.png", photos / "s.png")
    refused = inside.run("dataset", "add", "mine", "photos")
    assert (refused.code, "--force" in refused.messages) == (2, True)
    assert inside.run("dataset", "add", "mine", "photos", "--force").code == 0
    stored = list((Path(inside.variables["STYLEFARM_HOME"]) / "objects" / "inputs").iterdir())
    assert len(stored) == 3
    assert inside.run("dataset", "delete", "mine").code == 0
    assert not list((Path(inside.variables["STYLEFARM_HOME"]) / "objects").glob("inputs/*"))
    assert not list((Path(inside.variables["STYLEFARM_HOME"]) / "objects").glob("datasets/*"))


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("mine", "absent"), 3, "absent is no folder"),
        (("mine", "empty"), 2, "there is no picture in empty"),
        (("mine", "a.png"), 3, "a.png is no folder"),
        (("Mine!", "."), 2, "no data set can be called 'Mine!'"),
    ],
)
def test_what_is_no_data_set_is_refused(
    inside: InProcess, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """Given a wrong folder or name, if it is added, I expect one sentence, and no data set."""
    (inside.folder / "empty").mkdir()
    ended = inside.run("dataset", "add", *arguments)
    assert (ended.code, sentence in ended.messages) == (code, True), ended.messages
    assert json.loads(inside.run("dataset", "list", "--json").out)["datasets"] == []
