"""What stands for jobs in the arguments of the API: jobs, their cells, and collections of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar


class HasId(Protocol):
    """Something that stands for a job.

    Example:
        failed = farm.jobs(sweep=farm.find_sweep("5f0c2b1e"), states="failed")  # a Sweep has an id, and so has a Job
    """

    @property
    def id(self) -> str:
        """The whole id of the job."""
        ...


JobT = TypeVar("JobT", bound=HasId)


def cell_of(job: HasId | str) -> Mapping[str, Any] | None:
    """Return the cell of a sweep that a job was found in; None for a job by itself.

    Args:
        job: a job.

    Example:
        >>> from types import SimpleNamespace
        >>> cell_of(SimpleNamespace(id="9a41c07d")) is None
        True
    """
    return getattr(job, "cell", None)


def distinct(jobs: Iterable[JobT]) -> list[JobT]:
    """Return jobs without those that are named twice; a job in two cells of a sweep is named once in each.

    Args:
        jobs: jobs.

    Example:
        >>> from types import SimpleNamespace
        >>> one, two = (SimpleNamespace(id="9a41c07d", cell={"seed": seed}) for seed in (1, 2))
        >>> len(distinct([one, two, one]))
        2
    """
    return list({(job.id, repr(cell_of(job))): job for job in jobs}.values())


def as_list(value: Any) -> list[Any]:
    """Return values as a list; one value alone need not be in one.

    A text is one value, not its letters, and a mapping is one, not its keys.

    Args:
        value: one value, or several in any collection.

    Example:
        >>> as_list("failed"), as_list(("failed", "done"))
        (['failed'], ['failed', 'done'])
    """
    alone = isinstance(value, str | Mapping) or not isinstance(value, Iterable)
    return [value] if alone else list(value)
