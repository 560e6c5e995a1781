"""A sweep at a glance: its contact sheet and its loss plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from stylefarm.producer.charts.losses import LossCurve, loss_plot
from stylefarm.producer.client.farm import Job, Sweep
from stylefarm.producer.sheets.raster import Drawing, pages
from stylefarm.producer.terminal.progress import counting
from stylefarm.producer.theme import SERIES
from stylefarm.producer.views.labels import PICTURES, job_labels, pictures_and_cell, varying_labels
from stylefarm.producer.views.losses import Losses
from stylefarm.producer.views.selection import Side, select
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest


def sweep_sheet(
    sweep: Sweep,
    rows: Side = None,
    columns: Side = None,
    *,
    where: Mapping[str, Sequence[Any]] | None = None,
    metric: str = "loss",
    cell: int = 256,
) -> Image.Image:
    """Draw the contact sheet of a sweep; `write_sheet` makes files of it.

    Args:
        sweep: what is shown.
        rows: an axis, or two, the second within the first: "content,style_weight". By default content, or else what
            there is; and a third axis within the side that has fewer values.
        columns: likewise; by default style, or else what there is.
        where: the values that are wanted of axes; one of each that is on neither side.
        metric: the number under each cell.
        cell: pixels across a cell.

    Returns:
        The sheet, RGB.

    Raises:
        InvalidRequest: there is no such axis, value or metric, or more than one page is left.

    Example:
        sweep_sheet(sweep, where={"seed": [1]}).save("sheet.png")
    """
    selection = select(sweep.axes, sweep.statuses(), rows, columns, where)
    found = list(selection.pages())
    if len(found) != 1:
        several = [axis.name for axis in selection.others if len(axis.values) > 1]
        raise InvalidRequest(
            f"a sheet shows the axes of its sides, and the sweep also has {', '.join(several)}: choose by where"
            if found
            else "no job of the sweep has these values: give fewer of them"
        )
    ((_, image),) = pages(sweep, selection, Drawing(metric, cell))
    return image


def sweep_losses(sweep: Sweep) -> bytes:
    """Return a PNG of the loss curves of a sweep's jobs.

    Args:
        sweep: whose jobs are drawn; of more than six the totals alone.

    Example:
        Path("losses.png").write_bytes(sweep_losses(sweep))
    """
    return loss_plot(sweep_curves(sweep, sweep.statuses()), title=sweep.name)


def sweep_curves(sweep: Sweep, statuses: Sequence[Status]) -> dict[str, LossCurve]:
    """Return the loss curves of these jobs of a sweep, by a unique name of each.

    Args:
        sweep: which one.
        statuses: some of its jobs.

    Example:
        curves = sweep_curves(sweep, sweep.statuses(limit=6))
    """
    wanted = {status.id for status in statuses}
    curves = {job_id: _curve(losses) for job_id, losses in sweep_points(sweep) if job_id in wanted}
    names = zip(curve_labels(statuses), _groups(statuses), statuses, strict=True)
    return {name: replace(curves.get(one.id, LossCurve((), {})), group=group) for name, group, one in names}


def _groups(statuses: Sequence[Status]) -> list[str]:
    """Return the value of each job on the axis that is told by colors; of many axes, one of few values, no picture."""
    labels = varying_labels([pictures_and_cell(status) for status in statuses])
    values = {axis: {own.get(axis) for own in labels} for axis in dict.fromkeys(axis for own in labels for axis in own)}
    few = [axis for axis, found in values.items() if len(found) <= len(SERIES)]
    if len(statuses) <= len(SERIES) or not few:
        return [""] * len(statuses)
    axis = min(few, key=lambda axis: (axis in PICTURES, len(values[axis])))
    return [f"{axis} {own.get(axis, 'none')}" for own in labels]


def sweep_points(sweep: Sweep) -> Iterator[tuple[str, Losses]]:
    """Yield the loss curve of each of a sweep's jobs that has one, with a progress bar.

    Args:
        sweep: whose jobs.

    Yields:
        The id of a job, and its curve.

    Example:
        for job_id, losses in sweep_points(sweep):
            print(job_id, losses.total[-1])
    """
    with counting("loss curves", sum(sweep.counts().values())) as advance:
        for job_id, losses in sweep.farm.backend.sweep_losses(sweep.id):
            yield job_id, losses
            advance()


def curve_labels(statuses: Sequence[Status]) -> list[str]:
    """Return a unique name for each job: what varies among them, a number where nothing does.

    Args:
        statuses: the jobs.

    Returns:
        The names, in the order of the jobs.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="done", content_name="cat.jpg", style_name="waves.jpg", cell={"seed": 1})
        >>> row.request = JobRequestRow(spec={}, notes=[])
        >>> curve_labels([Status.of(row), Status.of(row)])
        ['cat x waves', 'cat x waves (2)']
    """
    labels: dict[str, None] = {}  # a set that keeps the order
    for plain in job_labels(statuses):
        label, number = plain, 1
        while label in labels:  # a job that is in several cells
            number += 1
            label = f"{plain} ({number})"
        labels[label] = None
    return list(labels)


def loss_curve(job: Job) -> LossCurve:
    """Return the loss curve of one job, as far as it has come.

    Args:
        job: which one.

    Example:
        Path("losses.png").write_bytes(loss_plot({"cat": loss_curve(job)}))
    """
    return _curve(job.losses())


def _curve(losses: Losses) -> LossCurve:
    return LossCurve(losses.iteration.tolist(), {name: values.tolist() for name, values in losses.terms.items()})
