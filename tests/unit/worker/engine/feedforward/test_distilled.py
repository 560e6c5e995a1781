"""Importing the distilled VGG-19 with its decoders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.distilled import import_distilled
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.encoders import mirrored, random_decoder
from stylefarm.worker.engine.feedforward.model import read_model, write_model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from tests.unit.worker.engine.feedforward.networks import small_encoder

PATH = ComputePath(torch.device("cpu"), "fp32")
DISTILLED = os.environ.get("STYLEFARM_TEST_DISTILLED")
needs_files = pytest.mark.skipif(not DISTILLED, reason="STYLEFARM_TEST_DISTILLED names no folder with the files")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as the authors published them, of a few channels."""
    for level in range(1, 6):
        layers, encoder = small_encoder(level)
        mirrored(layers, f"decoder{level}.")
        decoder = random_decoder(layers, encoder, f"decoder{level}.", torch.Generator().manual_seed(0))
        for name, tensors in ((f"encoder{level}", encoder), (f"decoder{level}", decoder)):
            state = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items()}
            state |= {"conv11_aux.weight": torch.zeros(64, 4, 1, 1)} if name.startswith("encoder") else {}
            torch.save({"model": state, "epoch": 20}, tmp_path / f"{name}.pth")
    return tmp_path


def test_a_folder_gives_wct_and_adain(folder: Path, tmp_path: Path) -> None:
    """given the ten files, if they are imported, I expect wct with five levels and adain with the fourth, without the
    heads that nobody uses, and files that render the same once they are read again."""
    models = {model.method: model for model in import_distilled(folder)}
    assert [level["level"] for level in models["wct"].architecture["levels"]] == [5, 4, 3, 2, 1]
    assert [level["level"] for level in models["adain"].architecture["levels"]] == [4]
    assert sorted(models["adain"].card["files"]) == ["decoder4.pth", "encoder4.pth"]
    assert not any("aux" in name for name in models["wct"].tensors)
    for method, model in models.items():
        write_model(tmp_path / f"{method}.safetensors", model)
        draw = torch.Generator().manual_seed(0)
        content = torch.rand(1, 3, 20, 24, generator=draw)
        style = StyleImage(torch.rand(1, 3, 16, 16, generator=draw))
        again = read_model(tmp_path / f"{method}.safetensors")
        pictures = [
            EncoderDecoderApplier(each, PATH).apply(content, [style], ApplyOptions(), 1 << 30)
            for each in (model, again)
        ]
        assert torch.equal(*pictures)


def _remove(path: Path) -> None:
    path.unlink()


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _unpack(path: Path) -> None:
    torch.save(torch.load(path, weights_only=True)["model"], path)


def _change(name: str, change: Callable[[Tensor], Tensor | None]) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        document = torch.load(path, weights_only=True)
        document["model"][name] = change(document["model"][name])
        torch.save(document, path)

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_remove, r"lacks encoder3.pth: give the folder with all ten files"),
        (_damage, r"encoder3.pth is damaged"),
        (_unpack, r"encoder3.pth is not of the distilled VGG-19: it has no state dict"),
        (_change("conv21.bias", lambda _: None), r"encoder3.pth .* lacks the tensor conv21.bias"),
        (
            _change("conv21.bias", lambda x: x * float("nan")),
            r"encoder3.pth cannot be used: encoder3.conv21.bias|conv21",
        ),
        (_change("conv21.weight", lambda x: x[:, :2]), r"encoder3.pth .* takes 2 channels, and gets 4"),
    ],
)
def test_a_bad_file_is_named(folder: Path, change: Callable[[Path], None], message: str) -> None:
    """given a folder in which a file is missing, damaged, or something else, if it is imported, I expect a sentence
    that names the file."""
    change(folder / "encoder3.pth")
    with pytest.raises(InvalidRequest, match=message):
        import_distilled(folder)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    """given a path that is no folder, if it is imported, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="is no folder: give the one with encoder1"):
        import_distilled(tmp_path / "nowhere")


@needs_files
def test_the_published_files_reconstruct_and_stylize() -> None:
    """given the authors' files, if a photograph is rendered, I expect it back at strength 0, and at strength 1 the
    colors of the style."""
    assert DISTILLED is not None
    wct, adain = import_distilled(Path(DISTILLED))
    photograph = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    content = functional.interpolate(photograph, (144, 136), mode="bilinear", antialias=True)
    style = StyleImage(functional.interpolate(content.flip(1), (96, 112)) ** 2)
    back = EncoderDecoderApplier(adain, PATH).apply(content, [style], ApplyOptions(strength=0.0), 1 << 30)
    assert -10 * (back.clamp(0, 1) - content).square().mean().log10() > 18  # 20 dB at 144 pixels
    painted = EncoderDecoderApplier(wct, PATH).apply(content, [style], ApplyOptions(strength=1.0), 1 << 30)
    for moment in (torch.mean, torch.std):
        wanted, found = (moment(x.clamp(0, 1), (2, 3)) for x in (style.image, painted))
        torch.testing.assert_close(found, wanted, atol=0.06, rtol=0)
