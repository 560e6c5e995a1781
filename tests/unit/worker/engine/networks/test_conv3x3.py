"""Convolutions and their gradients in each way that this machine has, against torch's own in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.conv3x3 import Conv3x3, ConvAlgorithm, choose_algorithm
from stylefarm.worker.engine.networks.pooling import Pool
from stylefarm.worker.engine.networks.strips import StripPass
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass

WAYS: tuple[ConvAlgorithm, ...] = ("winograd", "onednn", "plain")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), [(3, 64, 40, 41), (64, 32, 33, 35), (16, 8, 5, 4)])
def test_every_way_convolves(way: ConvAlgorithm, inputs: int, outputs: int, height: int, width: int) -> None:
    """given weights and pictures; if they are convolved; I expect float64's result, its ReLU, and its gradient."""
    if way == "winograd" and not torch.backends.nnpack.is_available():
        pytest.skip("this torch comes without NNPACK")
    x, weight, bias = drawn(2, inputs, height, width), drawn(outputs, inputs, 3, 3, seed=1), drawn(outputs, seed=2)
    kernel = Conv3x3(weight, bias, way)
    leaf = x.double().requires_grad_()
    expected = functional.conv2d(leaf, weight.double(), bias.double(), padding=1)
    grad = drawn(2, outputs, height, width, seed=3)
    expected.backward(grad.double())
    assert leaf.grad is not None
    scale = float(expected.detach().std())
    # Winograd's transforms lose two digits of float32.
    tolerance = 1e-4 if way == "winograd" else 1e-5
    assert (kernel(x).double() - expected.detach()).abs().max() < tolerance * scale
    assert (kernel(x, relu=True).double() - expected.detach().relu()).abs().max() < tolerance * scale
    assert (kernel.gradient(grad).double() - leaf.grad).abs().max() < tolerance * float(leaf.grad.std())


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["average", "max", "l2"]), st.integers(2, 9), st.integers(2, 9), st.sampled_from([1.0, 2.0, 0.78])
)
def test_the_way_back_through_a_pooling_is_autograd_s(kind: str, height: int, width: int, scale: float) -> None:
    """given features with zeros among them; if they are pooled; I expect autograd's gradient from the written one."""
    pool = Pool(kind, scale)  # type: ignore[arg-type]
    x = drawn(2, 3, height, width).double().relu()
    leaf = x.clone().requires_grad_()
    pooled = pool(leaf)
    grad = drawn(*pooled.shape, seed=1).double()
    (expected,) = torch.autograd.grad(pooled, leaf, grad)
    assert torch.allclose(pool.gradient(grad, (height, width), x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", ["gram", "mean-std", "mmd-linear", "mmd-poly", "wasserstein", "sliced"])
@pytest.mark.parametrize("strips", [False, True])
def test_a_picture_in_bfloat16_has_nearly_the_gradient_of_float32(loss: str, strips: bool) -> None:
    """given fewer positions than channels; if the network computes in bfloat16; I expect a gradient close by.

    At so few positions a covariance is singular, and the gradient of a Wasserstein distance a small difference.
    """
    if strips and loss == "sliced":
        pytest.skip("it needs the whole picture")
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        vgg = Vgg("vgg19", ["relu1_1", "relu2_1", "relu2_2"])
        image, style = (picture.float() for picture in drawn(2, 1, 3, 16, 16).sigmoid())
        randomize(vgg, 0)
        calibrate(vgg, [image, style])
        vgg.cast(dtype)
        net = VggNetwork(vgg)
        chosen = LossSettings(
            {"relu2_2": 1.0}, {"relu1_1": 0.5, "relu2_1": 0.5}, style_weight=10.0, style_losses={loss: 1.0}
        )
        forward_pass = StripPass(net, 1 << 16) if strips else WholePass(net)
        objective = Objective(forward_pass, image, [StyleImage(style**2)], chosen)
        losses, gradient = objective.gradient(0.5 * image + 0.2)
        assert losses.dtype == gradient.dtype == torch.float32
        found.append(gradient)
    assert (found[1] - found[0]).norm() < 0.04 * found[0].norm()


def test_winograd_is_left_to_where_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """given threads of OpenMP that spin; if a way is chosen for float32; I expect torch's own convolutions."""
    cpu = torch.device("cpu")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_WAIT_POLICY", "active")
        assert choose_algorithm(cpu, torch.float32) == "plain"
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
        assert choose_algorithm(cpu, torch.float32) == ("winograd" if torch.backends.nnpack.is_available() else "plain")
        assert choose_algorithm(cpu, torch.float64) == "plain"
    finally:
        torch.set_num_threads(threads)
