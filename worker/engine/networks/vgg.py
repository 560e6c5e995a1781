"""The convolutional part of VGG-19 and VGG-16 (Simonyan and Zisserman 2014, arXiv 1409.1556) as a feature extractor.

Its weights are pretrained (`networks.weights`) or random. Random weights follow He, Wang and Hopcroft 2016 (arXiv
1606.04801), who showed them to suffice for style transfer, with one scale for a whole layer: see `calibrate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.spec.networks import CHANNELS, CONVOLUTIONS, VggArchitecture
from stylefarm.shared.spec.space import TORCHVISION, InputSpace
from stylefarm.worker.engine.networks.pooling import Pool, Pooling
from stylefarm.worker.engine.space import to_input

Padding = Literal["zeros", "replicate"]

# Factors that bring the activations back to the size that max pooling, which VGG was trained with, gives them on
# photographs (crowsonkb/style-transfer-pytorch).
POOLING_SCALES: dict[Pooling, float] = {"max": 1.0, "average": 2.0, "l2": 0.78, "blur": 2.0}


@dataclass(frozen=True)
class Convolution:
    """One 3 x 3 convolution of VGG.

    Args:
        name: Its name: "conv3_1".
        inputs: Channels of its input.
        outputs: Channels of its output.
        block: Number of its block, from 1; blocks are separated by poolings.
        pooled: Whether a pooling stands before it.

    Example:
        >>> convolutions("vgg19")[4].activation
        'relu3_1'
        >>> convolutions("vgg19")[4].size((70, 64))
        (17, 16)
    """

    name: str
    inputs: int
    outputs: int
    block: int
    pooled: bool

    @property
    def activation(self) -> str:
        """The name of the ReLU after it: "relu3_1"."""
        return self.name.replace("conv", "relu")

    @property
    def stride(self) -> int:
        """Pixels of the image from one feature to the next."""
        return 1 << (self.block - 1)

    def size(self, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of its output for an image of that height and width; poolings round down."""
        return size[0] >> (self.block - 1), size[1] >> (self.block - 1)


def convolutions(architecture: VggArchitecture) -> tuple[Convolution, ...]:
    """Return the convolutions of `architecture`, from the image inwards.

    Example:
        >>> [c.name for c in convolutions("vgg16")[:3]]
        ['conv1_1', 'conv1_2', 'conv2_1']
    """
    found: list[Convolution] = []
    inputs = 3
    for block, (count, outputs) in enumerate(zip(CONVOLUTIONS[architecture], CHANNELS, strict=True), start=1):
        for index in range(1, count + 1):
            found.append(Convolution(f"conv{block}_{index}", inputs, outputs, block, pooled=index == 1 and block > 1))
            inputs = outputs
    return tuple(found)


