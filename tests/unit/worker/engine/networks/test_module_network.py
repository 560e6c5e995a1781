"""Any torch module as a feature network: losses and gradients by plain autograd, and a render."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.spec.networks import network_layers
from stylefarm.shared.spec.space import TORCHVISION, InputSpace
from stylefarm.worker.engine.hardware.budget import choose_plan
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.iterative import Scale, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.memory_plan import Workload
from stylefarm.worker.engine.networks.module_network import ModuleNetwork, measure_layers
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate
from stylefarm.worker.engine.space import to_input

CONTENT, STYLE = "block", "1"
WEIGHT = 30.0


class Concat(nn.Module):
    """Two convolutions side by side, as in a fire module."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x)], 1).relu()


def module() -> nn.Sequential:
    """Activations in place, an overlapping pooling, a concatenation, and a head that no image here fits."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Concat(),
        nn.Flatten(),
        nn.Linear(7, 2),
    ).double()


def network(space: InputSpace = TORCHVISION) -> ModuleNetwork:
    submodules = {CONTENT: "3"}
    layers = measure_layers(module(), [STYLE, CONTENT], submodules=submodules, side=32)
    return ModuleNetwork(module(), layers, space=space, submodules=submodules)


def picture(seed: int, height: int = 20, width: int = 23) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SETTINGS = LossSettings(
    {CONTENT: 1.0},
    {STYLE: 0.5, CONTENT: 0.5},
    style_weight=WEIGHT,
    content_normalization="mean",
    style_normalization="pytorch",
)


def features(image: Tensor) -> dict[str, Tensor]:
    """Return the features of both layers, by plain calls of the module."""
    parts = list(module())
    first = functional.relu(parts[0](to_input(TORCHVISION, image)))
    return {STYLE: first, CONTENT: parts[3](parts[2](first))}


def plain_losses(image: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """Return the total loss, written out with plain autograd: mean((G - A)^2) / C^2 for each style layer."""
    found, target, aim = features(image), features(content), features(style)
    total = (found[CONTENT] - target[CONTENT]).square().mean()
    for layer in (STYLE, CONTENT):
        channels = found[layer].shape[1]
        grams = []
        for x in (found[layer], aim[layer]):
            flat = x[0].flatten(1)
            grams.append(flat @ flat.T / flat.shape[1])
        total = total + WEIGHT * 0.5 * (grams[0] - grams[1]).square().mean() / channels**2
    return total


def test_losses_and_gradient_are_plain_autograd_s() -> None:
    """given a small module with a concatenation; if it is a feature network; I expect autograd's loss and gradient."""
    content, style, image = picture(1), picture(2, 17, 30), picture(3)
    objective = Objective(network().forward_pass(), content, [StyleImage(style)], SETTINGS)
    losses, gradient = objective.gradient(image)
    leaf = image.clone().requires_grad_()
    expected = plain_losses(leaf, content, style)
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    torch.testing.assert_close(losses[0, 0], expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-15)
    torch.testing.assert_close(objective.losses(image), losses, rtol=1e-12, atol=0)


def test_a_picture_is_rendered_with_it() -> None:
    """given a module; if a picture is optimized for 30 steps; I expect a loss that falls to less than half."""
    content, style = picture(1), 0.4 * picture(2)
    objective = Objective(network().forward_pass(), content, [StyleImage(style)], SETTINGS)
    steps = list(optimize([Scale(30, lambda: (content, objective))], LBFGS(LearningRate(1.0))))
    assert steps[-1].losses[0, 0] < 0.5 * steps[0].losses[0, 0]
    assert steps[-1].image.isfinite().all()


def test_layers_are_measured() -> None:
    """given a pooling of 3 x 3 by two; if layers are measured; I expect channels, strides and fields by hand."""
    layers = network().layers
    assert (layers[STYLE].channels, layers[STYLE].stride, layers[STYLE].receptive_field) == (8, 1, 3)
    assert (layers[CONTENT].channels, layers[CONTENT].stride, layers[CONTENT].receptive_field) == (12, 2, 9)
    assert layers[CONTENT].smallest_side >= 1


def test_the_table_of_vgg_is_what_is_measured() -> None:
    """given VGG-16 as a plain module; if its layers are measured; I expect the numbers of the table."""
    names = ["relu1_1", "relu2_2", "relu3_1"]
    vgg = Vgg("vgg16", names)
    randomize(vgg, 0)
    parts: dict[str, nn.Module] = {}
    for index, convolution in enumerate(vgg.convolutions):
        conv = nn.Conv2d(convolution.inputs, convolution.outputs, 3, padding=1)
        conv.weight, conv.bias = vgg.weights[index], vgg.biases[index]
        if convolution.pooled:
            parts[f"pool{index}"] = nn.AvgPool2d(2)
        parts[convolution.name], parts[convolution.activation] = conv, nn.ReLU()
    plain = nn.Sequential()
    for name, part in parts.items():
        plain.add_module(name, part)
    found = measure_layers(plain, names, side=64)
    assert found == {name: network_layers("vgg16")[name] for name in names}


def test_both_networks_give_the_same_gradient() -> None:
    """given one VGG; if its explicit passes and autograd compute the gradient; I expect the same, but for rounding."""
    vgg = Vgg("vgg19", ["relu1_1", "relu2_1"]).double()
    randomize(vgg, 0)

    class Named(nn.Module):
        """The features of a `Vgg` as outputs of submodules."""

        def __init__(self) -> None:
            super().__init__()
            self.vgg = vgg
            self.relu1_1, self.relu2_1 = nn.Identity(), nn.Identity()

        def forward(self, image: Tensor) -> None:
            found = self.vgg(image)
            self.relu1_1(found["relu1_1"])
            self.relu2_1(found["relu2_1"])

    explicit = VggNetwork(vgg)
    by_autograd = ModuleNetwork(Named(), explicit.layers)
    settings = LossSettings({"relu2_1": 1.0}, {"relu1_1": 1.0}, style_weight=10.0, style_losses={"wasserstein": 1.0})
    found = [
        Objective(net.forward_pass(), picture(1), [StyleImage(picture(2))], settings).gradient(picture(3))
        for net in (explicit, by_autograd)
    ]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_its_memory_grows_with_the_picture() -> None:
    """given two sizes; if their memory is estimated; I expect at least what autograd holds, and a choice by it."""
    net = network()
    small, large = (net.memory_plans(Workload(side, side, frozenset({CONTENT})))[0] for side in (64, 512))
    # Of the first convolution alone: its output, and the ReLU's, in float64.
    assert large.bytes - small.bytes > 2 * 8 * 8 * (512**2 - 64**2)
    assert choose_plan(net, Workload(64, 64), 2 * small.bytes) is not None
    assert choose_plan(net, Workload(512, 512), small.bytes) is None


def test_a_layer_that_is_never_run_is_named() -> None:
    """given a layer behind the head; if the module cannot get there; I expect an error that names the layer."""

    class Headless(nn.Module):
        """Has a head that it does not use."""

        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Conv2d(3, 4, 3), nn.Identity()

        def forward(self, image: Tensor) -> None:
            self.body(image)

    with pytest.raises(ValueError, match="does not run these layers: head"):
        measure_layers(Headless(), ["head"], side=16)
