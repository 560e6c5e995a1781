"""What a sweep would ask of the farm, before it is submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from stylefarm.producer.backends.embedded import estimate
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.grids import Grid
from stylefarm.producer.submission.resolve_grid import resolve_grid
from stylefarm.producer.submission.resolver import SpecResolver
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.spec.models import JOB
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.text import counted


@dataclass(frozen=True)
class Forecast:
    """How many cells a sweep has, how many of them are still to be rendered, and how long that takes.

    `machine_hours` is what one worker alone would take.
    `known` pictures are rendered or submitted already, `new` ones are not; `hours` is for all new ones on `workers`,
    None where it is unknown, and `basis` says what it was computed from, or what is missing.

    Example:
        found = forecast(farm, grid)
        print(f"{found.new} of {found.cells} cells: {found.hours} hours on {found.workers} workers ({found.basis})")
    """

    cells: int
    axes: Mapping[str, Sequence[Any]]
    skipped: int
    known: int
    new: int
    hours: float | None
    machine_hours: float | None
    workers: int
    basis: str
    notes: Sequence[str]


def forecast(farm: Farm, grid: Grid, *, skip_bad: bool = False) -> Forecast:
    """Resolve a grid as `Farm.sweep` does, and store nothing.

    Args:
        farm: where it would run.
        grid: the cells.
        skip_bad: leave out cells whose pictures cannot be used.

    Returns:
        The forecast.

    Raises:
        InvalidSpec: as `Farm.sweep`; so are InvalidImage, InvalidRequest and NotFound.
        OutOfMemory: a picture cannot fit into this machine's memory, in an embedded farm.

    Example:
        found = forecast(farm, read_grid(Path("cats.yaml")))
        print(found.new, "pictures,", found.hours, "hours")
    """
    resolver = SpecResolver(farm.services)
    resolved = resolve_grid(resolver, grid, farm.terms(grid.terms), skip_bad=skip_bad)
    by_key = {job.key: job for job in resolved.jobs}
    known = farm.services.queries.known_keys(list(by_key))
    new = [job for key, job in by_key.items() if key not in known]
    workers = _workers(farm)
    seconds, basis = _seconds(farm, resolver, new)
    return Forecast(
        cells=len(resolved.jobs) + resolved.skipped,
        axes=grid.axes,
        skipped=resolved.skipped,
        known=len(known),
        new=len(new),
        hours=None if seconds is None else seconds / 3600 / max(1, workers),
        machine_hours=None if seconds is None else seconds / 3600,
        workers=workers,
        basis=basis,
        notes=[
            *resolved.problems,
            *filter(None, [resolved.folded]),
            *dict.fromkeys(note for job in resolved.jobs for note in job.notes),
        ],
    )


def _workers(farm: Farm) -> int:
    """Return how many workers take jobs now; an embedded farm is one itself."""
    if farm.settings.embedded:
        return 1
    return sum(listed.state == WorkerState.ACTIVE for listed in farm.services.workers.listed())


def _seconds(farm: Farm, resolver: SpecResolver, new: Sequence[NewJob]) -> tuple[float | None, str]:
    """Return what all of the jobs take one after the other, and where that was taken from."""
    steps: Counter[tuple[str, int]] = Counter()
    examples: dict[tuple[str, int], JobSpec] = {}
    for job in new:
        kind = (job.spec.method, job.spec.sizes[-1])
        steps[kind] += job.spec.total_iterations
        examples.setdefault(kind, job.spec)
    total, done, timed = 0.0, 0, 0
    for (method, size), count in steps.items():
        paces = farm.services.queries.seconds_per_iteration(method, size)
        done += len(paces)
        if paces:
            total += count * median(paces)
        elif (examples[method, size].model or "").startswith(JOB):
            return None, "unknown: the model is still being trained"
        elif farm.settings.embedded:
            spec = examples[method, size]
            total += count * estimate(spec, resolver.picture, farm.settings).seconds / spec.total_iterations
            timed += 1
        else:
            return None, f"unknown: no job of size {size} is done yet in this farm"
    parts = [f"the median of {counted(done, 'done job')} of the same size"] if done else []
    parts += [f"a few iterations timed here for {counted(timed, 'size')}"] if timed else []
    return total, " and ".join(parts) or "nothing is left to render"
