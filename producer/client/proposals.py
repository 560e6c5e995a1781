"""Optuna's part in a search: from the cells that were tried, and their metrics, to the next cells.

The study is rebuilt from the jobs of the sweep each time, and its sampler from the seed and their number: a search
that was interrupted goes on as if it had not been, and all of its state is in the farm's own tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylefarm.producer.grids.search import Search
from stylefarm.producer.grids.values import NumberRange, Values
from stylefarm.shared.errors import InvalidSettings

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


# With fewer cells there is nothing to compare with.
FIRST_COMPARED = 4


@dataclass(frozen=True)
class Trial:
    """A cell that was rendered, and its metric; None where it failed.

    Example:
        >>> Trial({"style_weight": 100.0}, value=None).cell["style_weight"]
        100.0
    """

    cell: Mapping[str, Any]
    value: float | None


def propose(space: Mapping[str, Values], search: Search, tried: Sequence[Trial], count: int) -> list[dict[str, Any]]:
    """Propose the next cells to try.

    Args:
        space: the values, or the span, of each axis.
        search: the direction and the seed.
        tried: what was tried before.
        count: how many cells to propose.

    Returns:
        A value on each axis, for each cell.

    Raises:
        InvalidSettings: Optuna is not installed.

    Example:
        cells = propose(grid.matrix, grid.search, [Trial({"style_weight": 2.0}, 0.4)], count=4)
    """
    with _needs_optuna():
        study = _study(search, len(tried))
    distributions = {axis: _distribution(values) for axis, values in space.items()}
    for one in tried:
        study.add_trial(_trial(space, distributions, one))
    asked = [study.ask(distributions).params for _ in range(count)]
    return [{axis: _value(space[axis], found[axis]) for axis in space} for found in asked]


def is_worth_going_on(curves: Sequence[Mapping[int, float]], iteration: int, loss: float, keep_percent: float) -> bool:
    """Return whether a loss is among the best that others had at the same iteration, by Optuna's percentile pruner.

    Args:
        curves: the loss by iteration of each cell that was rendered; with fewer than four everything goes on.
        iteration: that of the loss.
        loss: the lower, the better.
        keep_percent: so many percent of the others count as the best.

    Raises:
        InvalidSettings: Optuna is not installed.

    Example:
        >>> curves = [{10: loss} for loss in (1.0, 2.0, 3.0, 4.0)]
        >>> is_worth_going_on(curves, 10, 2.0, keep_percent=50), is_worth_going_on(curves, 10, 3.5, keep_percent=50)
        (True, False)
    """
    with _needs_optuna():
        from optuna.pruners import PercentilePruner
        from optuna.trial import TrialState, create_trial
    study = _study(Search(), len(curves))
    for curve in curves:
        if iteration in curve:
            study.add_trial(create_trial(value=curve[iteration], intermediate_values={iteration: curve[iteration]}))
    now = create_trial(state=TrialState.RUNNING, intermediate_values={iteration: loss})
    pruner = PercentilePruner(keep_percent, n_startup_trials=FIRST_COMPARED, n_warmup_steps=0)
    return not pruner.prune(study, now)


def _study(search: Search, number: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=(search.seed + number) % 2**32)
    return optuna.create_study(direction=search.direction, sampler=sampler)


def _distribution(values: Values) -> BaseDistribution:
    """Numbers of a list go by their place in it, which has an order; other values are choices without one."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, NumberRange):
        if values.whole:
            return IntDistribution(round(values.low), round(values.high), log=values.log)
        return FloatDistribution(values.low, values.high, log=values.log)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(range(len(values)))


def _value(values: Values, found: Any) -> Any:
    return found if isinstance(values, NumberRange) else values[found]


def _trial(space: Mapping[str, Values], distributions: Mapping[str, BaseDistribution], tried: Trial) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    params = {
        axis: tried.cell[axis] if isinstance(values, NumberRange) else list(values).index(tried.cell[axis])
        for axis, values in space.items()
    }
    state = TrialState.FAIL if tried.value is None else TrialState.COMPLETE
    return create_trial(state=state, params=params, distributions=dict(distributions), value=tried.value)


@contextmanager
def _needs_optuna() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"a search needs the package {error.name}: pip install 'stylefarm[search]'") from None
