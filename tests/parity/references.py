"""The programs that the presets are named for, each as plainly as its source states it, in its own coordinates.

Pictures are (3, H, W), RGB in [0, 1]; `x` is what the program's optimizer moves. Nothing of the engine is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Network = Sequence[tuple[Tensor, Tensor]]
Pool = Callable[[Tensor], Tensor]
Features = dict[str, Tensor]

# Of Simonyan and Zisserman's configuration E.
CONVOLUTIONS_OF_BLOCKS = (2, 2, 4, 4, 4)
RELU_1_TO_5 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


class ProgramLosses(NamedTuple):
    """What a program adds up, each term with its weight."""

    content: Tensor
    style: Tensor
    tv: Tensor


class Program(NamedTuple):
    """A program: its coordinates, there and back, and its losses of `x`, content, style, and a network."""

    coordinates: Callable[[Tensor], Tensor]
    picture: Callable[[Tensor], Tensor]
    losses: Callable[[Tensor, Tensor, Tensor, Network], ProgramLosses]


def vgg19(x: Tensor, network: Network, pool: Pool, edges: str = "zeros") -> Features:
    """The features of (3, H, W) before ("conv1_1") and after ("relu1_1") each ReLU, as deep as `network` goes."""
    features: Features = {}
    names = [f"{block}_{i}" for block, n in enumerate(CONVOLUTIONS_OF_BLOCKS, 1) for i in range(1, n + 1)]
    for name, (weight, bias) in zip(names, network, strict=False):
        if name.endswith("_1") and name != "1_1":
            x = pool(x)
        framed = replicated(x) if name == "1_1" and edges == "replicate" else framed_by_zeros(x)
        x = torch.nn.functional.conv2d(framed[None], weight)[0] + bias[:, None, None]
        features["conv" + name] = x
        x = torch.where(x > 0, x, 0 * x)
        features["relu" + name] = x
    return features


def framed_by_zeros(x: Tensor) -> Tensor:
    framed = x.new_zeros(x.shape[0], x.shape[1] + 2, x.shape[2] + 2)
    framed[:, 1:-1, 1:-1] = x
    return framed


def replicated(x: Tensor) -> Tensor:
    taller = torch.cat([x[:, :1], x, x[:, -1:]], 1)
    return torch.cat([taller[:, :, :1], taller, taller[:, :, -1:]], 2)


def windows(x: Tensor) -> Tensor:
    """The four values of each 2 x 2 window, (4, C, H / 2, W / 2); an odd last row or column is in none."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return torch.stack([x[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)])


def average(x: Tensor) -> Tensor:
    return windows(x).sum(0) / 4


def maximum(x: Tensor) -> Tensor:
    return windows(x).amax(0)


def twice_the_average(x: Tensor) -> Tensor:
    """crowsonkb's average pooling, as large as maximum pooling."""
    return 2 * average(x)


def length(x: Tensor) -> Tensor:
    """crowsonkb's L2 pooling; a root of zero has no gradient, and none of it is passed on."""
    squares = windows(x).square().sum(0)
    return 0.78 * torch.where(squares > 0, torch.where(squares > 0, squares, 1).sqrt(), 0)


def products(features: Tensor) -> Tensor:
    """G = F F^T, not divided by anything."""
    flat = features.reshape(features.shape[0], -1)
    return flat @ flat.T


def positions(features: Tensor) -> int:
    return features.shape[1] * features.shape[2]


def total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def of_channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(3, 1, 1)


CAFFE_MEAN = of_channels((123.68, 116.779, 103.939))
IMAGENET_MEAN, IMAGENET_STD = of_channels((0.485, 0.456, 0.406)), of_channels((0.229, 0.224, 0.225))


def caffe(white: float, bgr: bool) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Pixels times `white` less the mean, and back."""

    def there(picture: Tensor) -> Tensor:
        x = picture * white - CAFFE_MEAN
        return x[[2, 1, 0]] if bgr else x

    def back(x: Tensor) -> Tensor:
        rgb = x[[2, 1, 0]] if bgr else x
        return (rgb + CAFFE_MEAN) / white

    return there, back


def normalized(picture: Tensor) -> Tensor:
    return (picture - IMAGENET_MEAN) / IMAGENET_STD


def denormalized(x: Tensor) -> Tensor:
    return x * IMAGENET_STD + IMAGENET_MEAN


def as_it_is(x: Tensor) -> Tensor:
    return x
