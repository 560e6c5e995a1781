"""How much memory a trunk takes, whole and in strips."""

from __future__ import annotations

from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE, TrunkShape
from stylefarm.worker.engine.networks.memory_plan import OVERHEAD


def whole_bytes(
    shape: TrunkShape, batch: int, height: int, width: int, itemsize: int, *, by_place: bool = False
) -> int:
    """Return the peak, in bytes, of rendering pictures whole.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.
        by_place: Whether the styles have masks, so that scales and shifts differ by place.

    Example:
        >>> whole_bytes(TrunkShape(), 1, 512, 512, 4) >> 20
        174
    """
    pixels = batch * (height + 2 * shape.border) * (width + 2 * shape.border)
    return OVERHEAD + pixels * (_pictures() + round(itemsize * _layers(shape))) + _maps(shape, pixels, by_place)


def strip_bytes(
    shape: TrunkShape, batch: int, height: int, width: int, itemsize: int, rows: int, *, by_place: bool = False
) -> int:
    """Return the peak, in bytes, of rendering pictures so many rows at a time.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.
        rows: Rows of the picture in a strip.
        by_place: Whether the styles have masks, so that scales and shifts differ by place.

    Example:
        >>> strip_bytes(TrunkShape(), 1, 4096, 4096, 4, 64) < whole_bytes(TrunkShape(), 1, 4096, 4096, 4) // 2
        True
    """
    height, width = height + 2 * shape.border, width + 2 * shape.border
    deep = 3 * shape.channels[2] / STRIDE**2 * itemsize
    # Strips overlap by what the kernels reach, and are summed in float32.
    strip = (rows + 8 * STRIDE) * width * (4 + itemsize) * _layers(shape)
    maps = _maps(shape, (rows + 8 * STRIDE) * width, by_place) + 8 * shape.styles * height * width * by_place
    return OVERHEAD + round(batch * (height * width * (_pictures() + deep) + strip)) + maps


def strip_rows(
    shape: TrunkShape, batch: int, height: int, width: int, itemsize: int, memory: int, *, by_place: bool = False
) -> int | None:
    """Return the most rows in a strip, a multiple of 4, that fit; None if none do.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.
        memory: Bytes that may be used.
        by_place: Whether the styles have masks, so that scales and shifts differ by place.

    Example:
        >>> strip_rows(TrunkShape(), 1, 4096, 4096, 4, memory=1 << 20) is None
        True
    """
    least, some = (strip_bytes(shape, batch, height, width, itemsize, rows, by_place=by_place) for rows in (0, STRIDE))
    each = (some - least) or 1
    rows = int((memory - least) // each) * STRIDE
    return min(rows, height + 2 * shape.border) if rows >= STRIDE else None


def _pictures() -> int:
    """Return the bytes for each pixel of the pictures themselves: content, input, result and what is blended."""
    return 4 * 3 * 4


def _maps(shape: TrunkShape, pixels: int, by_place: bool) -> int:
    """Return the bytes of scales and shifts at each place, with the shares that they are made of."""
    return 4 * pixels * (2 * max(shape.channels[0], shape.up[1]) + 2 * shape.styles) * by_place


def _layers(shape: TrunkShape) -> float:
    """Return the values for each pixel of the most that a layer of full size holds at once."""
    first, second, _ = shape.channels
    going_up, last = shape.up
    # The layer's input with its edges, and its output.
    return max(2 * first + second / 2, going_up / 4 + 3 * last)
