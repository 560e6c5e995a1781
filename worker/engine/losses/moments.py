"""Moments of a layer's feature vectors, as sums that can be merged part by part, and their gradients.

A moment is linear in f or f f^T at each position k, so the gradient for the features of any loss of moments is
w_k (A f_k + b): A and b come from the loss, w_k is the position's weight. An image that is too large to be held is
therefore run twice: once for the moments, once for this gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stylefarm.worker.engine.losses.content import CAST_CHUNK
from stylefarm.worker.engine.products import add_product_of_batches, has_onednn, multiply_batches

MomentKind = Literal["mean", "variance", "second"]

# Positions in one product of half precision; its sum, rounded once, is added to the others in float32.
CHUNK = 4096

# Of fewer channels, features in the channels-last format are not copied for a faster product.
MIN_MOVED_CHANNELS = 128

# A part in which nothing counts is divided by this.
MIN_SHARE = 1e-30


@dataclass(frozen=True)
class Moments:
    """Moments of features f_k (C,) at positions k with weights w_k, which sum to 1 over the layer.

    Args:
        share: Sum of the weights over the part that was seen, (B,) or (1,).
        mean: sum_k w_k f_k, (B, C).
        second: sum_k w_k f_k f_k^T, (B, C, C).
        variance: sum_k w_k (f_k - m)^2 with m the mean over the part, (B, C).

    All are float32 or float64; None stands for a moment that was not asked for.
    """

    share: Tensor
    mean: Tensor | None = None
    second: Tensor | None = None
    variance: Tensor | None = None

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both parts.

        Source:
            Chan, Golub and LeVeque 1979, for the variances, without loss of digits.

        Example:
            >>> a, b = (Moments(torch.tensor([0.5]), mean=torch.tensor([[x]])) for x in (1.0, 2.0))
            >>> a.merged(b).share.item(), a.merged(b).mean.item()
            (1.0, 3.0)
        """
        share = self.share + other.share
        variance = _added(self.variance, other.variance)
        if variance is not None and self.mean is not None and other.mean is not None:
            apart = self._centre(self.mean) - other._centre(other.mean)
            variance = variance + apart.square() * _column(self.share * other.share / share.clamp_min(MIN_SHARE))
        return Moments(share, _added(self.mean, other.mean), _added(self.second, other.second), variance)

    def _centre(self, mean: Tensor) -> Tensor:
        return mean / _column(self.share).clamp_min(MIN_SHARE)


@dataclass(frozen=True)
class PositionWeights:
    """The weights of the positions of a layer.

    Args:
        positions: Number of positions, H W.
        region: (1 or B, 1, H, W), summing to 1; None for 1 / `positions` everywhere.

    Example:
        >>> PositionWeights(positions=4).of(slice(None)) is None
        True
    """

    positions: int
    region: Tensor | None = None

    @classmethod
    def over(cls, height: int, width: int, region: Tensor | None) -> PositionWeights:
        """Return the weights of a layer of H = `height` rows and W = `width` columns.

        Args:
            height: Rows of the layer.
            width: Columns of the layer.
            region: (1 or B, 1, H, W) in [0, 1], not all zero; None for all positions alike.

        Example:
            >>> PositionWeights.over(1, 2, torch.tensor([[[[1.0, 3.0]]]])).of(slice(None)).tolist()
            [[[0.25, 0.75]]]
        """
        return cls(height * width, None if region is None else region / region.sum((2, 3), keepdim=True))

    def of(self, rows: slice) -> Tensor | None:
        """Return the weights of some rows, (1 or B, 1, N); None if all are alike."""
        return None if self.region is None else self.region[:, :, rows].flatten(2)


def gram(features: Tensor, region: Tensor | None = None) -> Tensor:
    """Return the Gram matrix G = F F^T / (H W) of features.

    With a region it is the guided Gram matrix, sum_k w_k f_k f_k^T over the region's weights, which sum to 1.

    Args:
        features: (B, C, H, W).
        region: (1 or B, 1, H, W) in [0, 1]; None for all positions.

    Returns:
        (B, C, C), float32 or float64.

    Source:
        Gatys 2016, eq. 3, here divided by the number of positions, so that images of different sizes compare; Gatys
        2017 (arXiv 1611.07865), section 5.1, for the region.

    Example:
        >>> gram(torch.tensor([[[[1.0, 3.0]]]])).item()
        5.0
    """
    weights = PositionWeights.over(features.shape[2], features.shape[3], region)
    return _second(features.flatten(2), weights.of(slice(None)), weights.positions, precise=True)


