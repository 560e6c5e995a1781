"""What a sweep would ask of the farm, before it is submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from stylefarm.producer.backends.connection import DatabaseConnection
from stylefarm.producer.backends.embedded import estimate
from stylefarm.producer.backends.protocol import Forecast, SweepSubmission
from stylefarm.producer.submission.resolve_grid import resolve_grid
from stylefarm.producer.submission.resolver import SpecResolver
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.services import Services
from stylefarm.shared.spec.models import JOB
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.text import counted


def forecast(connection: DatabaseConnection, submission: SweepSubmission) -> Forecast:
    """Resolve a grid as a submission does, and store nothing.

    Args:
        connection: to the farm where it would run.
        submission: the sweep.

    Returns:
        The forecast.

    Raises:
        InvalidSpec: as `Farm.sweep`; so are InvalidImage, InvalidRequest and NotFound.
        OutOfMemory: a picture cannot fit into this machine's memory, in an embedded farm.

    Example:
        found = forecast(connection, SweepSubmission(grid, DEFAULT_TERMS, {}))
        print(found.new, "pictures,", found.hours, "hours")
    """
    grid, services = submission.grid, connection.services
    resolver = SpecResolver(services)
    resolved = resolve_grid(resolver, grid, submission.terms, skip_bad=submission.skip_bad)
    by_key = {job.key: job for job in resolved.jobs}
    known = services.queries.known_keys(list(by_key))
    new = [job for key, job in by_key.items() if key not in known]
    workers = _workers(services)
    seconds, basis = _seconds(services, resolver, new)
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


def _workers(services: Services) -> int:
    """Return how many workers take jobs now; an embedded farm is one itself."""
    if services.settings.embedded:
        return 1
    return sum(listed.state == WorkerState.ACTIVE for listed in services.workers.listed())


def _seconds(services: Services, resolver: SpecResolver, new: Sequence[NewJob]) -> tuple[float | None, str]:
    """Return what all of the jobs take one after the other, and where that was taken from."""
    steps: Counter[tuple[str, int]] = Counter()
    examples: dict[tuple[str, int], JobSpec] = {}
    for job in new:
        kind = (job.spec.method, job.spec.sizes[-1])
        steps[kind] += job.spec.total_iterations
        examples.setdefault(kind, job.spec)
    total, done, timed = 0.0, 0, 0
    for (method, size), count in steps.items():
        paces = services.queries.seconds_per_iteration(method, size)
        done += len(paces)
        if paces:
            total += count * median(paces)
        elif (examples[method, size].model or "").startswith(JOB):
            return None, "unknown: the model is still being trained"
        elif services.settings.embedded:
            spec = examples[method, size]
            total += count * estimate(spec, resolver.picture, services.settings).seconds / spec.total_iterations
            timed += 1
        else:
            return None, f"unknown: no job of size {size} is done yet in this farm"
    parts = [f"the median of {counted(done, 'done job')} of the same size"] if done else []
    parts += [f"a few iterations timed here for {counted(timed, 'size')}"] if timed else []
    return total, " and ".join(parts) or "nothing is left to render"
