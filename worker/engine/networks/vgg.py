"""The convolutional part of VGG-19 and VGG-16 (Simonyan and Zisserman 2014, arXiv 1409.1556) as a feature extractor.

Its weights are pretrained (`networks.weights`) or random. Random weights follow what He, Wang and Hopcroft 2016
(arXiv 1606.04801) showed to be enough for style transfer, with one scale for a whole layer: see `calibrate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.spec.networks import CHANNELS, CONVOLUTIONS, Architecture
from stylefarm.shared.spec.space import TORCHVISION, InputSpace
from stylefarm.worker.engine.networks.pooling import Pool, Pooling
from stylefarm.worker.engine.space import to_input

Padding = Literal["zeros", "replicate"]

# What brings the activations back to the size that max pooling, which VGG was trained with, gives them on photographs
# (crowsonkb/style-transfer-pytorch).
POOLING_SCALES: dict[Pooling, float] = {"max": 1.0, "average": 2.0, "l2": 0.78}


@dataclass(frozen=True)
class Convolution:
    """One 3 x 3 convolution: its name ("conv3_1"), its channels, and whether a pooling stands before it."""

    name: str
    inputs: int
    outputs: int
    pooled: bool

    @property
    def activation(self) -> str:
        """The name of the ReLU after it: "relu3_1"."""
        return self.name.replace("conv", "relu")


def convolutions(architecture: Architecture) -> tuple[Convolution, ...]:
    """The convolutions of `architecture`, from the picture inwards."""
    found: list[Convolution] = []
    inputs = 3
    for block, (count, outputs) in enumerate(zip(CONVOLUTIONS[architecture], CHANNELS, strict=True), start=1):
        for index in range(1, count + 1):
            found.append(Convolution(f"conv{block}_{index}", inputs, outputs, pooled=index == 1 and block > 1))
            inputs = outputs
    return tuple(found)


class Vgg(nn.Module):
    """VGG up to the deepest layer that is used.

    Called with pictures of shape (B, 3, H, W), RGB in [0, 1], it returns the features of the named layers, each of
    shape (B, C, H', W'). "conv4_2" is the convolution's output before its ReLU, "relu4_2" after it.

    `space` is the input that the weights were made for. `padding` is that of the first convolution, the others pad with
    zeros: "replicate" leaves no dark frame. `rescale_pooling` multiplies what is pooled by `POOLING_SCALES`.
    """

    def __init__(
        self,
        architecture: Architecture,
        layers: Iterable[str],
        pooling: Pooling = "average",
        *,
        space: InputSpace = TORCHVISION,
        padding: Padding = "zeros",
        rescale_pooling: bool = False,
    ) -> None:
        super().__init__()
        every = convolutions(architecture)
        wanted = set(layers)
        depth = 1 + max(i for i, c in enumerate(every) if c.name in wanted or c.activation in wanted)
        self.architecture = architecture
        self.layers = frozenset(wanted)
        self.pool = Pool(pooling, POOLING_SCALES[pooling] if rescale_pooling else 1.0)
        self.space = space
        self.padding = padding
        self.plan = every[:depth]
        self.weights = nn.ParameterList(torch.empty(c.outputs, c.inputs, 3, 3) for c in self.plan)
        self.biases = nn.ParameterList(torch.zeros(c.outputs) for c in self.plan)
        self.requires_grad_(requires_grad=False)

    def cast(self, dtype: torch.dtype) -> None:
        """Sets the precision that the convolutions are computed in."""
        for parameter in (*self.weights, *self.biases):
            parameter.data = parameter.data.to(dtype)

    def normalize(self, image: Tensor) -> Tensor:
        """The network's input, in the precision of its weights."""
        return to_input(self.space, image).to(self.weights[0].dtype)

    def convolve(self, index: int, x: Tensor) -> Tensor:
        """The pooling, if one stands there, and the convolution `index` of the plan; no ReLU."""
        weight, bias = self.weights[index], self.biases[index]
        if index == 0 and self.padding == "replicate":
            return functional.conv2d(functional.pad(x, (1, 1, 1, 1), "replicate"), weight, bias)
        if self.plan[index].pooled:
            x = self.pool(x)
        return functional.conv2d(x, weight, bias, padding=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.normalize(image)
        features: dict[str, Tensor] = {}
        for index, convolution in enumerate(self.plan):
            x = self.convolve(index, x)
            if convolution.name in self.layers:
                features[convolution.name] = x
            # Not in place: a layer named before its ReLU keeps its negative values.
            x = functional.relu(x)
            if convolution.activation in self.layers:
                features[convolution.activation] = x
        return features


def randomize(vgg: Vgg, seed: int) -> None:
    """Fills `vgg` with Gaussian weights of variance 2 / (9 C) and zero biases, the same on every device.

    Each layer draws from its own generator, so that a network cut at a shallower layer has the same weights.
    """
    for index, convolution in enumerate(vgg.plan):
        generator = torch.Generator().manual_seed((seed << 8) + index)
        draw = torch.randn(vgg.weights[index].shape, generator=generator)
        vgg.weights[index].copy_(draw * math.sqrt(2 / (9 * convolution.inputs)))
        vgg.biases[index].zero_()


@torch.no_grad()
def calibrate(vgg: Vgg, images: Sequence[Tensor], std: float = 1.0) -> None:
    """Rescales each layer as a whole so that its output has that deviation over `images`, each (1, 3, H, W) in [0, 1].

    Only a scale for the whole layer keeps the painting: centered or orthogonal filters and a scale for each channel
    leave the photograph as it was and turn its colors alone. The network must hold random weights without biases; it
    is then homogeneous, and the scales depend on the pictures and the weights only.
    """
    inputs = [vgg.normalize(image) for image in images]
    for index in range(len(vgg.plan)):
        outputs = [vgg.convolve(index, x) for x in inputs]
        found = torch.cat([x.flatten() for x in outputs]).std()
        # A flat picture has no deviation to divide by; any scale serves it.
        scale = torch.where(found > 0, std / found, torch.ones_like(found))
        vgg.weights[index].mul_(scale)
        inputs = [functional.relu(x * scale) for x in outputs]


@torch.no_grad()
def rescale_filters(vgg: Vgg, images: Sequence[Tensor]) -> None:
    """Gives each filter a mean activation of 1 over `images`, each (1, 3, H, W) in [0, 1] (Gatys 2016, section 2).

    The next layer's weights make up for it, so that the network computes what it did but for the scale of
    each channel. Departure from the paper: the mean is over the pictures at hand, not over ImageNet.
    It is for pretrained weights: of random filters some hardly ever fire, and would be blown up.
    """
    inputs = [vgg.normalize(image) for image in images]
    for index in range(len(vgg.plan)):
        outputs = [functional.relu(vgg.convolve(index, x)) for x in inputs]
        mean = torch.stack([x.mean((0, 2, 3)) for x in outputs]).mean(0)
        mean = torch.where(mean > 0, mean, torch.ones_like(mean))  # a filter that never fires stays as it is
        vgg.weights[index].div_(mean.view(-1, 1, 1, 1))
        vgg.biases[index].div_(mean)
        if index + 1 < len(vgg.plan):
            vgg.weights[index + 1].mul_(mean.view(1, -1, 1, 1))
        inputs = [x / mean.view(1, -1, 1, 1) for x in outputs]
