"""What a decoder begins with: each layer by least squares, so that it undoes its layer of the encoder.

From random weights a decoder without normalization learns nothing for hundreds of steps. Layer by layer, from the
deepest on, the convolution that best gives the encoder's features before its own layer, from what the layers before
have made of the features after it, is known at once, up to a ridge.

The features of encoders are of any size, up to hundreds, and steps of Adam are of one size. So a decoder begins with a
1 x 1 convolution that is not trained and divides by that size, and all features between its layers have the size 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.feedforward.chain import Chain, Layer
from stylefarm.worker.engine.feedforward.chain_steps import Enlarge, reflected

# The ridge, as a share of the mean square of what is weighted.
RIDGE = 1e-2

# Positions of a picture that a layer is fitted at, drawn once.
POSITIONS = 1024


@torch.no_grad()
def fitted_decoder(
    encoder: Sequence[Layer],
    tensors: Mapping[str, Tensor],
    decoder: Sequence[Layer],
    images: Tensor,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return the tensors of a mirrored decoder, of features that `feature_scale` has divided.

    Args:
        encoder: The encoder's layers.
        tensors: Its tensors.
        decoder: The layers that mirror it, whose names have the same last parts.
        images: Pictures to fit it with, (N, 3, H, W) in [0, 1], whose sides are multiples of the encoder's stride.
        generator: Draws the positions.

    Example:
        >>> from stylefarm.worker.engine.feedforward.encoders import mirrored
        >>> layers = [Layer("conv", "e.conv0", relu=False), Layer("conv", "e.conv1")]
        >>> tensors = {"e.conv0.weight": torch.eye(3)[:, :, None, None], "e.conv0.bias": torch.zeros(3)}
        >>> tensors |= {"e.conv1.weight": torch.eye(3)[:, :, None, None], "e.conv1.bias": torch.zeros(3)}
        >>> images = torch.rand(2, 3, 16, 16)
        >>> decoder = mirrored(layers, "d.")
        >>> found = fitted_decoder(layers, tensors, decoder, images, torch.Generator().manual_seed(0))
        >>> decoded = Chain(decoder, found, fold=False).forward(images / images.square().mean().sqrt())
        >>> round((decoded - images).abs().mean().item(), 1)
        0.0
    """
    chain = Chain(encoder, tensors, fold=False)
    # The last decoding convolution gives pictures: the first layer of the encoder is one to one.
    before: dict[str, Tensor] = {}
    x = images
    for place, (layer, step) in enumerate(zip(encoder, chain.steps, strict=True)):
        before[layer.name.rpartition(".")[2]] = images if place <= 1 else x
        x = step.forward(x)
    found: dict[str, Tensor] = {}
    x = x / _size(x)
    for layer in decoder:
        if layer.kind == "up":
            x = Enlarge().forward(x)
            continue
        wanted = before[layer.name.rpartition(".")[2]]
        weight, bias = _fitted(x, wanted / _size(wanted) if layer.relu else wanted, generator)
        found |= {f"{layer.name}.weight": weight, f"{layer.name}.bias": bias}
        x = Chain([layer], found, fold=False).forward(x)
    return found


@torch.no_grad()
def feature_scale(
    encoder: Sequence[Layer], tensors: Mapping[str, Tensor], name: str, images: Tensor
) -> dict[str, Tensor]:
    """Return the 1 x 1 convolution that divides an encoder's features by their size.

    Args:
        encoder: The encoder's layers.
        tensors: Its tensors.
        name: What the convolution is called.
        images: Pictures, (N, 3, H, W) in [0, 1].
    """
    features = Chain(encoder, tensors, fold=False).forward(images)
    channels = features.shape[1]
    weight = torch.eye(channels)[:, :, None, None] / _size(features)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(channels)}


def _size(features: Tensor) -> Tensor:
    """Return the root mean square."""
    return features.square().mean().sqrt().clamp_min(1e-6)


def _fitted(x: Tensor, wanted: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return weight (K, C, 3, 3) and bias (K,) of the convolution of x that is nearest to what is wanted."""
    channels, outputs = x.shape[1], wanted.shape[1]
    gram, product = x.new_zeros(9 * channels, 9 * channels), x.new_zeros(9 * channels, outputs)
    mean_x, mean_wanted = x.mean((0, 2, 3)), wanted.mean((0, 2, 3))
    count = x.shape[2] * x.shape[3]
    for one, aim in zip(x.split(1), wanted.split(1), strict=True):
        # Centered, so that the ridge does not shrink the bias.
        patches = functional.unfold(reflected(one - mean_x[:, None, None], 1), 3)[0]
        values = (aim - mean_wanted[:, None, None])[0].flatten(1)
        if count > POSITIONS:
            drawn = torch.randperm(count, generator=generator)[:POSITIONS]
            patches, values = patches[:, drawn], values[:, drawn]
        gram.addmm_(patches, patches.T)
        product.addmm_(patches, values.T)
    # Even of features that are all zero there is a solution.
    gram.diagonal().add_(RIDGE * gram.diagonal().mean() + torch.finfo(torch.float32).tiny)
    solution = torch.cholesky_solve(product, torch.linalg.cholesky(gram))
    weight = solution.T.reshape(outputs, channels, 3, 3)
    return weight.contiguous(), mean_wanted - weight.sum((2, 3)) @ mean_x
