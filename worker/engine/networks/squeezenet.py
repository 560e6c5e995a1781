"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360) as a feature extractor, without its classifier.

Its modules have the names of torchvision's, so that the state dict is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.spec.networks import FIRES, SQUEEZENET_FIRST_CHANNELS, FirstLayer
from stylefarm.shared.spec.space import TORCHVISION, InputSpace
from stylefarm.worker.engine.networks.pooling import MIN_SQUARE, Pooling
from stylefarm.worker.engine.networks.vgg import POOLING_SCALES, Padding
from stylefarm.worker.engine.space import to_input


class FirstConvolution(nn.Conv2d):
    """The first convolution, 3 x 3 at stride 2.

    Args:
        first_layer: "strided" as trained. "dense" computes it at every pixel and takes the mean of 2 x 2: every pixel
            counts alike, and the gradient draws no grid.
        padding: "zeros" as trained, where this convolution has no padding at all; "replicate" adds one pixel all
            around.
    """

    def __init__(self, first_layer: FirstLayer, padding: Padding) -> None:
        super().__init__(3, SQUEEZENET_FIRST_CHANNELS, 3, stride=2)
        self.is_dense = first_layer == "dense"
        self.replicates = padding == "replicate"

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 64, H', W') of the network's input (B, 3, H, W)."""
        if self.replicates:
            x = functional.pad(x, (1, 1, 1, 1), "replicate")
        return functional.conv2d(x, self.kernel(), self.bias, stride=2)

    def kernel(self) -> Tensor:
        """Return the kernels that give the output at stride 2: (64, 3, 3, 3), or (64, 3, 4, 4) if it is dense."""
        # The mean of a convolution is that with the mean of its shifted kernels.
        return _mean_of_shifts(self.weight) if self.is_dense else self.weight


def _mean_of_shifts(weight: Tensor) -> Tensor:
    """Return the kernels (O, I, 4, 4) that give the mean of 2 x 2 outputs of the kernels (O, I, 3, 3)."""
    return functional.avg_pool2d(functional.pad(weight, (1, 1, 1, 1)), 2, stride=1)


class Pool3x3(nn.Module):
    """Pooling of 3 x 3 positions at stride 2, (B, C, H, W) to (B, C, (H - 1) // 2, (W - 1) // 2).

    Args:
        kind: "average"; "max"; "l2": the square root of the sum of nine squares; "blur": the mean weighted by (1, 2, 1)
            in both directions, in which every position counts alike, so that the gradient draws no grid. In the others
            the windows overlap at every second row and column, which count twice.
        scale: What the pooled values are multiplied by.

    Source:
        "blur" is Zhang 2019 (arXiv 1904.11486), section 3.2. Departure from torchvision's: an incomplete window at the
        right or bottom is left out, as in Keras.

    Example:
        >>> Pool3x3("average")(torch.arange(9.0).view(1, 1, 3, 3)).item()
        4.0
    """

    def __init__(self, kind: Pooling, scale: float = 1.0) -> None:
        super().__init__()
        self.kind = kind
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled features."""
        weights = self.weights(x.dtype, x.device)
        if weights is not None:
            return functional.conv2d(x, weights.expand(x.shape[1], 1, 3, 3), stride=2, groups=x.shape[1])
        if self.kind == "max":
            x = functional.max_pool2d(x, 3, stride=2)
        else:
            x = (9 * functional.avg_pool2d(x.square(), 3, stride=2)).clamp_min(MIN_SQUARE).sqrt()
        return x if self.scale == 1 else x * self.scale

    def weights(self, dtype: torch.dtype, device: torch.device) -> Tensor | None:
        """Return the weights (3, 3) of a window; None for a pooling that is not linear.

        Args:
            dtype: The dtype of the weights.
            device: Their device.
        """
        if self.kind not in ("average", "blur"):
            return None
        line = torch.tensor([1.0, 2.0, 1.0] if self.kind == "blur" else [1.0, 1.0, 1.0], dtype=torch.float64)
        window = torch.outer(line, line) * (self.scale / line.sum() ** 2)
        return window.to(dtype=dtype, device=device)


class FireModule(nn.Module):
    """A 1 x 1 convolution, then a 1 x 1 and a 3 x 3 one of its output, side by side; each with its ReLU.

    Args:
        inputs: Channels of the input.
        squeeze: Channels of the first convolution.
        expand: Channels of each of the other two.

    Example:
        >>> tuple(FireModule(64, squeeze=16, expand=64)(torch.zeros(1, 64, 5, 5)).shape)
        (1, 128, 5, 5)
    """

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 `expand`, H, W) of (B, `inputs`, H, W)."""
        x = functional.relu(self.squeeze(x))
        return functional.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 up to its last fire module.

    Args:
        pooling: The kind of pooling.
        space: The input that the weights were made for.
        first_layer: How the first convolution is computed.
        padding: Padding of the first convolution.
        rescale_pooling: Whether what is pooled is multiplied by `POOLING_SCALES`.

    Example:
        >>> tuple(SqueezeNet()(torch.zeros(1, 3, 64, 64)).shape)
        (1, 512, 3, 3)
    """

    submodules: Mapping[str, str]
    """The path of each layer's module, by the layer's name."""

    def __init__(
        self,
        pooling: Pooling = "average",
        *,
        space: InputSpace = TORCHVISION,
        first_layer: FirstLayer = "strided",
        padding: Padding = "zeros",
        rescale_pooling: bool = False,
    ) -> None:
        super().__init__()
        self.space = space
        self.is_dense = first_layer == "dense"
        self.pads = padding == "replicate"
        scale = POOLING_SCALES[pooling] if rescale_pooling else 1.0
        parts: list[nn.Module] = [FirstConvolution(first_layer, padding), nn.ReLU()]
        paths = {"conv1": "features.0", "relu1": "features.1"}
        channels = SQUEEZENET_FIRST_CHANNELS
        for name, fire in FIRES.items():
            if fire.pooled:
                parts.append(Pool3x3(pooling, scale))
            paths[name] = f"features.{len(parts)}"
            parts.append(FireModule(channels, fire.squeeze, fire.expand))
            channels = 2 * fire.expand
        self.features = nn.Sequential(*parts)
        self.submodules = paths
        self.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of fire9 of the network's input (B, 3, H, W)."""
        return self.features(x)  # type: ignore[no-any-return]


