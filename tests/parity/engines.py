"""The engine as a worker makes it of a spec, but with weights that the test draws, in float64."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from stylefarm.shared.spec.networks import CHANNELS, CONVOLUTIONS
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.objective import Objective
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.render.options import loss_settings
from tests.parity.references import Network, Program

CONTENT_SIZES = {"udacity": (20, 24), "pytorch": (20, 24), "multiscale": (20, 24)}
# Where the originals round odd sizes up before they pool (Caffe, Torch7, TensorFlow's SAME), there are none.
EVEN = (16, 32)
# Of the presets that keep the style's own aspect.
STYLE_SIZES = {"gatys": (32, 16), "neural-style": (32, 32), "multiscale": (18, 26)}


def picture(seed: int, height: int, width: int) -> Tensor:
    """(3, H, W), float64 in [0.05, 0.95]."""
    generator = torch.Generator().manual_seed(seed)
    return 0.05 + 0.9 * torch.rand(3, height, width, generator=generator, dtype=torch.float64)


def pictures(preset: str) -> tuple[Tensor, Tensor, Tensor]:
    """A picture under work, a content, and a style, of the sizes that the preset has them in."""
    size = CONTENT_SIZES.get(preset, EVEN)
    return picture(1, *size), picture(2, *size), 0.6 * picture(3, *STYLE_SIZES.get(preset, size))


@cache
def random_network(biased: bool) -> Network:
    """All convolutions of VGG-19 up to conv5_2, which keep the size of what they get."""
    generator = torch.Generator().manual_seed(0)
    network, inputs = [], 3
    for count, outputs in zip(CONVOLUTIONS["vgg19"], CHANNELS, strict=True):
        for _ in range(count):
            weight = torch.randn(outputs, inputs, 3, 3, generator=generator, dtype=torch.float64)
            bias = 0.3 * torch.randn(outputs, generator=generator, dtype=torch.float64)
            network.append((weight * (2 / (9 * inputs)) ** 0.5, bias if biased else 0 * bias))
            inputs = outputs
    return network[:14]


def scaled(network: Network, gain: float) -> Network:
    """`network`, its activations `gain` times as large where it has no biases."""
    (weight, bias), *rest = network
    return [(gain * weight, gain * bias), *rest]


def spec_of(preset: str, **changes: object) -> JobSpec:
    """The preset's spec, resolved as a submitted one is."""
    resolved = {} if preset in ("mxnet", "udacity", "tensorflow", "multiscale") else {"learning_rate": 1.0}
    fields = {"content": "a", "style": "b", "preset": preset, "size": 32, "min_size": None, "first_iterations": None}
    return parse_spec({**fields, **resolved, **changes})


def engine_of(spec: JobSpec, content: Tensor, style: Tensor, network: Network, start: Tensor) -> Objective:
    """The objective of `spec` for (3, H, W) pictures in [0, 1]; `start` is in the coordinates that it moves."""
    vgg = Vgg(
        "vgg19",
        spec.layers,
        spec.pooling,
        space=spec.input_space,
        padding=spec.padding,
        rescale_pooling=spec.rescale_pooling,
    ).double()
    for index in range(len(vgg.convolutions)):
        vgg.weights[index].data, vgg.biases[index].data = network[index]
    settings = loss_settings(spec)
    return Objective(
        VggNetwork(vgg).forward_pass(),
        content[None],
        [StyleImage(style[None])],
        settings,
        start=start[None],
        space=spec.moved_space,
    )


def reference_gradient(
    program: Program, x: Tensor, content: Tensor, style: Tensor, network: Network, clip: float | None = None
) -> Tensor:
    """The gradient by autograd; with `clip`, that of the network's losses is no longer before that of `tv` is added."""
    leaf = x.clone().requires_grad_()
    losses = program.losses(leaf, content, style, network)
    (gradient,) = torch.autograd.grad(losses.content + losses.style, leaf, retain_graph=True)
    if clip is not None and gradient.norm() > clip:
        gradient = gradient * (clip / gradient.norm())
    if losses.tv.requires_grad:
        gradient = gradient + torch.autograd.grad(losses.tv, leaf)[0]
    return gradient


def relative_error(found: Tensor, expected: Tensor) -> float:
    """How far `found` is from `expected`, relative to its length."""
    assert found.dtype == expected.dtype == torch.float64
    return float((found - expected).norm() / expected.norm())
