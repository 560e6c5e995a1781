"""Models as files for other programs: each is run, and renders what the farm renders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from examples.embedded import embedded_settings
from stylefarm import Farm
from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.ghiasi import GhiasiApplier
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.models.export import export_model
from tests.tiny_models import put_models
from tests.unit.worker.engine.feedforward.networks import small_ghiasi, small_model

ON_CPU = ComputePath(torch.device("cpu"), "fp32")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(embedded_settings(tmp_path / "home")) as farm:
        yield farm


def run(path: Path, content: Tensor, style: Tensor) -> Tensor:
    """What an exported file makes of two pictures."""
    if path.suffix == ".pt2":
        found: Tensor = torch.export.load(path).module()(content, style)
        return found
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (picture,) = session.run(None, {"content": content.numpy(), "style": style.numpy()})
    return torch.from_numpy(picture)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: small_model("wct", (2, 1)), "model.pt2"),
        (small_ghiasi, "model.onnx"),
    ],
)
def test_an_exported_file_renders_our_picture(farm: Farm, tmp_path: Path, make: Callable[[], Model], name: str) -> None:
    """Given a model, if it is exported, I expect the file to make the farm's picture of a size it has not seen."""
    model = make()
    put_models(farm.services, waves=model)
    exported = export_model("waves", tmp_path / name, None, farm.services)
    assert exported.difference is not None
    assert exported.difference < 1e-4
    draw = torch.Generator().manual_seed(1)
    # A style of the size at which ghiasi reads it.
    content, style = torch.rand(1, 3, 96, 160, generator=draw), torch.rand(1, 3, 256, 256, generator=draw)
    applier = (GhiasiApplier if model.method == "ghiasi" else EncoderDecoderApplier)(model, ON_CPU)
    expected = applier.apply(content, [StyleImage(style)], ApplyOptions(), 1 << 32)
    torch.testing.assert_close(run(tmp_path / name, content, style), expected, atol=1e-3, rtol=0)


def test_what_onnx_lacks_is_told(farm: Farm, tmp_path: Path) -> None:
    """Given a model of wct, if it is to be an ONNX file, I expect to be told why not and what instead, and no file."""
    put_models(farm.services, waves=small_model("wct"))
    with pytest.raises(InvalidRequest, match=r"wct cannot be an ONNX file: ONNX lacks the eigenvalues .*\.pt2"):
        export_model("waves", tmp_path / "model.onnx", None, farm.services)
    assert not (tmp_path / "model.onnx").exists()
