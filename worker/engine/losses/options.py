"""Parameters of style losses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StyleOptions:
    """Parameters that some of the style losses have.

    Args:
        offset: Constant c of the polynomial kernel (x.y + c)^2, at least 0.
        projections: Number of random directions of the sliced Wasserstein distance.

    Example:
        >>> StyleOptions().projections
        128
    """

    offset: float = 1.0
    projections: int = 128
