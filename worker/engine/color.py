"""Color control: keeping the content's colors, and giving an image the colors of others.

Images are (1 or B, 3, H, W), RGB in [0, 1].

Source:
    Gatys, Bethge, Hertzmann and Shechtman 2016 (arXiv 1606.05897).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# What red, green and blue have of brightness, in YIQ (ITU-R BT.601).
BRIGHTNESS = (0.299, 0.587, 0.114)


def luminance(image: Tensor) -> Tensor:
    """Return the luminance of each pixel, the Y of YIQ (ITU-R BT.601).

    Args:
        image: (B, 3, H, W), RGB in [0, 1].

    Returns:
        (B, 1, H, W), in [0, 1].

    Example:
        >>> round(luminance(torch.ones(1, 3, 1, 1)).item(), 6)
        1.0
    """
    weights = torch.tensor(BRIGHTNESS, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def grayscale(image: Tensor) -> Tensor:
    """Return the image without its colors.

    Args:
        image: (B, 3, H, W), RGB in [0, 1].

    Returns:
        (B, 3, H, W), its channels the same.

    Example:
        >>> tuple(grayscale(torch.rand(2, 3, 4, 5)).shape)
        (2, 3, 4, 5)
    """
    return luminance(image).expand(-1, 3, -1, -1).contiguous()


def match_luminance(style: Tensor, content: Tensor) -> Tensor:
    """Return the style in gray, its luminance shifted and scaled to the content's mean and standard deviation.

    Args:
        style: (1, 3, H, W) in [0, 1].
        content: (1, 3, H', W') in [0, 1].

    Source:
        Gatys 2016 (arXiv 1606.05897), eq. 10.

    Example:
        >>> image = torch.rand(1, 3, 4, 4)
        >>> bool(torch.allclose(match_luminance(image, image), grayscale(image), atol=1e-5))
        True
    """
    y, wanted = luminance(style), luminance(content)
    scale = wanted.std() / y.std().clamp_min(1e-6)
    return (scale * (y - y.mean()) + wanted.mean()).clamp(0, 1).expand(-1, 3, -1, -1).contiguous()


@dataclass(frozen=True)
class ColorMoments:
    """The mean (3, 1) and the covariance (3, 3) of colors, float64 on the CPU.

    Example:
        >>> ColorMoments.of(torch.full((1, 3, 2, 2), 0.5)).mean.flatten().tolist()
        [0.5, 0.5, 0.5]
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, image: Tensor, weights: Tensor | None = None) -> ColorMoments:
        """Return those of an image.

        Args:
            image: (1, 3, H, W) in [0, 1].
            weights: How much each pixel counts, (1, 1, H, W), not all zero; None for all alike.
        """
        x = image[0].flatten(1).double().cpu()
        if weights is None:
            return cls(x.mean(1, keepdim=True), torch.cov(x))
        share = weights.flatten()[None].double().cpu()
        share = share / share.sum()
        mean = (share * x).sum(1, keepdim=True)
        return cls(mean, (share * (x - mean)) @ (x - mean).T)

    @classmethod
    def mixed(cls, parts: Sequence[tuple[float, ColorMoments]]) -> ColorMoments:
        """Return the mean of both by shares, which sum to 1."""
        means = torch.stack([share * moments.mean for share, moments in parts])
        covariances = torch.stack([share * moments.covariance for share, moments in parts])
        return cls(means.sum(0), covariances.sum(0))


def with_colors(image: Tensor, wanted: ColorMoments) -> Tensor:
    """Return an image whose colors have that mean and covariance, but for what leaves [0, 1].

    It is the symmetric transformation S'^1/2 S^-1/2, which changes colors as little as it can.

    Args:
        image: (1, 3, H, W) in [0, 1].
        wanted: The moments.

    Source:
        Sun, Feng and Saenko 2016 (CORAL), eq. 1 to 4.

    Example:
        >>> image = torch.rand(1, 3, 8, 8)
        >>> bool(torch.allclose(with_colors(image, ColorMoments.of(image)), image, atol=1e-5))
        True
    """
    own, x = ColorMoments.of(image), image[0].flatten(1).double().cpu()
    turned = _power(wanted.covariance, 0.5) @ _power(own.covariance, -0.5) @ (x - own.mean) + wanted.mean
    return turned.clamp(0, 1).to(image).view_as(image)


def match_colors(style: Tensor, content: Tensor) -> Tensor:
    """Return the style with the content's mean and covariance of colors.

    Args:
        style: (1, 3, H, W) in [0, 1].
        content: (1, 3, H', W') in [0, 1].

    Source:
        Gatys 2016 (arXiv 1606.05897), section 4.

    Example:
        >>> image = torch.rand(1, 3, 8, 8)
        >>> bool(torch.allclose(match_colors(image, image), image, atol=1e-5))
        True
    """
    return with_colors(style, ColorMoments.of(content))


def keep_colors(content: Tensor, rendered: Tensor) -> Tensor:
    """Return the luminance of `rendered` with the chroma of `content`.

    In YIQ the chroma stays when red, green and blue change by the same amount; a pixel changes no further than [0, 1]
    allows, so that its chroma is the content's whatever its luminance should be.

    Args:
        content: (B, 3, H, W) in [0, 1].
        rendered: (B, 3, H, W).

    Example:
        >>> image = torch.rand(1, 3, 4, 4)
        >>> bool(torch.allclose(keep_colors(image, image), image))
        True
    """
    change = luminance(rendered) - luminance(content)
    lowest, highest = content.amin(1, keepdim=True), content.amax(1, keepdim=True)
    return content + change.maximum(-lowest).minimum(1 - highest)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    # A single color, or grays, have directions without any deviation.
    ridge = 1e-5 * torch.eye(3, dtype=matrix.dtype)
    values, vectors = torch.linalg.eigh(matrix + ridge)
    power: Tensor = vectors @ torch.diag(values.pow(exponent)) @ vectors.T
    return power
