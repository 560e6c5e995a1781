"""Whether pictures are large enough for the layers that they are compared at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from stylefarm.producer.submission.source import Source
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.spec.networks import smallest_side
from stylefarm.shared.spec.spec import JobSpec


def check_size(spec: JobSpec, content: Source, styles: Sequence[Source]) -> None:
    """Check that something of each picture is left at the deepest layer, at every scale: each pooling halves it.

    Args:
        spec: its size must be resolved.
        content: the content picture.
        styles: the style pictures.

    Raises:
        InvalidImage: a picture is too small; the sentence says by how much.
    """
    edge = spec.sizes[0]
    _check(content, edge, spec.layers, edge)
    for style in styles:
        if spec.style_aspect == "squash":
            shortest = _short_side(content, edge) * spec.style_scale
            _check_side(style, round(shortest), spec.layers, edge)
        else:
            _check(style, edge * spec.style_scale, spec.layers, edge)


def _check(source: Source, longest: float, layers: Sequence[str], edge: int) -> None:
    _check_side(source, _short_side(source, longest), layers, edge)


def _short_side(source: Source, longest: float) -> int:
    return max(1, round(min(source.width, source.height) * longest / max(source.width, source.height)))


def _check_side(source: Source, side: int, layers: Sequence[str], edge: int) -> None:
    deepest, needed = _deepest(tuple(layers))
    if side < needed:
        raise InvalidImage(
            f"{source.name} is {side} px on its short side at size = {edge}, too small for {deepest}: at least"
            f" {needed} px are needed, so ask for a larger size, or crop the picture"
        )


@lru_cache(maxsize=256)
def _deepest(layers: tuple[str, ...]) -> tuple[str, int]:
    """Return the deepest of the layers, and the pixels that it needs."""
    deepest = max(layers, key=smallest_side)
    # A convolution pads by one, which of a single row or column leaves nothing but padding.
    return deepest, max(2, smallest_side(deepest))
