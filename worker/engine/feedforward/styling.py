"""Several styles at one level of a network: by share, by mask, by strength.

Each position p of the content's features f_p becomes sum_i w_i(p) T_i(f_p) + (1 - sum_i w_i(p)) f_p. T_i is the
transform to style i; its statistics of the content are those of the region where the style applies. Without masks w_i
is the style's share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.models import Transform
from stylefarm.worker.engine.feedforward.distribution_matching import Values, efdm, order
from stylefarm.worker.engine.feedforward.transforms import (
    AFFINE,
    AffineMap,
    Statistics,
    measure,
    mix,
)
from stylefarm.worker.engine.losses.targets import StyleImage

# What is known of a style at a level: for efdm its values, else its moments.
Known = Statistics | Values

# A style's share in a mixture, and where in the result it belongs.
Part = tuple[float, Tensor | None]

# Values that efdm sorts at once.
SORTED_AT_ONCE = 1 << 20

# Bytes that sorting takes for each of them: the value three times, its place, and the style's two neighbors.
BYTES_PER_SORTED = 48


@dataclass(frozen=True)
class Regions:
    """Where each of S styles applies at one level.

    Args:
        masks: (S, H, W) in [0, 1].
        weights: How much of each style a position gets, (S, H, W); their sum is 1 where a mask is 1.
    """

    masks: Tensor
    weights: Tensor

    @classmethod
    def of(cls, parts: Sequence[Part], size: Sequence[int]) -> Regions | None:
        """Return the regions at the size of the result; None if every style applies everywhere.

        Args:
            parts: Share and mask (1, 1, H, W) of each style.
            size: Height and width of the result.

        Example:
            >>> left = torch.tensor([[[[1.0, 0.0]]]])
            >>> Regions.of([(0.5, left), (0.5, 1 - left)], (1, 2)).weights.tolist()
            [[[1.0, 0.0]], [[0.0, 1.0]]]
        """
        given = [mask for _, mask in parts if mask is not None]
        if not given:
            return None
        masks = torch.cat([given[0].new_ones(1, 1, *size) if mask is None else mask for _, mask in parts])[:, 0]
        shares = masks * masks.new_tensor([share for share, _ in parts])[:, None, None]
        cover = masks.sum(0).clamp_max(1)
        return cls(masks, shares / shares.sum(0).clamp_min(1e-12) * cover)

    def padded(self, height: int, width: int) -> Regions:
        """Return them with the last rows and columns repeated, up to that size."""
        missing = (0, width - self.masks.shape[2], 0, height - self.masks.shape[1])
        return Regions(*(functional.pad(x, missing, "replicate") for x in (self.masks, self.weights)))

    def shrunk(self, size: Sequence[int]) -> Regions:
        """Return them at a level's size: each position gets the mean over its own patch."""
        height, width = size
        return Regions(*(functional.adaptive_avg_pool2d(x, (height, width)) for x in (self.masks, self.weights)))


def know(features: Tensor, source: Tensor | None, transform: Transform) -> Known:
    """Return what a transform needs to know of a style, or of a part of it.

    Args:
        features: (1 or B, C, H, W).
        source: Which part of it counts, (1, H, W) in [0, 1]; None for all.
        transform: The transform.

    Example:
        >>> know(torch.ones(1, 2, 3, 3), None, "adain").mean.tolist()
        [[1.0, 1.0]]
    """
    weights = None if source is None else source.flatten(1)
    if transform == "efdm":
        return order(features.flatten(2).float(), weights)
    return measure(features.flatten(2), weights, full=transform != "adain")


