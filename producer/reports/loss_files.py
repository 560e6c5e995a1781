"""Loss plots as files: PNG, SVG or HTML, by the suffix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylefarm.producer.charts.html import loss_page
from stylefarm.producer.charts.losses import LossCurve, loss_plot
from stylefarm.producer.client.farm import Job, Sweep
from stylefarm.producer.reports.overview import loss_curve, sweep_curves
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.selection import select
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import check_writable, write_atomically

SUFFIXES = (".html", ".png", ".svg")


def write_losses(
    of: Job | Sweep,
    path: str | Path,
    *,
    where: Mapping[str, Sequence[Any]] | None = None,
    log: bool = True,
    overlay: bool | None = None,
    force: bool = False,
) -> Path:
    """Write the loss curves of a job, by term, or of the jobs of a sweep, as far as they have come.

    Args:
        of: a job or a sweep.
        path: a file that ends in .png, .svg or .html.
        where: the values that are wanted of some axes of a sweep.
        log: a logarithmic scale; on the HTML page it can be changed.
        overlay: the totals of all jobs in one panel; without it, PNG and SVG of up to six jobs have a panel for each.
        force: overwrite the file if it exists.

    Returns:
        The path.

    Raises:
        InvalidRequest: there is no such axis or value, the file cannot be written, or Plotly is missing for HTML.
        StorageFull: the disk is full; nothing half-written is left.

    Example:
        write_losses(job, "losses.png")
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(f"{path} ends in no format of a plot: give one of {', '.join(SUFFIXES)}")
    check_writable(path, force=force)
    curves, title = _curves(of, where)
    with working("drawing the curves"):
        if suffix == ".html":
            data = loss_page(curves, title=title, log=log)
        else:
            data = loss_plot(curves, title=title, kind="svg" if suffix == ".svg" else "png", log=log, overlay=overlay)
    write_atomically(path, data, force=force)
    return path


def _curves(of: Job | Sweep, where: Mapping[str, Sequence[Any]] | None) -> tuple[dict[str, LossCurve], str]:
    if isinstance(of, Job):
        return {"": loss_curve(of)}, of.status().title
    return sweep_curves(of, select(of.axes, of.statuses(), where=where).statuses), of.name