class Vgg(nn.Module):
    """VGG up to the deepest layer that is used.

    Args:
        architecture: "vgg19" or "vgg16".
        layers: The layers whose features are returned. "conv4_2" is the convolution's output before its ReLU, "relu4_2"
            the output after it.
        pooling: The kind of pooling.
        space: The input that the weights were made for.
        padding: Padding of the first convolution; the others pad with zeros. "replicate" avoids a dark frame.
        rescale_pooling: Whether what is pooled is multiplied by `POOLING_SCALES`.

    Example:
        >>> vgg = Vgg("vgg19", ["relu1_1", "conv2_1"])
        >>> randomize(vgg, seed=0)
        >>> {name: tuple(features.shape) for name, features in vgg(torch.zeros(1, 3, 8, 8)).items()}
        {'relu1_1': (1, 64, 8, 8), 'conv2_1': (1, 128, 4, 4)}
    """

    def __init__(
        self,
        architecture: VggArchitecture,
        layers: Iterable[str],
        pooling: Pooling = "average",
        *,
        space: InputSpace = TORCHVISION,
        padding: Padding = "zeros",
        rescale_pooling: bool = False,
    ) -> None:
        super().__init__()
        every = convolutions(architecture)
        used = set(layers)
        depth = 1 + max(i for i, c in enumerate(every) if c.name in used or c.activation in used)
        self.architecture = architecture
        self.layers = frozenset(used)
        self.pool = Pool(pooling, POOLING_SCALES[pooling] if rescale_pooling else 1.0)
        self.space = space
        self.padding = padding
        self.convolutions = every[:depth]
        self.weights = nn.ParameterList(torch.empty(c.outputs, c.inputs, 3, 3) for c in self.convolutions)
        self.biases = nn.ParameterList(torch.zeros(c.outputs) for c in self.convolutions)
        self.requires_grad_(requires_grad=False)

    def cast(self, dtype: torch.dtype) -> None:
        """Set the precision that the convolutions are computed in."""
        for parameter in (*self.weights, *self.biases):
            parameter.data = parameter.data.to(dtype)

    def normalize(self, image: Tensor) -> Tensor:
        """Return the network's input for images (B, 3, H, W) in [0, 1], in the dtype of its weights."""
        return to_input(self.space, image).to(self.weights[0].dtype)

    def convolve(self, index: int, x: Tensor) -> Tensor:
        """Return convolution `index` of (B, C, H, W), after the pooling if one stands before it; without ReLU."""
        weight, bias = self.weights[index], self.biases[index]
        if index == 0 and self.padding == "replicate":
            return functional.conv2d(functional.pad(x, (1, 1, 1, 1), "replicate"), weight, bias)
        if self.convolutions[index].pooled:
            x = self.pool(x)
        return functional.conv2d(x, weight, bias, padding=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features of the named layers, each (B, C, H', W'), of images (B, 3, H, W) in [0, 1]."""
        x = self.normalize(image)
        features: dict[str, Tensor] = {}
        for index, convolution in enumerate(self.convolutions):
            x = self.convolve(index, x)
            if convolution.name in self.layers:
                features[convolution.name] = x
            # Not in place: a layer named before its ReLU keeps its negative values.
            x = functional.relu(x)
            if convolution.activation in self.layers:
                features[convolution.activation] = x
        return features


def randomize(vgg: Vgg, seed: int) -> None:
    """Fill `vgg` with Gaussian weights of variance 2 / (9 C) and zero biases, the same on every device.

    Each layer draws from its own generator, so that a network that ends at a shallower layer has the same weights.

    Args:
        vgg: The network to fill.
        seed: Which random network, at least 0.

    Source:
        He, Zhang, Ren and Sun 2015 (arXiv 1502.01852), eq. 10.

    Example:
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> randomize(vgg, seed=0)
        >>> round(vgg.weights[0].std().item(), 1)
        0.3
    """
    for index, convolution in enumerate(vgg.convolutions):
        generator = torch.Generator().manual_seed((seed << 8) + index)
        draw = torch.randn(vgg.weights[index].shape, generator=generator)
        vgg.weights[index].copy_(draw * math.sqrt(2 / (9 * convolution.inputs)))
        vgg.biases[index].zero_()


@torch.no_grad()
def calibrate(vgg: Vgg, images: Sequence[Tensor], std: float = 1.0) -> None:
    """Rescale each layer as a whole so that its output has standard deviation `std` over `images`.

    One scale for the whole layer keeps the stylization: centered or orthogonal filters and a scale for each channel
    leave the photograph as it is and change its colors alone.

    Args:
        vgg: A network with random weights and no biases; being homogeneous, its scales depend on images and weights
            alone.
        images: Each (1, 3, H, W) in [0, 1], of any size.
        std: The standard deviation of each layer's output before its ReLU.

    Example:
        >>> vgg, image = Vgg("vgg19", ["conv1_1"]), torch.rand(1, 3, 16, 16)
        >>> randomize(vgg, seed=0)
        >>> calibrate(vgg, [image])
        >>> round(vgg(image)["conv1_1"].std().item(), 4)
        1.0
    """
    inputs = [vgg.normalize(image) for image in images]
    for index in range(len(vgg.convolutions)):
        outputs = [vgg.convolve(index, x) for x in inputs]
        found = torch.cat([x.flatten() for x in outputs]).std()
        # A flat image has no deviation to divide by; any scale serves it.
        scale = torch.where(found > 0, std / found, torch.ones_like(found))
        vgg.weights[index].mul_(scale)
        inputs = [functional.relu(x * scale) for x in outputs]


@torch.no_grad()
def rescale_filters(vgg: Vgg, images: Sequence[Tensor]) -> None:
    """Give each filter a mean activation of 1 over `images`.

    The next layer's weights make up for it, so that the network computes what it did but for the scale of each channel.
    It is for pretrained weights: some random filters hardly ever fire, and would be blown up.

    Args:
        vgg: The network, changed in place.
        images: Each (1, 3, H, W) in [0, 1], of any size.

    Source:
        Gatys, Ecker and Bethge 2016, section 2. Departure from it: the mean is over these images, not over ImageNet.

    Example:
        >>> vgg, image = Vgg("vgg19", ["relu1_1"]), torch.rand(1, 3, 16, 16)
        >>> randomize(vgg, seed=0)
        >>> rescale_filters(vgg, [image])
        >>> round(vgg(image)["relu1_1"].mean((0, 2, 3)).max().item(), 4)
        1.0
    """
    inputs = [vgg.normalize(image) for image in images]
    for index in range(len(vgg.convolutions)):
        outputs = [functional.relu(vgg.convolve(index, x)) for x in inputs]
        mean = torch.stack([x.mean((0, 2, 3)) for x in outputs]).mean(0)
        mean = torch.where(mean > 0, mean, torch.ones_like(mean))  # a filter that never fires stays as it is
        vgg.weights[index].div_(mean.view(-1, 1, 1, 1))
        vgg.biases[index].div_(mean)
        if index + 1 < len(vgg.convolutions):
            vgg.weights[index + 1].mul_(mean.view(1, -1, 1, 1))
        inputs = [x / mean.view(1, -1, 1, 1) for x in outputs]