class Styling:
    """Gives the features of B contents the styles, in one piece or in strips of rows: first all are observed.

    Args:
        transform: The transform.
        styles: What is known of each style.
        shares: Their shares.
        regions: Where they apply, at the features' size; None for everywhere.
        strength: How much of the styles the result gets.

    Example:
        >>> style = know(torch.full((1, 2, 3, 3), 5.0), None, "adain")
        >>> styling = Styling("adain", [style], [1.0], None, 1.0)
        >>> content = torch.rand(1, 2, 4, 4)
        >>> styling.observe(content, slice(0, 4))
        >>> round(styling.apply(content, slice(0, 4)).mean().item(), 3)
        5.0
    """

    def __init__(
        self,
        transform: Transform,
        styles: Sequence[Known],
        shares: Sequence[float],
        regions: Regions | None,
        strength: float,
    ) -> None:
        self.transform, self.styles, self.shares = transform, styles, shares
        self.regions, self.strength = regions, strength
        self._seen: list[Statistics] = []
        self._maps: list[AffineMap] | None = None

    @property
    def needs_whole(self) -> bool:
        """Whether all features are needed at once."""
        return self.transform == "efdm" and self.strength > 0

    def bytes(self, batch: int, channels: int, positions: int, itemsize: int) -> int:
        """Return the bytes that the transform holds beside the features, of all rows at once if it `needs_whole`.

        Args:
            batch: Contents.
            channels: Of the features.
            positions: Of the whole features of one content.
            itemsize: Bytes of a feature's number.
        """
        if not self.needs_whole:
            return 0
        at_once = min(max(SORTED_AT_ONCE, batch * positions), batch * channels * positions)
        return 2 * batch * channels * positions * itemsize + BYTES_PER_SORTED * at_once

    def observe(self, features: Tensor, rows: slice) -> None:
        """Take the statistics of some rows of the contents' features.

        Args:
            features: (B, C, n, W).
            rows: Which rows they are.
        """
        if self.transform == "efdm" or self.strength == 0:
            return
        full = self.transform != "adain"
        if self.regions is None:
            found = [measure(features.flatten(2), None, full=full)]
        else:
            found = [
                measure(features.flatten(2), mask[None, rows].flatten(1), full=full) for mask in self.regions.masks
            ]
        self._seen = [a.merged(b) for a, b in zip(self._seen, found, strict=True)] if self._seen else found

    def apply(self, features: Tensor, rows: slice) -> Tensor:
        """Return some rows of the contents' features with the styles.

        Args:
            features: (B, C, n, W).
            rows: Which rows they are; all of them if `needs_whole`.
        """
        if self.strength == 0:
            return features
        styled = self._matched(features) if self.transform == "efdm" else self._mapped(features, rows)
        found: Tensor = styled.unflatten(2, features.shape[2:])
        return found

    def _mapped(self, features: Tensor, rows: slice) -> Tensor:
        flat = features.flatten(2)
        if self._maps is None:
            self._maps = self._made_maps()
        if self.regions is None:
            return self._maps[0](flat)
        weights = self.regions.weights[:, rows].flatten(1).to(flat.dtype)
        total = flat * (1 - weights.sum(0))
        for found, weight in zip(self._maps, weights, strict=True):
            total.addcmul_(found(flat), weight)
        return total

    def _made_maps(self) -> list[AffineMap]:
        make = AFFINE[self.transform]
        seen = self._seen * len(self.styles) if self.regions is None else self._seen
        maps = [
            make(content, style)
            for content, style in zip(seen, self.styles, strict=True)
            if isinstance(style, Statistics)
        ]
        if self.regions is None:
            maps = [mix(list(zip(self.shares, maps, strict=True)))]
        return [found.blended(self.strength) for found in maps]

    def _matched(self, features: Tensor) -> Tensor:
        flat = features.flatten(2)
        result = torch.empty_like(flat)
        at_once = max(1, SORTED_AT_ONCE // (flat.shape[0] * flat.shape[2]))
        for first in range(0, flat.shape[1], at_once):
            channels = slice(first, first + at_once)
            part = flat[:, channels].float()
            styled = self._matched_channels(part, channels)
            result[:, channels] = torch.lerp(part, styled, self.strength).to(result.dtype)
        return result

    def _matched_channels(self, part: Tensor, channels: slice) -> Tensor:
        total, weight = torch.zeros_like(part), part.new_zeros(())
        for number, style in enumerate(self.styles):
            if not isinstance(style, Values):
                continue
            places = None if style.places is None else style.places[:, channels]
            values = Values(style.ordered[:, channels], places)
            mask = None if self.regions is None else self.regions.masks[number].flatten()[None]
            own = self.shares[number] if self.regions is None else self.regions.weights[number].flatten()
            total += efdm(part, values, mask) * own
            weight = weight + own
        return total + part * (1 - weight)


def parts_of(styles: Sequence[StyleImage]) -> list[Part]:
    """Return share and mask of each style; the shares have the sum 1.

    Args:
        styles: At least one.

    Example:
        >>> style = StyleImage(torch.zeros(1, 3, 8, 8), share=2.0)
        >>> parts_of([style, style])
        [(0.5, None), (0.5, None)]
    """
    total = sum(style.share for style in styles)
    return [(style.share / total, style.mask) for style in styles]