@torch.no_grad()
def randomize_squeezenet(network: SqueezeNet, seed: int) -> None:
    """Fill a network with Gaussian weights that keep the size of activations, and zero biases.

    Random weights take the time and the memory of trained ones; pictures are made with the latter.

    Args:
        network: The network to fill.
        seed: Which random network, at least 0.

    Source:
        He, Zhang, Ren and Sun 2015 (arXiv 1502.01852), eq. 10.

    Example:
        >>> network = SqueezeNet()
        >>> randomize_squeezenet(network, seed=0)
        >>> round(network.features[0].weight.std().item(), 1)
        0.3
    """
    generator = torch.Generator().manual_seed(seed)
    for convolution in network.modules():
        if isinstance(convolution, nn.Conv2d):
            weight = convolution.weight
            draw = torch.randn(weight.shape, generator=generator)
            weight.copy_(draw * math.sqrt(2 / weight[0].numel()))
            if convolution.bias is not None:
                convolution.bias.zero_()


@torch.no_grad()
def rescale_squeezenet_filters(network: SqueezeNet, images: Sequence[Tensor]) -> None:
    """Give each filter a mean activation of 1 over `images`, and make up for it in the convolutions after it.

    Args:
        network: The network, changed in place.
        images: Each (1, 3, H, W) in [0, 1], of any size.

    Source:
        Gatys, Ecker and Bethge 2016, section 2. Departure from it: the mean is over these images, not over ImageNet.

    Example:
        >>> network, image = SqueezeNet(), torch.rand(1, 3, 32, 32)
        >>> randomize_squeezenet(network, seed=0)
        >>> rescale_squeezenet_filters(network, [image])
        >>> activations = network.features[:2](to_input(network.space, image))
        >>> round(activations.mean((0, 2, 3)).max().item(), 4)
        1.0
    """
    inputs = [to_input(network.space, image) for image in images]
    means = torch.ones(3)
    for part in network.features:
        if isinstance(part, FirstConvolution):
            means = _rescale(part, inputs)
        elif isinstance(part, FireModule):
            _multiply_inputs(part.squeeze, means)
            means = _rescale(part.squeeze, inputs)
            squeezed = [functional.relu(part.squeeze(x)) for x in inputs]
            for expand in (part.expand1x1, part.expand3x3):
                _multiply_inputs(expand, means)
            means = torch.cat([_rescale(expand, squeezed) for expand in (part.expand1x1, part.expand3x3)])
        inputs = [part(x) for x in inputs]


def _rescale(convolution: nn.Conv2d, inputs: Sequence[Tensor]) -> Tensor:
    """Divide each filter by its mean activation, and return the means."""
    means = torch.stack([functional.relu(convolution(x)).mean((0, 2, 3)) for x in inputs]).mean(0)
    means = torch.where(means > 0, means, torch.ones_like(means))  # a filter that never fires stays as it is
    convolution.weight.div_(means.view(-1, 1, 1, 1))
    if convolution.bias is not None:
        convolution.bias.div_(means)
    return means


def _multiply_inputs(convolution: nn.Conv2d, factors: Tensor) -> None:
    convolution.weight.mul_(factors.view(1, -1, 1, 1))
