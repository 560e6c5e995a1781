"""SqueezeNet: its features and their gradient by a plain reference, its layer table, and its memory."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.networks import FIRES, FirstLayer, network_layers
from stylefarm.shared.spec.space import CAFFE, CAFFE_MEAN, TORCHVISION, InputSpace
from stylefarm.worker.engine.hardware.budget import choose_plan, largest_edge
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.iterative import Scale, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.feature_network import ForwardPass
from stylefarm.worker.engine.networks.memory_plan import Workload
from stylefarm.worker.engine.networks.module_network import measure_layers
from stylefarm.worker.engine.networks.pooling import Pooling
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet, randomize_squeezenet, rescale_squeezenet_filters
from stylefarm.worker.engine.networks.squeezenet_network import SqueezeNetNetwork
from stylefarm.worker.engine.networks.squeezenet_pass import SqueezeNetPass
from stylefarm.worker.engine.networks.vgg import Padding
from stylefarm.worker.engine.networks.weights import load_squeezenet
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate
from tests.weights_files import squeezenet_state

LAYERS = tuple(network_layers("squeezenet"))
FIRST_LAYERS: tuple[FirstLayer, ...] = ("strided", "dense")
POOLINGS: tuple[Pooling, ...] = ("average", "max", "l2", "blur")
PADDINGS: tuple[Padding, ...] = ("zeros", "replicate")
VARIANTS = [*product(FIRST_LAYERS, POOLINGS, PADDINGS[:1]), *product(FIRST_LAYERS, POOLINGS[:1], PADDINGS[1:])]

# Where torchvision's state dict has the fire modules.
POSITIONS = dict(zip(FIRES, (3, 4, 6, 7, 9, 10, 11, 12), strict=True))


def picture(seed: int, height: int = 61, width: int = 67) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(
    first_layer: FirstLayer = "strided",
    pooling: Pooling = "average",
    padding: Padding = "zeros",
    space: InputSpace = TORCHVISION,
) -> SqueezeNet:
    network = SqueezeNet(pooling, space=space, first_layer=first_layer, padding=padding)
    load_squeezenet(network, squeezenet_state())
    return network.double()


def by_hand(image: Tensor, first_layer: FirstLayer, pooling: Pooling, padding: Padding) -> dict[str, Tensor]:
    """The features of every layer, of an image in [0, 1], by plain calls in the order of the paper."""
    state = {name: value.double() for name, value in squeezenet_state().items()}

    def convolved(x: Tensor, name: str, **options: int) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    def pooled(x: Tensor) -> Tensor:
        if pooling == "max":
            return functional.max_pool2d(x, 3, 2)
        if pooling == "average":
            return functional.avg_pool2d(x, 3, 2)
        if pooling == "blur":
            # The mean of 3 x 3 with weights 1, 2, 1 is one of 2 x 2, twice.
            return functional.avg_pool2d(functional.avg_pool2d(x, 2, 1), 2, 1)[:, :, ::2, ::2]
        # The bound of the square root, which has no gradient at zero.
        return functional.lp_pool2d(x.square(), 1.0, 3, 2).clamp_min(1e-12).sqrt()

    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], dtype=torch.float64).view(2, 1, 3, 1, 1)
    x = (image - mean) / std
    if padding == "replicate":
        x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    strided = first_layer == "strided"
    x = convolved(x, "features.0", stride=2) if strided else functional.avg_pool2d(convolved(x, "features.0"), 2)
    found = {"conv1": x, "relu1": x.relu()}
    x = x.relu()
    for name, position in POSITIONS.items():
        if name in ("fire2", "fire4", "fire6"):
            x = pooled(x)
        x = convolved(x, f"features.{position}.squeeze").relu()
        wide = convolved(x, f"features.{position}.expand3x3", padding=1).relu()
        x = torch.cat([convolved(x, f"features.{position}.expand1x1").relu(), wide], 1)
        found[name] = x
    return found


def read(forward_pass: ForwardPass, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The features of all layers, and the gradient of the sum of their mean squares."""
    found: dict[str, Tensor] = {}

    def on_features(layer: str, features: Tensor, rows: slice) -> None:
        shape = (*features.shape[:2], *forward_pass.layer_size(layer, image.shape[2:]))
        found.setdefault(layer, torch.full(shape, torch.nan, dtype=features.dtype))[:, :, rows] = features

    def add_grad(layer: str, features: Tensor, rows: slice, grad: Tensor | None) -> Tensor:
        own = 2 * features / found[layer].numel()
        return own if grad is None else grad.add_(own)

    backward = forward_pass.forward_with_grad(image, on_features)
    return found, backward(add_grad)


