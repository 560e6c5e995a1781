"""Whether pictures are large enough for the layers that they are compared at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from stylefarm.producer.submission.source import Source
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.spec.networks import FirstLayer, smallest_side
from stylefarm.shared.spec.spec import JobSpec


def check_size(spec: JobSpec, content: Source, styles: Sequence[Source]) -> None:
    """Check that something of each picture is left at the deepest layer, at every scale: each pooling halves it.

    Args:
        spec: its size must be resolved.
        content: the content picture.
        styles: the style pictures.

    Raises:
        InvalidImage: a picture is too small; the sentence says by how much.

    Example:
        >>> thin = Source("sha256:1f", None, "thin.jpg", width=640, height=4, brightest=255, notes=())
        >>> check_size(JobSpec(content="thin.jpg", style="b.jpg", size=512, content_layers=["relu4_2"]), thin, [])
        Traceback (most recent call last):
        ...
        stylefarm.shared.errors.InvalidImage: thin.jpg is 3 px on its short side at size = 512, too small for ...
    """
    edge = spec.sizes[0]
    _check_side(content, _short_side(content, edge), spec)
    for style in styles:
        if spec.style_aspect == "squash":
            side = round(_short_side(content, edge) * spec.style_scale)
        else:
            side = _short_side(style, edge * spec.style_scale)
        _check_side(style, side, spec)


def _short_side(source: Source, longest: float) -> int:
    return max(1, round(min(source.width, source.height) * longest / max(source.width, source.height)))


def _check_side(source: Source, side: int, spec: JobSpec) -> None:
    deepest, needed = deepest_layer(spec.layers, spec.first_layer)
    if side < needed:
        raise InvalidImage(
            f"{source.name} is {side} px on its short side at size = {spec.sizes[0]}, too small for {deepest}: at least"
            f" {needed} px are needed, so ask for a larger size, or crop the picture"
        )


@lru_cache(maxsize=256)
def deepest_layer(layers: tuple[str, ...], first_layer: FirstLayer) -> tuple[str, int]:
    """Return the deepest of the layers, and the pixels that it needs on a picture's short side.

    Example:
        >>> deepest_layer(("relu1", "fire8"), "dense")
        ('fire8', 32)
    """
    deepest = max(layers, key=smallest_side)
    # Convolutions pad by one: a single row or column would be mostly padding.
    return deepest, max(2, smallest_side(deepest, first_layer))
