"""Exact feature distribution matching: the value of rank r in a channel becomes the style's of rank r.

Zhang et al. 2022, "Exact Feature Distribution Matching" (arXiv 2203.07740), eq. 5. Unlike the transforms that know two
moments, it sorts whole pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Values:
    """The values of each channel in order: what efdm knows of a style.

    Args:
        ordered: (B, C, N), ascending.
        places: Where each stands in its distribution, in (0, 1), (B, C, N); None: the middles of N equal parts.

    Example:
        >>> order(torch.tensor([[[3.0, 1.0, 2.0]]])).ordered.tolist()
        [[[1.0, 2.0, 3.0]]]
    """

    ordered: Tensor
    places: Tensor | None = None


def order(features: Tensor, weights: Tensor | None = None) -> Values:
    """Return the values of each channel in order.

    Args:
        features: (B, C, N).
        weights: How much each position counts, (1 or B, N) in [0, 1]; None: 1.

    Example:
        >>> order(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[1.0, 3.0]])).places.tolist()
        [[[0.375, 0.875]]]
    """
    ordered, index = features.sort(dim=2, stable=True)
    return Values(ordered, None if weights is None else _places(index, weights))


def efdm(features: Tensor, style: Values, weights: Tensor | None = None) -> Tensor:
    """Return the features with the style's values: the value of rank r becomes the style's of rank r.

    If the style has another number of positions its values are interpolated between the middles of its ranks.

    Args:
        features: Those of the content, (B, C, N).
        style: The values of the style, of one picture or B.
        weights: How much each position of the content counts for the ranks, (1 or B, N); None: 1.

    Source:
        Zhang et al. 2022 (arXiv 2203.07740), eq. 5.

    Example:
        >>> efdm(torch.tensor([[[0.3, 0.1, 0.2]]]), order(torch.tensor([[[7.0, 9.0, 8.0]]]))).tolist()
        [[[9.0, 7.0, 8.0]]]
    """
    index = features.argsort(dim=2, stable=True)
    batch, channels, count = features.shape
    ordered = style.ordered.expand(batch, -1, -1)
    if weights is None and style.places is None:
        matched = _stretched(ordered, count)
    else:
        places = _middles(count, features).expand(batch, channels, -1) if weights is None else _places(index, weights)
        matched = _interpolated(ordered, style.places, places)
    return torch.empty_like(matched).scatter_(2, index, matched)


def _stretched(ordered: Tensor, count: int) -> Tensor:
    """Return ascending values (B, C, M) at the middles of `count` equal parts."""
    if ordered.shape[2] == count:
        return ordered
    at = (_middles(count, ordered) * ordered.shape[2] - 0.5).clamp(0, ordered.shape[2] - 1)
    low = at.long()
    high = (low + 1).clamp_max(ordered.shape[2] - 1)
    return torch.lerp(ordered[:, :, low], ordered[:, :, high], (at - low).to(ordered.dtype))


def _interpolated(ordered: Tensor, places: Tensor | None, at: Tensor) -> Tensor:
    """Return the values (B, C, M), which stand at `places`, at other places (B, C, N)."""
    batch, channels, count = ordered.shape
    known = (_middles(count, ordered) if places is None else places).expand(batch, channels, -1).contiguous()
    high = torch.searchsorted(known, at.contiguous()).clamp(min(1, count - 1), count - 1)
    low = (high - 1).clamp_min(0)
    start, stop = known.gather(2, low), known.gather(2, high)
    share = ((at - start) / (stop - start).clamp_min(1e-12)).clamp(0, 1)
    return torch.lerp(ordered.gather(2, low), ordered.gather(2, high), share.to(ordered.dtype))


def _middles(count: int, like: Tensor) -> Tensor:
    return (torch.arange(count, device=like.device, dtype=torch.float64) + 0.5) / count


def _places(index: Tensor, weights: Tensor) -> Tensor:
    """Return where the positions of `index`, ascending by value, stand in the distribution."""
    own = weights.double()[:, None].expand(index.shape[0], index.shape[1], -1).gather(2, index)
    total = own.sum(2, keepdim=True).clamp_min(torch.finfo(own.dtype).tiny)
    return (own.cumsum(2) - own / 2) / total
