"""How much memory a trunk takes, whole and in strips."""

from __future__ import annotations

from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE, TrunkShape
from stylefarm.worker.engine.networks.memory_plan import OVERHEAD


def whole_bytes(shape: TrunkShape, batch: int, height: int, width: int, itemsize: int) -> int:
    """Return the peak, in bytes, of rendering pictures whole.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.

    Example:
        >>> whole_bytes(TrunkShape(), 1, 512, 512, 4) >> 20
        174
    """
    pixels = batch * (height + 2 * shape.border) * (width + 2 * shape.border)
    return OVERHEAD + pixels * (_pictures() + round(itemsize * _layers(shape)))


def strip_bytes(shape: TrunkShape, batch: int, height: int, width: int, itemsize: int, rows: int) -> int:
    """Return the peak, in bytes, of rendering pictures so many rows at a time.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.
        rows: Rows of the picture in a strip.

    Example:
        >>> strip_bytes(TrunkShape(), 1, 4096, 4096, 4, 64) < whole_bytes(TrunkShape(), 1, 4096, 4096, 4) // 2
        True
    """
    height, width = height + 2 * shape.border, width + 2 * shape.border
    deep = 3 * shape.channels[2] / STRIDE**2 * itemsize
    # Strips overlap by what the kernels reach, and are summed in float32.
    strip = (rows + 8 * STRIDE) * width * (4 + itemsize) * _layers(shape)
    return OVERHEAD + round(batch * (height * width * (_pictures() + deep) + strip))


def strip_rows(shape: TrunkShape, batch: int, height: int, width: int, itemsize: int, memory: int) -> int | None:
    """Return the most rows in a strip, a multiple of 4, that fit; None if none do.

    Args:
        shape: What the network is built from.
        batch: Pictures at a time.
        height: Rows of a picture, in pixels.
        width: Columns of it.
        itemsize: Bytes of a value.
        memory: Bytes that may be used.

    Example:
        >>> strip_rows(TrunkShape(), 1, 4096, 4096, 4, memory=1 << 20) is None
        True
    """
    least = strip_bytes(shape, batch, height, width, itemsize, 0)
    each = (strip_bytes(shape, batch, height, width, itemsize, STRIDE) - least) or 1
    rows = int((memory - least) // each) * STRIDE
    return min(rows, height + 2 * shape.border) if rows >= STRIDE else None


def _pictures() -> int:
    """Return the bytes for each pixel of the pictures themselves: content, input, result and what is blended."""
    return 4 * 3 * 4


def _layers(shape: TrunkShape) -> float:
    """Return the values for each pixel of the most that a layer of full size holds at once."""
    first, second, _ = shape.channels
    going_up, last = shape.up
    # The layer's input with its edges, and its output.
    return max(2 * first + second / 2, going_up / 4 + 3 * last)
