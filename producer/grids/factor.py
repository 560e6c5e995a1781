"""Axes of a grid that turn together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from stylefarm.producer.grids.values import NumberRange, Values


class Factor(NamedTuple):
    """Axes that turn together: one of the matrix, or a group of `zip`.

    Example:
        >>> factor = Factor(("size", "iterations"), ((256, 512), (100, 200)))
        >>> factor.length, dict(factor.at(1))
        (2, {'size': 512, 'iterations': 200})
    """

    axes: tuple[str, ...]
    columns: tuple[Values, ...]

    @property
    def length(self) -> int | None:
        """How many values it has; None of a span."""
        return None if isinstance(self.columns[0], NumberRange) else len(self.columns[0])

    def at(self, place: Any) -> Iterator[tuple[str, Any]]:
        """Yield each axis with its value at a place.

        Args:
            place: an index; of a span, a share in [0, 1) of the way through it.
        """
        for axis, column in zip(self.axes, self.columns, strict=True):
            yield axis, column.at(place) if isinstance(column, NumberRange) else column[place]
