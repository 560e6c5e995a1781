"""The losses of the seven programs, from METHODS.md and the seeds."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.parity.references import (
    RELU_1_TO_5,
    Network,
    Pool,
    Program,
    ProgramLosses,
    as_it_is,
    average,
    caffe,
    denormalized,
    maximum,
    normalized,
    positions,
    products,
    replicated,
    total,
    vgg19,
)

GATYS = caffe(255, bgr=True)
MXNET = caffe(256, bgr=False)
TENSORFLOW = caffe(255, bgr=False)
NEURAL_STYLE = caffe(256, bgr=True)


def gatys(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """Gatys, Ecker and Bethge 2016, eq. 1, 4, 5 and 7; each Gram matrix over its own number of positions."""
    f, p, a = (vgg19(image, network, average) for image in (x, GATYS[0](content), GATYS[0](style)))
    content_loss = (f["relu4_2"] - p["relu4_2"]).square().sum() / 2
    layers = []
    for layer in RELU_1_TO_5:
        channels = f[layer].shape[0]
        difference = products(f[layer]) / positions(f[layer]) - products(a[layer]) / positions(a[layer])
        layers.append(0.2 * difference.square().sum() / (4 * channels**2))
    # The paper's content/style ratio, 1e-3.
    return ProgramLosses(content_loss, 1e3 * total(layers), torch.zeros(()))


def mxnet(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """Seed 000; its style and content losses are sums, whose gradients are scaled. `tv` has the gradient it adds."""
    f, p, a = (vgg19(image, network, average) for image in (x, MXNET[0](content), MXNET[0](style)))
    content_loss = 10 * (p["relu4_2"] - f["relu4_2"]).square().sum()
    layers = []
    for layer in RELU_1_TO_5:
        channels = f[layer].shape[0]
        gscale = channels * positions(f[layer]) * channels
        layers.append((products(a[layer]) - products(f[layer])).square().sum() / gscale)
    return ProgramLosses(content_loss, total(layers), 1e-2 * 0.5 * (x * laplacian(x)).sum())


def laplacian(x: Tensor) -> Tensor:
    """Each channel convolved with ((0, -1, 0), (-1, 4, -1), (0, -1, 0)) / 8, zeros around it."""
    kernel = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=x.dtype) / 8
    return torch.nn.functional.conv2d(x[:, None], kernel[None, None], padding=1)[:, 0]


def udacity(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """Seed 001, and the notebook it translates: features before the ReLU."""
    f, p, a = (vgg19(image, network, maximum) for image in (x, normalized(content), normalized(style)))
    content_loss = (f["conv4_2"] - p["conv4_2"]).square().mean()
    layers = []
    weights = {"conv1_1": 1.0, "conv2_1": 0.75, "conv3_1": 0.2, "conv4_1": 0.2, "conv5_1": 0.2}
    for layer, weight in weights.items():
        d, h, w = f[layer].shape
        layers.append(weight * (products(f[layer]) - products(a[layer])).square().mean() / (d * h * w))
    return ProgramLosses(content_loss, 1e6 * total(layers), torch.zeros(()))


def tensorflow(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """Seed 002; what it names conv1_1 is after the ReLU."""
    f, p, a = (vgg19(image, network, average) for image in (x, TENSORFLOW[0](content), TENSORFLOW[0](style)))
    content_loss = (f["relu5_2"] - p["relu5_2"]).square().sum() / 2
    layers = []
    for layer, weight in zip(RELU_1_TO_5, (0.5, 1.0, 1.5, 3.0, 4.0), strict=True):
        n, m = f[layer].shape[0], positions(f[layer])
        layers.append(weight * (products(f[layer]) - products(a[layer])).square().sum() / (4 * n**2 * m**2))
    return ProgramLosses(5 * content_loss, 100 * total(layers), torch.zeros(()))


def pytorch(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """Seed 003, which is PyTorch's tutorial: losses right behind the first five convolutions."""
    f, p, a = (vgg19(normalized(image), network, maximum) for image in (x, content, style))
    content_loss = (f["conv2_2"] - p["conv2_2"]).square().mean()
    layers = []
    for layer in ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"):
        gram = products(f[layer]) / f[layer].numel()
        target = products(a[layer]) / a[layer].numel()
        layers.append((gram - target).square().mean())
    return ProgramLosses(content_loss, 1e6 * total(layers), torch.zeros(()))


