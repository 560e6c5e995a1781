"""Rows and columns beyond the edge of a picture, or of a strip of one, and sizes that are no multiple of a stride."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.feedforward.trunk_shape import Edge


def edge_indices(start: int, stop: int, length: int, edge: Edge) -> Tensor:
    """Return the position that stands for each of `start` to `stop`, some of them beyond 0 to `length`.

    Args:
        start: The first, which may be negative.
        stop: After the last, which may be beyond the end.
        length: How many there are.
        edge: "reflect" does not repeat the outermost; it goes back and forth where there are too few positions.

    Returns:
        Numbers from 0 to `length` - 1; of "zeros" -1 where nothing stands.

    Example:
        >>> edge_indices(-2, 5, 3, "reflect").tolist(), edge_indices(-2, 5, 3, "replicate").tolist()
        ([2, 1, 0, 1, 2, 1, 0], [0, 0, 0, 1, 2, 2, 2])
        >>> edge_indices(-1, 3, 2, "zeros").tolist()
        [-1, 0, 1, -1]
    """
    places = torch.arange(start, stop)
    if edge == "replicate":
        return places.clamp(0, length - 1)
    if edge == "zeros":
        return torch.where((places < 0) | (places >= length), -1, places)
    period = max(1, 2 * (length - 1))
    places = places.remainder(period)
    return torch.minimum(places, period - places) if length > 1 else torch.zeros_like(places)


def padded(x: Tensor, left: int, right: int, top: int, bottom: int, edge: Edge) -> Tensor:
    """Return pictures with so many more columns and rows.

    Args:
        x: (B, C, H, W).
        left: Columns before the first.
        right: Columns after the last.
        top: Rows before the first.
        bottom: Rows after the last.
        edge: What they hold.

    Example:
        >>> padded(torch.tensor([[[[1.0, 2.0]]]]), 2, 1, 0, 0, "reflect")[0, 0, 0].tolist()
        [1.0, 2.0, 1.0, 2.0, 1.0]
    """
    amounts = (left, right, top, bottom)
    if not any(amounts):
        return x
    if edge == "zeros":
        return functional.pad(x, amounts)
    if edge == "replicate" or (max(amounts[:2]) < x.shape[3] and max(amounts[2:]) < x.shape[2]):
        return functional.pad(x, amounts, edge)
    rows = edge_indices(-top, x.shape[2] + bottom, x.shape[2], edge).to(x.device)
    columns = edge_indices(-left, x.shape[3] + right, x.shape[3], edge).to(x.device)
    return x.index_select(2, rows).index_select(3, columns)


def copied_with_edges(x: Tensor, columns: int, rows: int, edge: Edge, memory_format: torch.memory_format) -> Tensor:
    """Return pictures with so many more columns on both sides, and rows, in a memory format; without autograd.

    It is read and written once, while `padded` may do so three times.

    Args:
        x: (B, C, H, W).
        columns: Columns before the first, and after the last.
        rows: Rows before the first, and after the last.
        edge: What they hold.
        memory_format: The format of the result.

    Example:
        >>> x = torch.rand(1, 2, 4, 5)
        >>> y = copied_with_edges(x, 2, 1, "reflect", torch.channels_last)
        >>> torch.equal(y, padded(x, 2, 2, 1, 1, "reflect"))
        True
    """
    if not columns and not rows:
        return x.contiguous(memory_format=memory_format)
    height, width = x.shape[2:]
    shape = (*x.shape[:2], height + 2 * rows, width + 2 * columns)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format)
    middle = y[:, :, rows : rows + height, columns : columns + width]
    middle.copy_(x)
    for dim, count, length, line in ((2, rows, height, middle), (3, columns, width, y[:, :, :, columns:])):
        sources = edge_indices(-count, length + count, length, edge).tolist()
        whole = y[:, :, :, columns : columns + width] if dim == 2 else y
        for place in (*range(count), *range(count + length, length + 2 * count)):
            target = whole.select(dim, place)
            if sources[place] < 0:
                target.zero_()
            else:
                target.copy_(line.select(dim, sources[place]))
    return y


def padded_to(x: Tensor, multiple: int, least: int = 0) -> Tensor:
    """Return pictures whose sides are multiples of a number, enlarged at the right and at the bottom by reflection.

    Args:
        x: (B, C, H, W).
        multiple: What the sides are multiples of.
        least: The shortest side.

    Example:
        >>> tuple(padded_to(torch.zeros(1, 3, 5, 8), 4).shape)
        (1, 3, 8, 8)
    """
    height, width = (-(-max(side, least) // multiple) * multiple for side in x.shape[2:])
    return padded(x, 0, width - x.shape[3], 0, height - x.shape[2], "reflect")
