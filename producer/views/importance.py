"""How much each axis of a grid matters for a metric: eta squared, the share of the variance that it explains."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

# With fewer values a share of variance says nothing.
FEWEST = 4


def eta_squared(groups: Sequence[Hashable], values: Sequence[float | None]) -> float | None:
    """Return the share of the variance of a metric that is between the values of an axis, 0 to 1.

    Args:
        groups: the value of the axis in each cell.
        values: the metric of each cell; None where it has none.

    Returns:
        The share; None where there are too few values, or all are the same.

    Source: R. A. Fisher, Statistical Methods for Research Workers (1925): eta^2 = SS_between / SS_total.

    Example:
        >>> eta_squared(["a", "a", "b", "b"], [1.0, 1.0, 3.0, 3.0])
        1.0
    """
    pairs = [
        (group, value)
        for group, value in zip(groups, values, strict=True)
        if value is not None and math.isfinite(value)
    ]
    if len(pairs) < FEWEST:
        return None
    numbers = np.array([value for _, value in pairs])
    total = float(((numbers - numbers.mean()) ** 2).sum())
    if total <= 1e-12 * float((numbers**2).sum()):
        return None
    places = {group: place for place, group in enumerate(dict.fromkeys(group for group, _ in pairs))}
    at = np.array([places[group] for group, _ in pairs])
    counts = np.bincount(at)
    means = np.bincount(at, numbers) / counts
    between = float((counts * (means - numbers.mean()) ** 2).sum())
    return min(1.0, between / total)
