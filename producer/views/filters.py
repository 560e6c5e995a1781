"""Which jobs have the parameter values that a user asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stylefarm.producer.views.labels import PICTURES
from stylefarm.producer.views.selection import is_called
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.text import nearest

_WORDS = {"true": True, "false": False}


def job_filter(where: Mapping[str, Sequence[Any]]) -> Callable[[JobRow], bool] | None:
    """Return a predicate that is true of jobs with one of the wanted values of each parameter.

    Both the value in the cell of its sweep and the one in its spec count.

    Args:
        where: the values that are wanted of each parameter.

    Returns:
        The predicate; None where every job fits.

    Raises:
        InvalidRequest: there is no such parameter.

    Example:
        fits = job_filter({"style_weight": [10], "content": ["cat"]})
    """
    if not where:
        return None
    # Imported here, since JobSpec takes a while to import, and most lists are not filtered by a parameter.
    from stylefarm.shared.spec.spec import ADDED, JobSpec

    for name in where:
        if name not in JobSpec.model_fields:
            raise InvalidRequest(f"no parameter {name!r}{nearest(name, JobSpec.model_fields)}")

    def fits(job: JobRow) -> bool:
        return all(
            any(is_called(name, value, _read(wanted)) for value in _values(job, name, ADDED) for wanted in values)
            for name, values in where.items()
        )

    return fits


def _read(wanted: Any) -> Any:
    return _WORDS.get(wanted, wanted) if isinstance(wanted, str) else wanted


def _values(job: JobRow, name: str, added: Mapping[str, object]) -> Iterator[Any]:
    if name in job.cell:
        yield job.cell[name]
    if name in PICTURES:
        # A stored spec names pictures by their hashes.
        yield getattr(job, f"{name}_name")
    elif name in job.spec:
        yield job.spec[name]
    elif name in added:
        yield added[name]
