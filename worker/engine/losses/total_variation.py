"""Total variation of images (B, 3, H, W), in whatever coordinates they are given."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

TvNorm = Literal["l1", "l2", "laplacian", "nine-point"]
TvReduction = Literal["mean", "sum"]


def total_variation(image: Tensor, norm: TvNorm = "l2", reduction: TvReduction = "mean") -> Tensor:
    """Return the total variation of each image: (B,).

    Args:
        image: (B, 3, H, W).
        norm: "l1": sum |x_{i+1,j} - x_{i,j}| + |x_{i,j+1} - x_{i,j}|. "l2": the sum of their squares; as a "sum" it is
            halved, so that its gradient is the plain differences, as in jcjohnson/neural-style. "laplacian": the energy
            1/2 <x, L x>, where L is the 3 x 3 Laplacian / 8 with zeros around the image, as in the mxnet program;
            always a sum. "nine-point": squares of the differences to all eight neighbors, the diagonal ones at a
            quarter, edges repeated, as in crowsonkb/style-transfer-pytorch; always a mean.
        reduction: "mean" over the differences in each direction, or "sum".

    Source:
        Rudin, Osher and Fatemi 1992 (l1, anisotropic); Mahendran and Vedaldi 2015 (arXiv 1412.0035), eq. 6 with beta =
        2 (l2).

    Example:
        >>> total_variation(torch.tensor([[[[0.0, 1.0, 1.0]]]]).expand(1, 3, 1, 3), "l1", "sum").item()
        3.0
    """
    if norm == "laplacian":
        return 0.5 * (image * laplacian(image)).sum((1, 2, 3))
    if norm == "nine-point":
        return _nine_point(image)
    total = torch.zeros_like(image[:, 0, 0, 0])
    for dim in (2, 3):
        size = image.diff(dim=dim)
        size = size.abs_() if norm == "l1" else size.square_()
        # An image of one row has no differences down, and the mean of none is not a number.
        total = total + (size.sum((1, 2, 3)) if reduction == "sum" else size.sum((1, 2, 3)) / max(1, size[0].numel()))
    return 0.5 * total if norm == "l2" and reduction == "sum" else total


def total_variation_grad(image: Tensor, norm: TvNorm = "l2", reduction: TvReduction = "mean") -> Tensor:
    """Return the gradient of the sum of the images' total variations, shaped as `image`; see `total_variation`.

    Args:
        image: (B, 3, H, W).
        norm: Of the differences.
        reduction: Over the pixels.

    Example:
        >>> total_variation_grad(torch.tensor([[[[0.0, 1.0]]]]), "l1", "sum").tolist()
        [[[[-1.0, 1.0]]]]
    """
    if norm == "laplacian":
        return laplacian(image)
    if norm == "nine-point":
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(_nine_point(leaf).sum(), leaf)
        return gradient
    gradient = torch.zeros_like(image)
    for dim in (2, 3):
        length = image.shape[dim] - 1
        difference = image.narrow(dim, 1, length) - image.narrow(dim, 0, length)
        # l2 as a sum is halved.
        factor = 1.0 if reduction == "sum" else (1 if norm == "l1" else 2) / max(1, difference[0].numel())
        difference = difference.sign_() if norm == "l1" else difference
        gradient.narrow(dim, 1, length).add_(difference, alpha=factor)
        gradient.narrow(dim, 0, length).sub_(difference, alpha=factor)
    return gradient


def laplacian(image: Tensor) -> Tensor:
    """Return (4 x_ij - the four neighbors of x_ij) / 8, zero outside the image, shaped as `image`.

    Example:
        >>> laplacian(torch.ones(1, 1, 1, 1)).item()
        0.5
    """
    padded = functional.pad(image, (1, 1, 1, 1))
    neighbors = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return (4 * image - neighbors) / 8


def _nine_point(image: Tensor) -> Tensor:
    padded = functional.pad(image, (1, 1, 1, 1), "replicate")
    center = padded[..., 1:-1, 1:-1]
    straight = ((padded[..., 1:-1, 2:] - center), (padded[..., 2:, 1:-1] - center))
    diagonal = (padded[..., 1:, 1:] - padded[..., :-1, :-1], padded[..., 1:, :-1] - padded[..., :-1, 1:])
    means = [d.square().mean((1, 2, 3)) / 3 for d in straight] + [d.square().mean((1, 2, 3)) / 12 for d in diagonal]
    return 2 * torch.stack(means).sum(0)