def compute_moments(
    features: Tensor, kinds: frozenset[MomentKind], weights: PositionWeights, rows: slice, *, precise: bool = True
) -> Moments:
    """Return the moments of some rows of a layer.

    Args:
        features: Features of these rows, (B, C, N rows, W).
        kinds: Which moments.
        weights: Weights of the positions of the layer.
        rows: Which rows they are.
        precise: Whether the second moment of features in half precision is computed in float32; otherwise its products
            are rounded as the features are.

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])
        >>> found = compute_moments(features, frozenset({"mean", "variance"}), PositionWeights(2), slice(None))
        >>> found.mean.item(), found.variance.item(), found.second is None
        (2.0, 1.0, True)
    """
    flat = features.flatten(2)
    region = weights.of(rows)
    share = flat.new_full((1,), flat.shape[2] / weights.positions, dtype=_sums(flat))
    if region is not None:
        share = region.sum((1, 2))
    mean = variance = second = None
    if "second" in kinds:
        second = _second(flat, region, weights.positions, precise)
    if not kinds.isdisjoint(("mean", "variance")):
        mean = _weighted(flat, region, weights.positions)
    if "variance" in kinds and mean is not None:
        centered = flat - (mean / _column(share).clamp_min(MIN_SHARE))[:, :, None]
        variance = _weighted(centered.square_(), region, weights.positions)
    return Moments(share, mean, second, variance)


