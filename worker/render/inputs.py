"""The pictures of a job: fetched once, and resized for each scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.images.decode import long_edge_size
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.color import ColorMoments, grayscale, match_colors, match_luminance, with_colors
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.initial import noise_like
from stylefarm.worker.engine.space import to_input
from stylefarm.worker.render.pictures import to_tensor


@dataclass(frozen=True)
class ScaledImages:
    """The pictures of one scale on the engine's device, float32 in [0, 1]; the content is (1, 3, H, W)."""

    content: Tensor
    styles: Sequence[StyleImage]


@dataclass(frozen=True)
class JobImages:
    """The decoded pictures that a spec names, in their own sizes."""

    spec: JobSpec
    content: Image.Image
    styles: Sequence[Image.Image]
    content_masks: Sequence[Image.Image]
    style_masks: Sequence[Image.Image]
    init_image: Image.Image | None

    @classmethod
    def fetched(cls, spec: JobSpec, fetch: Callable[[str], Image.Image]) -> JobImages:
        """Fetch all of them; `fetch` takes an address."""
        return cls(
            spec,
            fetch(spec.content),
            [fetch(address) for address in spec.style],
            [fetch(address) for address in spec.content_masks],
            [fetch(address) for address in spec.style_masks],
            None if spec.init_image is None else fetch(spec.init_image),
        )

    def sized(self, edge: int, device: torch.device) -> ScaledImages:
        """Return the pictures for a result of that long edge, in the colors that the spec asks for."""
        size = long_edge_size(self.content.size, edge)
        content = to_tensor(self.content, size, device)
        styles = [self._style(index, size, content) for index in range(len(self.styles))]
        if self.spec.color == "luminance":
            content = grayscale(content)
        elif self.spec.color == "recolor":
            content = recolor(content, styles)
        elif self.spec.color == "gray":
            content = grayscale(recolor(grayscale(content), styles))
        return ScaledImages(content, styles)

    def content_mask(self, index: int, size: tuple[int, int], device: torch.device) -> Tensor | None:
        """Return where a style belongs, (1, 1, H, W), 1 where the mask is white; None without masks.

        Args:
            index: the place of the style.
            size: width and height of the result.
            device: where the mask is to be.
        """
        return _mask(self.content_masks, index, size, device)

    def start(self, sized: ScaledImages) -> Tensor:
        """Return what the optimization starts from, in the coordinates that it moves: shaped as the content."""
        spec, space = self.spec, self.spec.moved_space
        content = to_input(space, sized.content)
        if spec.init in ("style", "image"):
            size = (content.shape[3], content.shape[2])
            picture = self.init_image if self.init_image is not None else self.styles[0]
            image = to_tensor(picture, size, content.device)
            return to_input(space, grayscale(image) if spec.color in ("luminance", "gray") else image)
        if spec.init in ("content", "model"):
            return content
        noise = noise_like(content, spec.noise, spec.noise_range, spec.seed)
        ratio = spec.noise_ratio if spec.init == "blend" else 1.0
        return ratio * noise + (1 - ratio) * content

    def _style(self, index: int, size: tuple[int, int], content: Tensor) -> StyleImage:
        spec, picture = self.spec, self.styles[index]
        own = size if spec.style_aspect == "squash" else long_edge_size(picture.size, max(size))
        scaled = (max(1, round(own[0] * spec.style_scale)), max(1, round(own[1] * spec.style_scale)))
        image = to_tensor(picture, scaled, content.device)
        if spec.color in ("luminance", "match"):
            image = match_luminance(image, content) if spec.color == "luminance" else match_colors(image, content)
        elif spec.color == "gray":
            image = grayscale(image)
        shares = spec.style_weights or (1.0,) * len(self.styles)
        return StyleImage(
            image,
            shares[index] / sum(shares),
            _mask(self.style_masks, index, scaled, content.device),
            _mask(self.content_masks, index, size, content.device),
        )


def recolor(content: Tensor, styles: Sequence[StyleImage]) -> Tensor:
    """Return the content with the colors of the styles; where they have regions, each region with those of its own.

    The losses of content and style then ask for the same colors, so that forms are kept where the style's are light and
    the content is dark, or the reverse.

    Args:
        content: (1, 3, H, W) in [0, 1].
        styles: The styles, for a content of that size; none leave it as it is.

    Example:
        >>> style = StyleImage(torch.tensor([[[[0.2, 0.4]], [[0.2, 0.4]], [[0.2, 0.4]]]]))
        >>> round(recolor(torch.rand(1, 3, 16, 16), [style]).mean().item(), 1)
        0.3
    """
    moments = [ColorMoments.of(style.image, style.source_mask) for style in styles]
    if not styles:
        return content
    if all(style.mask is None for style in styles):
        shares = [style.share for style in styles]
        return with_colors(content, ColorMoments.mixed(list(zip(shares, moments, strict=True))))
    total, covered = torch.zeros_like(content), torch.zeros_like(content[:, :1])
    for style, found in zip(styles, moments, strict=True):
        if style.mask is not None:
            total, covered = total + style.mask * with_colors(content, found), covered + style.mask
    # Regions that overlap share a pixel; outside of all of them the content keeps its own colors.
    return total / covered.clamp_min(1) + (1 - covered).clamp_min(0) * content


def _mask(masks: Sequence[Image.Image], index: int, size: tuple[int, int], device: torch.device) -> Tensor | None:
    """(1, 1, H, W), 1 where the mask is white; None without masks."""
    if not masks:
        return None
    # In real numbers: of a spot smaller than a pixel of this size, 8 bits would leave nothing.
    grayscale = masks[index].convert("L").convert("F").resize(size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(grayscale) / np.float32(255))[None, None].to(device)
