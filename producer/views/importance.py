"""How much each axis of a sweep matters for a metric: eta squared of a grid, PED-ANOVA of a search."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stylefarm.producer.views.labels import key_of
from stylefarm.producer.views.metrics import higher_is_better
from stylefarm.producer.views.searched_importance import is_searched, ped_anova

# With fewer values a share of variance says nothing.
FEWEST = 4


@dataclass(frozen=True)
class Importance:
    """What each axis has to do with each metric, 0 to 1, and by which method; None where that cannot be said.

    Example:
        >>> Importance("eta_squared", {"loss": {"seed": 0.0}}).shares["loss"]["seed"]
        0.0
    """

    method: Literal["eta_squared", "ped_anova"]
    shares: Mapping[str, Mapping[str, float | None]]


def importance(axes: Mapping[str, Sequence[Any]], metrics: Mapping[str, Sequence[float | None]]) -> Importance:
    """Return how much each axis of a sweep matters for each metric.

    Args:
        axes: the value of each axis in each cell.
        metrics: the values of each metric by cell; None where it has none.

    Returns:
        Eta squared; of a sweep whose values were drawn, PED-ANOVA if Optuna is installed.

    Example:
        >>> importance({"seed": [1, 1, 2, 2]}, {"loss": [1.0, 1.0, 3.0, 3.0]}).shares
        {'loss': {'seed': 1.0}}
    """
    cells = max(map(len, axes.values()), default=0)
    if any(is_searched(cells, values) for values in axes.values()) and importlib.util.find_spec("optuna"):
        found = {name: ped_anova(axes, values, maximize=higher_is_better(name)) for name, values in metrics.items()}
        return Importance("ped_anova", found)
    groups = {name: [key_of(value) for value in values] for name, values in axes.items()}
    shares = {
        metric: {name: eta_squared(column, values) for name, column in groups.items()}
        for metric, values in metrics.items()
    }
    return Importance("eta_squared", shares)


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
