"""What is submitted to a farm over HTTP, as documents in which pictures are named by their hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stylefarm.producer.backends.protocol import JobSubmission, SweepSubmission
from stylefarm.producer.backends.remote.uploads import Uploads, map_pictures
from stylefarm.producer.grids import Grid
from stylefarm.producer.grids.pictures import NAMED, PATHS
from stylefarm.producer.grids.values import NumberRange
from stylefarm.producer.submission.resolve_grid import all_problems
from stylefarm.producer.submission.resolver import pictures_of
from stylefarm.shared.errors import FarmError, InvalidRequest
from stylefarm.shared.files.paths import is_there, located
from stylefarm.shared.spec.spec import BLOB
from stylefarm.shared.spec.terms import Terms

Address = Callable[[str], str]


def job_document(submission: JobSubmission, uploads: Uploads) -> dict[str, Any]:
    """Return the body of `POST /jobs`; its pictures are read.

    Args:
        submission: what is submitted.
        uploads: those of this submission.

    Raises:
        InvalidImage: a picture cannot be used.
        InvalidRequest: weights or a model are files of this machine.
        NotFound: a picture is not there.
    """
    for error in uploads.survey(pictures_of(submission.spec)).values():
        raise error
    fields = submission.spec.model_dump(mode="json", exclude_unset=True)
    marks = {name: value for name, value in submission.marks._asdict().items() if value}
    job = {**_addressed(fields, uploads.address), **terms_document(submission.terms), **marks}
    return {"job": job, "force": submission.force}


def sweep_document(submission: SweepSubmission, uploads: Uploads) -> tuple[dict[str, Any], int, Sequence[str]]:
    """Return the body of `POST /sweeps`, how many cells are left out, and why; its pictures are read.

    Args:
        submission: what is submitted.
        uploads: those of this submission.

    Raises:
        InvalidImage: pictures cannot be used, and their cells are not to be left out, or none is left.
        InvalidRequest: weights or a model are files of this machine.
        InvalidSpec: a cell contradicts itself.
        NotFound: a picture is not there.
    """
    grid = submission.grid
    specs = [spec for _, spec in grid.cells()]
    bad = uploads.survey(name for spec in specs for name in pictures_of(spec))
    lost = sum(any(name in bad for name in pictures_of(spec)) for spec in specs) if bad else 0
    if bad and (not submission.skip_bad or lost == len(specs)):
        raise all_problems(list(bad.values()), none_left=submission.skip_bad)
    _check_included(grid, bad)
    terms = {name: value for name, value in terms_document(submission.terms).items() if name in submission.given}
    limit = {} if submission.max_running is None else {"max_running": submission.max_running}
    document = {**_grid_document(grid, _without(grid, bad), uploads.address), **terms, **limit}
    body = {
        "sweep": document,
        "parent": submission.parent,
        "tags": list(submission.marks.tags),
        "note": submission.marks.note,
        "force": submission.force,
        "skip_bad": submission.skip_bad,
    }
    return body, lost, (*grid.notes, *map(str, bad.values()))


def terms_document(terms: Terms) -> dict[str, Any]:
    """Return the terms that were given, as JSON values.

    Args:
        terms: how jobs are to be done.

    Example:
        >>> terms_document(Terms(priority=8))
        {'priority': 8}
    """
    found = terms.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in found.items() if name != "after" or value}


def _grid_document(grid: Grid, exclude: Sequence[Mapping[str, Any]], address: Address) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": grid.name,
        "base": _addressed(grid.base, address),
        "matrix": _addressed(grid.matrix, address),
        "zip": [_addressed(group, address) for group in grid.zip],
        "include": [_addressed(entry, address) for entry in grid.include],
        "exclude": [_addressed(entry, address) for entry in exclude],
        "sample": None if grid.sample is None else asdict(grid.sample),
    }
    return {name: value for name, value in document.items() if value}


def _without(grid: Grid, bad: Mapping[str, FarmError]) -> list[Mapping[str, Any]]:
    """Return what the grid excludes, and the values that name pictures that cannot be used."""
    entries = list(grid.exclude)
    for group in (grid.matrix, *grid.zip):
        for axis, values in group.items():
            unusable = [] if isinstance(values, NumberRange) else [one for one in values if _names(axis, one, bad)]
            if unusable:
                entries.append({axis: unusable})
    return entries


def _check_included(grid: Grid, bad: Mapping[str, FarmError]) -> None:
    for number, entry in enumerate(grid.include):
        for name, value in entry.items():
            if _names(name, value, bad):
                raise InvalidRequest(
                    f"include {number + 1} names a picture that cannot be used, and over HTTP its cells cannot be left"
                    f" out: take it out ({next(iter(bad.values()))})"
                )


def _names(parameter: str, value: Any, bad: Mapping[str, FarmError]) -> bool:
    return parameter in PATHS and parameter not in NAMED and any(name in bad for name in _leaves(value))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, str):
        yield value


def _addressed(fields: Mapping[str, Any], address: Address) -> dict[str, Any]:
    """Return parameters, or axes with their values, as JSON values with addresses in the place of pictures."""
    return {name: _value(name, value, address) for name, value in fields.items()}


def _value(name: str, value: Any, address: Address) -> Any:
    if isinstance(value, NumberRange):
        return {"loguniform" if value.log else "uniform": [value.low, value.high]}
    if name in NAMED:
        return map_pictures(value, lambda one: _named(name, one))
    if name in PATHS:
        return map_pictures(value, address)
    return list(value) if isinstance(value, range | tuple) else value


def _named(parameter: str, name: str) -> str:
    """Return a name in the farm. Raises InvalidRequest for a file of this machine."""
    if not name.startswith(BLOB) and ("/" in name or is_there(located(name))):
        raise InvalidRequest(
            f"{parameter} = {name!r:.80} is a file of this machine, and over HTTP only what the farm has is named:"
            f" import it there, with `stylefarm {parameter} import`"
        )
    return name