@dataclass(frozen=True)
class MomentGrad:
    """The gradient of a loss of moments for features: w_k (A f_k + d f_k + b).

    Args:
        weights: The weights w_k.
        matrix: A, (B, C, C), symmetric; None for zero.
        constant: b, (B, C); None for zero.
        diagonal: d, (B, C); None for zero.
        precise: Whether the sum is computed in float32 of features in half precision, and rounded once.

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])
        >>> grad = MomentGrad(PositionWeights(2), matrix=None, constant=torch.ones(1, 1), diagonal=None)
        >>> grad.add_to(None, features, slice(None)).tolist()
        [[[[0.5, 0.5]]]]
    """

    weights: PositionWeights
    matrix: Tensor | None
    constant: Tensor | None
    diagonal: Tensor | None
    precise: bool = False

    @classmethod
    def of(cls, moments: Moments, gradient: Moments, weights: PositionWeights, *, precise: bool = False) -> MomentGrad:
        """Return the gradient for features.

        Args:
            moments: The moments of the whole image.
            gradient: The gradient of the loss for each of them.
            weights: The weights of the positions.
            precise: See `MomentGrad`.
        """
        matrix, constant, diagonal = gradient.second, gradient.mean, gradient.variance
        if matrix is not None:
            matrix = matrix + matrix.mT
        if diagonal is not None and moments.mean is not None:
            diagonal = 2 * diagonal
            center = -diagonal * moments.mean
            constant = center if constant is None else constant + center
        return cls(weights, matrix, constant, diagonal, precise)

    def scaled(self, scale: float | Tensor) -> MomentGrad:
        """Return it times `scale`, a number or (B,)."""
        if isinstance(scale, Tensor):
            scale = scale[:, None]
        matrix = None if self.matrix is None else self.matrix * (scale if isinstance(scale, float) else scale[:, None])
        return MomentGrad(
            self.weights,
            matrix,
            None if self.constant is None else self.constant * scale,
            None if self.diagonal is None else self.diagonal * scale,
            self.precise,
        )

    def add_to(self, grad: Tensor | None, features: Tensor, rows: slice) -> Tensor:
        """Return `grad` plus this gradient.

        Args:
            grad: What is added to, in place; None for zero.
            features: Features of some rows, (B, C, N rows, W).
            rows: Which rows they are.
        """
        if not self.precise or features.itemsize >= 4:
            return self._added(grad, features, rows)
        grad = torch.zeros_like(features) if grad is None else grad
        first, at_once = rows.start or 0, max(1, CAST_CHUNK // features[0, :, 0].numel())
        for start in range(0, features.shape[2], at_once):
            part, own = (x[:, :, start : start + at_once] for x in (features, grad))
            of_layer = slice(first + start, first + start + part.shape[2])
            own.copy_(self._added(own.float(), part.float(), of_layer))
        return grad

    def _added(self, grad: Tensor | None, features: Tensor, rows: slice) -> Tensor:
        region = self.weights.of(rows)
        share = 1 / self.weights.positions if region is None else 1.0
        if region is not None:
            weighted = features * region.view(*region.shape[:2], *features.shape[2:]).to(features.dtype)
        else:
            weighted = features
        if self.matrix is not None:
            grad = _with_product(grad, (self.matrix * share).to(features.dtype), weighted)
        if self.diagonal is not None:
            part = weighted * (self.diagonal * share).to(features.dtype)[:, :, None, None]
            grad = part if grad is None else grad.add_(part)
        if self.constant is not None:
            part = (self.constant * share).to(features.dtype)[:, :, None, None]
            if region is not None:
                part = part * region.view(*region.shape[:2], *features.shape[2:]).to(features.dtype)
            grad = part.expand_as(features).clone() if grad is None else grad.add_(part)
        return torch.zeros_like(features) if grad is None else grad


def _second(flat: Tensor, region: Tensor | None, positions: int, precise: bool) -> Tensor:
    if flat.itemsize < 4 and precise:
        product = _widened_product(flat, region)
    else:
        left = flat if region is None else flat * region.to(flat.dtype)
        product = _whole_product(left, flat) if flat.itemsize >= 4 else _half_product(left, flat)
    return product / positions if region is None else product


def _whole_product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right^T of (B, C, N)."""
    # oneDNN needs the positions of a channel side by side; to move few channels takes longer than is won.
    if not has_onednn(left, right) or (left.stride(2) != 1 and left.shape[1] < MIN_MOVED_CHANNELS):
        return left @ right.mT
    moved = left.contiguous()
    return multiply_batches(moved, moved if right is left else right)


def _widened_product(flat: Tensor, region: Tensor | None) -> Tensor:
    """Return (w f) f^T of (B, C, N) in half precision, computed in float32."""
    product = flat.new_zeros((*flat.shape[:2], flat.shape[1]), dtype=torch.float32)
    for part, weight in _widened(flat, region):
        product.baddbmm_(part if weight is None else part * weight, part.mT)
    return product


def _widened(flat: Tensor, region: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield (B, C, N) with its weights, of half precision as float32, some positions at a time."""
    _, channels, positions = flat.shape
    if flat.itemsize >= 4:
        yield flat, region
        return
    at_once = max(1, CAST_CHUNK // channels)
    for start in range(0, positions, at_once):
        part = slice(start, start + at_once)
        yield flat[:, :, part].float(), None if region is None else region[:, :, part]


def _half_product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right^T of (B, C, N) in half precision, as float32."""
    whole = right.shape[2] // CHUNK * CHUNK
    found = (left[:, :, whole:] @ right[:, :, whole:].mT).float()
    if whole:
        parts = [x[:, :, :whole].unflatten(2, (-1, CHUNK)).transpose(1, 2) for x in (left, right)]
        found = found + (parts[0] @ parts[1].mT).sum(1, dtype=torch.float32)
    return found


def _weighted(flat: Tensor, region: Tensor | None, positions: int) -> Tensor:
    parts = [_sum(part, weight) for part, weight in _widened(flat, region)]
    total = parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)
    return total / positions if region is None else total


def _sum(flat: Tensor, region: Tensor | None) -> Tensor:
    return flat.sum(2) if region is None else (flat @ region.to(flat.dtype).mT)[:, :, 0]


def _with_product(grad: Tensor | None, matrix: Tensor, features: Tensor) -> Tensor:
    """Return grad + matrix @ features at each position; the matrix (B, C, C) is symmetric."""
    if features.is_contiguous() or not features.is_contiguous(memory_format=torch.channels_last):
        flat = features.flatten(2)
        if grad is None or grad.stride() != features.stride() or not features.is_contiguous():
            product = (matrix @ flat).view(features.shape)
            return product if grad is None else grad.add_(product)
        grad.flatten(2).baddbmm_(matrix, flat)
        return grad
    vectors = features.permute(0, 2, 3, 1).flatten(1, 2)
    matrices = matrix.expand(len(vectors), -1, -1)
    if grad is None or grad.stride() != features.stride():
        product = multiply_batches(vectors, matrices).unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
        return product if grad is None else grad.add_(product)
    add_product_of_batches(grad.permute(0, 2, 3, 1).flatten(1, 2), vectors, matrices)
    return grad


def _sums(x: Tensor) -> torch.dtype:
    return x.dtype if x.itemsize >= 4 else torch.float32


def _column(share: Tensor) -> Tensor:
    return share[:, None]


def _added(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return None if a is None or b is None else a + b
