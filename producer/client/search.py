"""Search for the best cell: propose a few cells, render and measure them, and so on until enough were tried."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from stylefarm.producer.client.farm import Farm, Sweep
from stylefarm.producer.client.proposals import Trial, propose
from stylefarm.producer.client.pruning import Pruner
from stylefarm.producer.client.voting import wait_for_votes, with_preference
from stylefarm.producer.grids import Grid
from stylefarm.producer.grids.pictures import NAMED, PATHS
from stylefarm.producer.grids.search import Search
from stylefarm.producer.submission.resolver import SpecResolver
from stylefarm.producer.views.metrics import measured, metric_names
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, InvalidSpec, JobFailed


def search(
    farm: Farm,
    grid: Grid,
    watch: Watcher | None = None,
    on_batch: Callable[[Sequence[Status]], None] | None = None,
    on_pruned: Callable[[Status], None] | None = None,
    on_votes: Callable[[str, int], None] | None = None,
) -> Sweep:
    """Run the search of a grid to its end, or go on with it.

    Where people's votes are its metric, it waits for them after each batch.

    Args:
        farm: where it runs.
        grid: a grid with a `search` section.
        watch: called while jobs are rendered, as in `Farm.wait`.
        on_batch: called after each batch with all jobs that were tried.
        on_pruned: called with each job that is cancelled for its loss, where the search has `keep_percent`.
        on_votes: called when votes are waited for, with the id of the sweep and the number of pictures that lack some.

    Returns:
        The sweep, with every cell that was tried.

    Raises:
        InvalidSpec: the grid has no search.
        InvalidImage: a picture cannot be used.
        InvalidSettings: Optuna is not installed.
        JobFailed: every cell that was tried has failed.

    Example:
        sweep = search(farm, read_grid(Path("cats.yaml")))
    """
    wanted = _wanted(grid)
    resolver = SpecResolver(farm.services)
    if wanted.keep_percent is not None:
        watch = _both(watch, Pruner(farm, wanted.keep_percent, on_pruned or (lambda _: None)))
    sweep_id = farm.store.submissions.open_sweep(_key(grid, wanted, resolver), grid.name, grid.max_running)
    while True:
        sweep = farm.find_sweep(sweep_id)
        farm.database.announce(
            f"sweep {sweep_id}", [status.id for status in sweep.statuses() if not status.state.final]
        )
        tried = sweep.wait(watch=watch)
        if tried and all(status.state is not State.DONE for status in tried):
            raise JobFailed(f"nothing of what was tried could be rendered: {tried[0].error or tried[0].state}")
        if wanted.votes is not None:
            wait_for_votes(farm, sweep_id, wanted.votes, partial(on_votes or _ignore, sweep_id))
            tried = tried_cells(sweep, wanted)
            if not all(status.state.final for status in tried):
                continue
        if on_batch is not None and tried:
            on_batch(tried)
        if len(tried) >= wanted.trials:
            return sweep
        count = min(wanted.batch, wanted.trials - len(tried))
        outcomes = [Trial(status.cell, metric_of(status, wanted.metric)) for status in tried]
        cells = propose(grid.matrix, wanted, outcomes, count)
        _submit(farm, grid, resolver, sweep_id, [dict(one.cell) for one in outcomes], cells)


def tried_cells(sweep: Sweep, wanted: Search) -> list[Status]:
    """Return the jobs of a search, with the metric that it is for.

    Args:
        sweep: what `search` returned.
        wanted: the metric.

    Returns:
        The statuses; those that are done have `preference` among their metrics, if votes are the metric.

    Example:
        best(tried_cells(sweep, grid.search), grid.search).cell
    """
    statuses = sweep.statuses()
    return with_preference(sweep.farm, sweep.id, statuses) if wanted.by_votes else statuses


def _ignore(_sweep_id: str, _missing: int) -> None:
    """Tell nobody."""


def _both(watch: Watcher | None, pruner: Pruner) -> Watcher:
    def watching(statuses: Sequence[Status]) -> None:
        pruner(statuses)
        if watch is not None:
            watch(statuses)

    return watching


def best(statuses: Sequence[Status], wanted: Search) -> Status:
    """Return the done job with the best metric; of equals the first.

    Args:
        statuses: jobs of the search.
        wanted: the metric, and its direction.

    Raises:
        JobFailed: no job is done.

    Example:
        print(best(tried_cells(sweep, grid.search), grid.search).id)
    """
    done = [status for status in statuses if metric_of(status, wanted.metric) is not None]
    if not done:
        raise JobFailed("none of the jobs is done: there is no best one")
    sign = 1 if wanted.direction == "minimize" else -1
    return min(done, key=lambda status: sign * (metric_of(status, wanted.metric) or 0.0))


def metric_of(status: Status, metric: str) -> float | None:
    """Return the metric of a done job; None of another one.

    Args:
        status: the job.
        metric: "loss" or the name of a metric.

    Raises:
        InvalidRequest: it was not measured.

    Example:
        print(metric_of(job.status(), "ssim"))
    """
    if status.state is not State.DONE:
        return None
    value = measured(status, metric)
    if value is None:
        known = ", ".join(metric_names([status]))
        raise InvalidRequest(f"job {status.id} has no metric {metric}: it has {known}")
    return value


def _wanted(grid: Grid) -> Search:
    if grid.search is None:
        raise InvalidSpec("there is no search in this sweep: add search: {metric: loss, trials: 40}")
    return grid.search


def _key(grid: Grid, wanted: Search, resolver: SpecResolver) -> str:
    """Return what a search is found again by: all that changes its results, so not how many trials it is to have."""
    # Nor which cells are left early, or how many votes are waited for: searches of earlier releases have no such keys.
    named = {**asdict(wanted), "trials": None, "batch": None}
    del named["keep_percent"], named["votes"]
    base = {name: _content(name, value, resolver) for name, value in grid.base.items()}
    matrix = {axis: _content(axis, _written(values), resolver) for axis, values in grid.matrix.items()}
    return hashlib.sha256(json.dumps(["search", grid.name, named, base, matrix]).encode()).hexdigest()


def _written(values: Any) -> Any:
    return list(values) if isinstance(values, Sequence) else asdict(values)


def _content(name: str, value: Any, resolver: SpecResolver) -> Any:
    """Return a parameter with addresses in the place of pictures, whose files may change, or be named otherwise."""
    if name not in PATHS or name in NAMED:
        return value
    return (
        [_content(name, entry, resolver) for entry in value]
        if isinstance(value, list)
        else resolver.source(value).address
    )


def _submit(
    farm: Farm,
    grid: Grid,
    resolver: SpecResolver,
    sweep_id: str,
    before: Sequence[Mapping[str, Any]],
    cells: Sequence[dict[str, Any]],
) -> None:
    terms = farm.terms(grid.terms)
    jobs = [resolver.resolve(grid.spec(cell), cell, terms) for cell in cells]
    axes = {axis: _seen(axis, [*before, *cells]) for axis in grid.matrix}
    with farm.database.uploaded(resolver):
        # The same search may run in another program, too: then its cells are waited for, and not doubled.
        stored = farm.store.submissions.extend_sweep(sweep_id, axes, jobs, seen=len(before))
    farm.database.announce(f"sweep {sweep_id}", stored.ids)


def _seen(axis: str, cells: Sequence[Mapping[str, Any]]) -> list[Any]:
    values: list[Any] = []
    for cell in cells:
        if cell[axis] not in values:
            values.append(cell[axis])
    numbers = all(isinstance(value, int | float) for value in values)
    return sorted(values) if numbers else values
