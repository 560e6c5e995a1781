"""The jobs of a grid's cells, with everything that is wrong with their pictures reported at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stylefarm.producer.grids import Grid
from stylefarm.producer.submission.resolver import SpecResolver, pictures_of
from stylefarm.producer.terminal.progress import counting
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.errors import FarmError, InvalidImage
from stylefarm.shared.spec.canonical import without_effect
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.text import counted


@dataclass(frozen=True)
class ResolvedGrid:
    """The jobs of the cells that can be rendered, in order, how many cells are left out, and why, a sentence each.

    The sentences begin with the notes of the grid.

    `folded` says of how many cells the picture is that of another cell, and why; it is empty where there are none.

    Example:
        resolved = resolve_grid(SpecResolver(farm.services), grid, Terms(), skip_bad=True)
        print(len(resolved.jobs), "jobs;", resolved.skipped, "cells left out:", *resolved.problems)
    """

    jobs: list[NewJob]
    skipped: int = 0
    problems: tuple[str, ...] = ()
    folded: str = ""


def resolve_grid(resolver: SpecResolver, grid: Grid, terms: Terms, *, skip_bad: bool = False) -> ResolvedGrid:
    """Resolve every cell of a grid. Every picture is read before any is judged.

    Args:
        resolver: that of the submission.
        grid: the cells.
        terms: how all jobs are to be done.
        skip_bad: leave out cells whose pictures cannot be used.

    Returns:
        The jobs.

    Raises:
        InvalidImage: pictures cannot be used (and no `skip_bad`), or no cell is left; all of them are named.
        InvalidSpec: a cell contradicts itself.
        InvalidRequest: weights cannot be used.
        NotFound: a picture is not there.
        ServiceUnavailable: a service does not answer.

    Example:
        resolved = resolve_grid(SpecResolver(farm.services), grid, Terms(), skip_bad=True)
    """
    cells = list(grid.cells())
    unread = resolver.survey(spec for _, spec in cells)
    problems: dict[str, FarmError] = {str(error): error for error in unread.values()}
    jobs: list[NewJob] = []
    with counting("cells", len(cells)) as advance:
        for cell, spec in cells:
            advance()
            if unread and any(name in unread for name in pictures_of(spec)):
                continue
            try:
                jobs.append(resolver.resolve(spec, cell, terms))
            except InvalidImage as error:
                problems.setdefault(str(error), error)
    if problems and not (skip_bad and jobs):
        raise all_problems(list(problems.values()), none_left=skip_bad)
    return ResolvedGrid(jobs, len(cells) - len(jobs), (*grid.notes, *problems), _folded(jobs))


def _folded(jobs: Sequence[NewJob]) -> str:
    """Return the sentence on cells that are rendered once for several."""
    jobs_of: dict[str, list[NewJob]] = defaultdict(list)
    for job in jobs:
        jobs_of[job.key].append(job)
    repeated = [alike for alike in jobs_of.values() if len(alike) > 1]
    if not repeated:
        return ""
    count = sum(len(alike) - 1 for alike in repeated)
    axes = dict.fromkeys(axis for alike in repeated for axis in _axes_in_vain(alike))
    why = f"{', '.join(axes)} {'have' if len(axes) > 1 else 'has'} no effect here: " if axes else ""
    return f"{why}{count:,} of {len(jobs):,} cells have the picture of another cell, and are rendered with it"


def _axes_in_vain(alike: Sequence[NewJob]) -> Iterator[str]:
    """Yield the axes on which jobs of one picture differ, and which change nothing in it."""
    cells = [job.cell or {} for job in alike]
    in_vain = without_effect(alike[0].spec)
    for axis, value in cells[0].items():
        if axis in in_vain and any(cell.get(axis) != value for cell in cells):
            yield axis


def all_problems(problems: Sequence[FarmError], *, none_left: bool) -> FarmError:
    """Return the error that tells all that is wrong with the pictures of a grid.

    Args:
        problems: what is wrong with each of them.
        none_left: whether cells were to be left out for it, and no cell is left.

    Example:
        >>> str(all_problems([InvalidImage("a.png is empty")], none_left=False))
        'a.png is empty'
    """
    if len(problems) == 1 and not none_left:
        return problems[0]
    sentences = "; ".join(map(str, problems))
    if none_left:
        return InvalidImage(f"no cell is left without a picture that cannot be used: {sentences}")
    return InvalidImage(
        f"{counted(len(problems), 'picture')} cannot be used: {sentences}; correct them, or leave out the cells that"
        " need them with skip_bad=True",
        flag="skip_bad",
    )