def neural_style(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """jcjohnson/neural-style, its total variation over all neighbors, those of the last row and column too."""
    f, p, a = (vgg19(image, network, maximum) for image in (x, NEURAL_STYLE[0](content), NEURAL_STYLE[0](style)))
    content_loss = (f["relu4_2"] - p["relu4_2"]).square().mean()
    layers = []
    for layer in RELU_1_TO_5:
        gram = products(f[layer]) / f[layer].numel()
        target = products(a[layer]) / a[layer].numel()
        layers.append((gram - target).square().mean())
    down, across = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    variation = (down.square().sum() + across.square().sum()) / 2
    return ProgramLosses(5 * content_loss, 100 * total(layers), 1e-3 * variation)


def multiscale(x: Tensor, content: Tensor, style: Tensor, network: Network, pool: Pool = maximum) -> ProgramLosses:
    """crowsonkb/style-transfer-pytorch at one scale; the square roots by exact eigendecomposition."""
    f, p, a = (vgg19(normalized(image), network, pool, "replicate") for image in (x, content, style))
    content_loss = (f["relu4_2"] - p["relu4_2"]).square().mean()
    layers = [
        weight / (256 + 64 + 16 + 4 + 1) * wasserstein(f[layer], a[layer])
        for layer, weight in zip(RELU_1_TO_5, (256, 64, 16, 4, 1), strict=True)
    ]
    return ProgramLosses(0.015 * content_loss, total(layers), 2 * nine_points(x))


def wasserstein(features: Tensor, target: Tensor) -> Tensor:
    """mse(mu - mu') + mean diag(S + S' - 2 (S'^1/2 S S'^1/2)^1/2), both covariances with 1e-4 I."""
    (mean, covariance), (target_mean, target_covariance) = moments(features), moments(target)
    values, vectors = torch.linalg.eigh(target_covariance)
    root = vectors @ torch.diag(values.sqrt()) @ vectors.T
    # The trace of a root is the sum of the eigenvalues' roots; its gradient is finite where they coincide.
    both = torch.linalg.eigvalsh(root @ covariance @ root).sqrt().sum()
    traces = covariance.trace() + target_covariance.trace() - 2 * both
    distance: Tensor = (mean - target_mean).square().mean() + traces / features.shape[0]
    return distance


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    flat = features.reshape(features.shape[0], -1)
    mean = flat.mean(1)
    centered = flat - mean[:, None]
    ridge = 1e-4 * torch.eye(flat.shape[0], dtype=flat.dtype)
    return mean, centered @ centered.T / flat.shape[1] + ridge


def nine_points(x: Tensor) -> Tensor:
    """Its TVLoss: the edges repeated; differences right, down, and along both diagonals."""
    framed = replicated(x)
    middle = framed[:, 1:-1, 1:-1]
    right, down = framed[:, 1:-1, 2:] - middle, framed[:, 2:, 1:-1] - middle
    falling, rising = framed[:, 1:, 1:] - framed[:, :-1, :-1], framed[:, 1:, :-1] - framed[:, :-1, 1:]
    straight = (right.square().mean() + down.square().mean()) / 3
    diagonal = (falling.square().mean() + rising.square().mean()) / 12
    return 2 * (straight + diagonal)


PROGRAMS = {
    "gatys": Program(*GATYS, gatys),
    "mxnet": Program(*MXNET, mxnet),
    "udacity": Program(normalized, denormalized, udacity),
    "tensorflow": Program(*TENSORFLOW, tensorflow),
    "pytorch": Program(as_it_is, as_it_is, pytorch),
    "neural-style": Program(*NEURAL_STYLE, neural_style),
    "multiscale": Program(as_it_is, as_it_is, multiscale),
}
