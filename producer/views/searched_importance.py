"""How much each axis of a search matters for a metric: PED-ANOVA, by Optuna.

The values of a search are drawn, so that hardly two cells share one: there are no groups whose means could be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stylefarm.producer.views.labels import key_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# With fewer cells the best of them say nothing.
FEWEST = 8
# The best quarter is compared with all: of the few dozen cells of a search, Optuna's own tenth would be two or three.
BEST = 0.25


def is_searched(cells: int, values: Sequence[Any]) -> bool:
    """Return whether the values of an axis were drawn: numbers, of which more than half of the cells have their own.

    Args:
        cells: how many cells there are.
        values: that of the axis in each of them; None where it has none.

    Example:
        >>> is_searched(8, [0.1, 0.7, 0.3, 0.9, 0.2, 0.4, 0.6, 0.8]), is_searched(8, [1, 2, 1, 2, 1, 2, 1, 2])
        (True, False)
    """
    given = [value for value in values if value is not None]
    return cells >= FEWEST and all(map(_is_number, given)) and 2 * len(set(given)) > cells


def ped_anova(
    axes: Mapping[str, Sequence[Any]], values: Sequence[float | None], *, maximize: bool
) -> dict[str, float | None]:
    """Return how much each axis has to do with whether a cell is among the best quarter.

    Numbers go by their rank, not by their value as in the paper: the farm does not know on which scale they were drawn.

    Args:
        axes: the value of each axis in each cell.
        values: the metric of each cell; None where it has none.
        maximize: whether the highest values are the best.

    Returns:
        The shares, which add up to 1; None for all where there are too few values, or all are the same.

    Raises:
        ImportError: Optuna is not installed.

    Source: S. Watanabe, A. Bansal and F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
    Arbitrary Subspaces" (2023).

    Example:
        ped_anova({"style_weight": [1.0, 2.0, 5.0, 9.0] * 3}, losses, maximize=False)
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = [row for row, value in enumerate(values) if value is not None and math.isfinite(value)]
    if len(rows) < FEWEST or len({values[row] for row in rows}) == 1:
        return dict.fromkeys(axes)
    if not any(len(set(map(key_of, column))) > 1 for column in axes.values()):
        return dict.fromkeys(axes, 0.0)
    columns = {name: [column[row] for row in rows] for name, column in axes.items()}
    placed = {name: _placed(column) for name, column in columns.items() if len(set(map(key_of, column))) > 1}
    distributions = {name: distribution for name, (_, distribution) in placed.items()}
    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    for at, row in enumerate(rows):
        params = {name: column[at] for name, (column, _) in placed.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=values[row]))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: found.get(name, 0.0) for name in axes}


def _placed(column: Sequence[Any]) -> tuple[list[float], BaseDistribution]:
    """Return the values of an axis as Optuna takes them, and among which they are: ranks of numbers, or choices."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    keys = [key_of(value) for value in column]
    if all(map(_is_number, column)):
        order = {value: place for place, value in enumerate(sorted(set(column)))}
        return [order[value] / (len(order) - 1) for value in column], FloatDistribution(0.0, 1.0)
    choices = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return [choices[key] for key in keys], CategoricalDistribution(range(len(choices)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
