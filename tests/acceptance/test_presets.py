"""Presets and methods on the command line, as a user asks for them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from stylefarm import Farm
from stylefarm.shared.images.encode import read_parameters
from stylefarm.shared.spec.presets import PRESETS, SQUEEZENET_PRESETS, SUMMARIES
from stylefarm.shared.spec.spec import JobSpec
from tests.acceptance.test_bad_input import refused
from tests.programs import SHALLOW_OPTIONS, CommandLine, InProcess

OVERRIDES = {"size": 48, "min_size": 32, "first_iterations": 2, "iterations": 2}
SMALL = ("--size", "48", "--iterations", "2", *SHALLOW_OPTIONS)


@pytest.fixture
def inside(pictures: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program without a process of its own, in the folder of the pictures."""
    return InProcess.of(CommandLine(pictures, {"STYLEFARM_THREADS": "1"}), request)


def rendered(program: CommandLine, *arguments: str) -> dict[str, Any]:
    """The job's parameters, as `render --json` tells them after it has rendered."""
    ended = program.run("render", *arguments, "--json")
    assert ended.code == 0, ended.messages
    spec: dict[str, Any] = ended.document["job"]["spec"]
    return spec


def options(fields: dict[str, Any]) -> list[str]:
    return [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def test_presets_are_listed(inside: InProcess) -> None:
    """Given the farm's presets, if they are listed, I expect each with its summary, as a table and as JSON."""
    lines = inside.run("presets", "list").out.splitlines()[1:]
    assert [line.rstrip().split(maxsplit=1) for line in lines] == [[name, SUMMARIES[name]] for name in PRESETS]
    document = inside.run("presets", "list", "--json").document
    assert document["schema_version"] == 1
    assert document["presets"] == [{"name": name, "summary": SUMMARIES[name]} for name in PRESETS]


@pytest.mark.parametrize("every", [(), ("--all",)], ids=["what differs", "all"])
@pytest.mark.parametrize("name", PRESETS)
def test_what_is_shown_of_a_preset_is_the_preset(
    inside: InProcess, pictures: Path, name: str, every: tuple[str, ...]
) -> None:
    """Given a preset's numbers as they are shown, if a sweep file takes them, I expect the preset's own spec."""
    # Those of the farm are shown for SqueezeNet, whose weights are not at hand here.
    features = {"features": "random"} if name in SQUEEZENET_PRESETS else {}
    shown = inside.run("presets", "show", name, *every, *options(features))
    assert shown.code == 0, shown.messages
    base = yaml.safe_load(shown.out)["base"]
    document = {"base": {**base, **OVERRIDES}, "matrix": {"content": ["a.png"], "style": ["s.png"]}}
    (pictures / "sweep.yaml").write_text(yaml.safe_dump(document))
    created = inside.run("sweep", "create", "sweep.yaml")
    assert created.code == 0, created.messages
    with Farm() as farm:
        (status,) = farm.find_sweep(created.out.strip()).statuses()
        own = farm.submit(content="a.png", style="s.png", preset=name, **features, **OVERRIDES).status().spec
    assert {**status.spec, "preset": name} == own


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_shown_as_json_is_what_is_shown(inside: InProcess, name: str) -> None:
    """Given a preset, if all its numbers are shown as JSON, I expect parameters, as YAML shows them."""
    document = inside.run("presets", "show", name, "--all", "--json").document
    assert (document["preset"], document["summary"]) == (name, SUMMARIES[name])
    assert set(document["parameters"]) < set(JobSpec.model_fields)
    shown = inside.run("presets", "show", name, "--all").out
    assert yaml.safe_load(shown)["base"] == document["parameters"]


@pytest.mark.parametrize("name", ["gatys", "multiscale", "mxnet"])
def test_a_preset_is_rendered(inside: InProcess, pictures: Path, name: str) -> None:
    """Given a preset, if one renders with it, and with numbers of one's own, I expect those, and else the preset's."""
    shallow = (*SHALLOW_OPTIONS, "--style-layer-weights", "1,1")
    spec = rendered(inside, "a.png", "s.png", "-o", "out.png", "--preset", name, *options(OVERRIDES), *shallow)
    own = PRESETS[name]
    assert spec["preset"] == name
    assert {key: spec[key] for key in OVERRIDES} == OVERRIDES
    assert spec["style_layer_weights"] == [1.0, 1.0]
    for key in ("style_normalization", "content_weight", "optimizer", "init", "features_deviation"):
        assert spec[key] == own.get(key, JobSpec.model_fields[key].default)
    parameters = read_parameters((pictures / "out.png").read_bytes()) or {}
    assert {key: parameters[key] for key in spec} == spec


def test_a_preset_with_its_own_layers(program: CommandLine) -> None:
    """Given the program itself, if a preset is rendered small, I expect 0, a picture, and the preset's layers."""
    spec = rendered(
        program, *["a.png", "s.png", "-o", "out.png", "--preset", "pytorch", "--iterations", "2", "--size", "48"]
    )
    assert (spec["preset"], spec["style_layers"]) == ("pytorch", list(PRESETS["pytorch"]["style_layers"]))
    with Image.open(program.folder / "out.png") as image:
        assert image.size == (48, 36)


@pytest.fixture
def program(pictures: Path, tmp_path: Path) -> CommandLine:
    """The program itself, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"})


def test_several_styles_are_mixed(program: CommandLine) -> None:
    """Given two styles and their weights, if the program renders them, I expect one picture of both."""
    ended = program.run("render", "a.png", "s.png", "t.png", "-o", "out.png", "--style-weights", "1,2", *SMALL)
    assert (ended.code, ended.out) == (0, "out.png\n"), ended.messages
    assert "a x s + t" in ended.messages
    parameters = read_parameters((program.folder / "out.png").read_bytes()) or {}
    assert (parameters["style_weights"], len(parameters["style"])) == ([1.0, 2.0], 2)


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("gram=1,sliced=0.5", {"gram": 1.0, "sliced": 0.5}),
        ("mmd-poly", {"mmd-poly": 1.0}),
        ("gram, mean-std=2e-1", {"gram": 1.0, "mean-std": 0.2}),
    ],
)
def test_style_losses_by_name_and_weight(inside: InProcess, text: str, losses: dict[str, float]) -> None:
    """Given style losses in one word of the command line, I expect each with its weight."""
    assert rendered(inside, "a.png", "s.png", "-o", "out.png", "--style-loss", text, *SMALL)["style_loss"] == losses


@pytest.mark.parametrize("suffix", ["tiff", "png"])
def test_sixteen_bits_of_a_file(inside: InProcess, pictures: Path, suffix: str) -> None:
    """Given a name that ends in .tiff or .png, if 16 bits are asked for, I expect a file that has them."""
    spec = rendered(inside, "a.png", "s.png", "-o", f"out.{suffix}", "--bits", "16", *SMALL)
    assert (spec["format"], spec["bits"]) == (suffix, 16)
    data = (pictures / f"out.{suffix}").read_bytes()
    if suffix == "tiff":
        values = tifffile.imread(io.BytesIO(data))
        assert values.shape == (36, 48, 3)
        assert values.dtype == np.uint16
        assert (values % 257 != 0).mean() > 0.9  # levels that 8 bits do not have
    else:
        assert data[24] == 16  # the bit depth in PNG's header


def test_content_alone_is_reconstructed(inside: InProcess) -> None:
    """Given a preset that needs no style, if none is named, I expect a picture all the same."""
    spec = rendered(inside, "a.png", "-o", "out.png", "--preset", "reconstruct-content", *SMALL)
    assert (spec["style"], spec["style_weight"], spec["init"]) == ([], 0.0, "noise")


@pytest.mark.parametrize("command", ["render a.png s.png -o out.png --preset gatis", "presets show gatis"])
def test_an_unknown_preset(inside: InProcess, pictures: Path, command: str) -> None:
    """Given a slip in a preset's name, I expect 2, and the name that is meant."""
    sentence = refused(inside, pictures, 2, tuple(command.split()))
    assert "'gatis'" in sentence
    assert "'gatys'" in sentence


def test_an_unknown_preset_in_a_sweep_file(inside: InProcess, pictures: Path) -> None:
    """Given a slip in one of a sweep's presets, I expect 2, the file's name, and the name that is meant."""
    text = "base: {content: a.png, style: s.png}\nmatrix: {preset: [auto, mutliscale]}\n"
    (pictures / "sweep.yaml").write_text(text)
    sentence = refused(inside, pictures, 2, ("sweep", "create", "sweep.yaml"))
    assert sentence == "sweep.yaml: no preset 'mutliscale': did you mean 'multiscale'?"
