"""Color control: keeping the content's colors.

Images are (1 or B, 3, H, W), RGB in [0, 1].

Source:
    Gatys, Bethge, Hertzmann and Shechtman 2016 (arXiv 1606.05897).
"""

from __future__ import annotations

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


def match_colors(style: Tensor, content: Tensor) -> Tensor:
    """Return the style with the content's mean and covariance of colors.

    It is the symmetric transformation S_content^1/2 S_style^-1/2, which changes colors as little as it can.

    Args:
        style: (1, 3, H, W) in [0, 1].
        content: (1, 3, H', W') in [0, 1].

    Source:
        Sun, Feng and Saenko 2016 (CORAL), eq. 1 to 4.

    Example:
        >>> image = torch.rand(1, 3, 8, 8)
        >>> bool(torch.allclose(match_colors(image, image), image, atol=1e-5))
        True
    """
    x, y = (image[0].flatten(1).double().cpu() for image in (style, content))
    mean_x, mean_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    turned = _power(_covariance(y), 0.5) @ _power(_covariance(x), -0.5) @ (x - mean_x) + mean_y
    return turned.clamp(0, 1).to(style).view_as(style)


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


def _covariance(x: Tensor) -> Tensor:
    return torch.cov(x) + 1e-5 * torch.eye(3, dtype=x.dtype)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = vectors @ torch.diag(values.pow(exponent)) @ vectors.T
    return power