@pytest.mark.parametrize(("first_layer", "pooling", "padding"), VARIANTS)
def test_features_and_gradient_are_the_reference_s(first_layer: FirstLayer, pooling: Pooling, padding: Padding) -> None:
    """Given a variant, if images run through it, whole or in strips, I expect what plain calls give."""
    network = SqueezeNetNetwork(built(first_layer, pooling, padding), LAYERS)
    image = torch.cat([picture(1), picture(2)])
    leaf = image.clone().requires_grad_()
    expected = by_hand(leaf, first_layer, pooling, padding)
    (gradient,) = torch.autograd.grad(sum(x.square().mean() for x in expected.values()), leaf)  # type: ignore[arg-type]
    for strip_bytes in (None, 400_000, 30_000):
        found, found_gradient = read(SqueezeNetPass(network, strip_bytes), image)
        assert found.keys() == expected.keys()
        for layer, features in expected.items():
            torch.testing.assert_close(found[layer], features.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found_gradient, gradient, rtol=1e-9, atol=1e-15)


@given(
    size=st.tuples(st.integers(32, 90), st.integers(32, 60)),
    layers=st.sets(st.sampled_from(LAYERS), min_size=1),
    strip_bytes=st.integers(1_000, 1_000_000),
    first_layer=st.sampled_from(FIRST_LAYERS),
)
@settings(deadline=None, max_examples=30)
def test_strips_are_the_whole(
    size: tuple[int, int], layers: set[str], strip_bytes: int, first_layer: FirstLayer
) -> None:
    """Given any size, layers and strips, I expect the features and the gradient of the whole, to 1e-12."""
    network = SqueezeNetNetwork(built(first_layer, "blur"), layers)
    image = picture(3, *size)
    whole, strips = (read(SqueezeNetPass(network, each), image) for each in (None, strip_bytes))
    for layer, features in whole[0].items():
        torch.testing.assert_close(strips[0][layer], features, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(strips[1], whole[1], rtol=1e-12, atol=1e-12 * whole[1].abs().max().item())


def test_the_input_is_that_of_the_weights() -> None:
    """Given weights of Caffe's input, if an image runs through them, I expect BGR, 0 to 255, less the mean."""
    found: dict[str, Tensor] = {}
    forward_pass = SqueezeNetNetwork(built(space=CAFFE), ["conv1"]).forward_pass()
    forward_pass.forward(picture(1), lambda layer, features, _: found.update({layer: features}))
    bgr = (255 * picture(1) - torch.tensor(CAFFE_MEAN, dtype=torch.float64).view(1, 3, 1, 1)).flip(1)
    state = squeezenet_state()
    expected = functional.conv2d(bgr, state["features.0.weight"].double(), state["features.0.bias"].double(), stride=2)
    torch.testing.assert_close(found["conv1"], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("first_layer", FIRST_LAYERS)
@pytest.mark.parametrize(("names", "side"), [(LAYERS[:4], 64), (LAYERS[4:6], 128), (("fire6", "fire9"), 256)])
def test_the_layer_table_is_what_is_measured(first_layer: FirstLayer, names: tuple[str, ...], side: int) -> None:
    """Given the network, if its layers are measured, I expect channels, strides, fields and sides of the table."""
    network = built(first_layer)
    found = measure_layers(network, names, submodules=network.submodules, side=side)
    assert found == {name: network_layers("squeezenet", first_layer)[name] for name in names}


def test_rescaled_filters_change_the_scale_alone() -> None:
    """Given a network, if its filters are rescaled, I expect each channel divided by its mean activation."""
    images = [picture(1), picture(2)]
    plain, rescaled = built(), built()
    rescale_squeezenet_filters(rescaled, images)
    for name in ("relu1", "fire3", "fire6"):
        before, after = (_features(network, name, images) for network in (plain, rescaled))
        mean = torch.stack([x.mean((2, 3)) for x in before]).mean(0)
        alive = mean > 0
        assert alive.sum() > mean.numel() / 4
        for x, y in zip(before, after, strict=True):
            scaled = x / torch.where(alive, mean, 1.0)[..., None, None]
            torch.testing.assert_close(y, scaled, rtol=1e-9, atol=1e-12)


def _features(network: SqueezeNet, layer: str, images: list[Tensor]) -> list[Tensor]:
    found: list[Tensor] = []
    forward_pass = SqueezeNetNetwork(network, [layer]).forward_pass()
    for image in images:
        forward_pass.forward(image, lambda _layer, features, _rows: found.append(features))
    return found


@pytest.mark.parametrize("losses", [{"gram": 1.0}, {"wasserstein": 1.0, "sliced": 0.5}])
def test_a_picture_is_optimized_with_it(losses: dict[str, float]) -> None:
    """Given style losses, if a picture is optimized for 20 steps, I expect a loss that falls to less than half."""
    forward_pass = SqueezeNetNetwork(built("dense"), ["relu1", "fire2", "fire4"]).forward_pass()
    settings = LossSettings(
        {"fire4": 1.0}, {"relu1": 0.5, "fire2": 0.5}, style_weight=10.0, tv_weight=0.1, style_losses=losses
    )
    content = picture(1)
    objective = Objective(forward_pass, content, [StyleImage(0.4 * picture(2, 80, 70))], settings)
    steps = list(optimize([Scale(20, lambda: (content, objective))], LBFGS(LearningRate(1.0))))
    assert steps[-1].losses[0, 0] < 0.5 * steps[0].losses[0, 0]
    assert steps[-1].image.isfinite().all()


def test_in_bfloat16_it_computes_about_the_same() -> None:
    """Given the network in bfloat16, if an image runs through it, I expect its features and its gradient, but for the
    rounding."""
    image = picture(1).float()
    exact, coarse = (
        read(SqueezeNetPass(SqueezeNetNetwork(built(pooling="blur").to(dtype), LAYERS)), image)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert coarse[0]["fire4"].dtype == torch.bfloat16
    for found, expected in ((coarse[0]["fire4"], exact[0]["fire4"]), (coarse[1], exact[1])):
        assert (found.float() - expected).norm() < 0.05 * expected.norm()


def test_random_weights_are_determined_by_the_seed() -> None:
    """Given a seed, if a network is filled with random weights, I expect the same again, others by another seed."""
    networks = [SqueezeNet() for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        randomize_squeezenet(network, seed)
    first, same, other = (network.state_dict()["features.3.squeeze.weight"] for network in networks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_picture_beyond_memory_has_a_size_that_fits() -> None:
    """Given 1 GB, if pictures of two sizes are planned, I expect one to fit, and a size in place of the other."""
    network = SqueezeNetNetwork(built().float(), LAYERS)
    small, large = Workload(256, 256, frozenset({"fire4"})), Workload(4096, 4096, frozenset({"fire4"}))
    assert str(choose_plan(network, small, 10**9)) == "whole"
    assert choose_plan(network, large, 10**9) is None
    assert 256 < largest_edge(network, large, 10**9) < 4096
