"""A sweep at a glance: its contact sheet and its loss plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from producer.farm import Job, Sweep
from producer.plot import LossCurve, loss_plot
from producer.sheet import Cell, Head, contact_sheet
from producer.status import Status
from shared.errors import InvalidRequest
from shared.images import decode
from shared.spec import BLOB
from shared.states import State

PICTURES = ("content", "style")


def sweep_sheet(sweep: Sweep, rows: str = "content", columns: str = "style", *, cell: int = 256) -> Image.Image:
    """The contact sheet of a sweep over two of its axes; the pictures of finished jobs, and the state of the others.

    Raises InvalidRequest if an axis is not one of the sweep's, or if the sweep has more axes than these two.
    """
    for axis in (rows, columns):
        if axis not in sweep.axes:
            raise InvalidRequest(f"the sweep has no axis {axis}: it has {', '.join(sweep.axes)}")
    others = set(sweep.axes) - {rows, columns}
    if others:
        raise InvalidRequest(f"a sheet shows two axes, and the sweep also has {', '.join(sorted(others))}")
    statuses = sweep.statuses()
    cells = {
        (sweep.axes[rows].index(s.cell[rows]), sweep.axes[columns].index(s.cell[columns])): _cell(sweep, s)
        for s in statuses
    }
    left, above = (_heads(sweep, axis, statuses) for axis in (rows, columns))
    return contact_sheet(left, above, cells, corner=f"{rows} / {columns}", title=sweep.name, cell=cell)


def sweep_losses(sweep: Sweep) -> bytes:
    """The loss curves of a sweep's jobs, as a PNG."""
    statuses = sweep.statuses()
    curves = (loss_curve(Job(sweep.farm, status.id)) for status in statuses)
    return loss_plot(dict(zip(curve_labels(statuses), curves, strict=True)), title=sweep.name)


def curve_labels(statuses: Sequence[Status]) -> list[str]:
    """A name for each job that no other of them has: its pictures, its other axes, a number if need be."""
    labels: dict[str, None] = {}  # a set that keeps the order
    for status in statuses:
        others = (f", {axis} = {value}" for axis, value in status.cell.items() if axis not in PICTURES)
        plain = label = f"{Path(status.content).stem} x {Path(status.style).stem}" + "".join(others)
        number = 1
        while label in labels:  # pictures of one name in two folders
            number += 1
            label = f"{plain} ({number})"
        labels[label] = None
    return list(labels)


def loss_curve(job: Job) -> LossCurve:
    """The loss curve of one job, as far as it has come."""
    points = job.losses()
    return LossCurve(
        iterations=[point.iteration for point in points],
        total=[point.total for point in points],
        content=[point.content for point in points],
        style=[point.style for point in points],
        tv=[point.tv for point in points],
    )


def _heads(sweep: Sweep, axis: str, statuses: Sequence[Status]) -> list[Head]:
    values = sweep.axes[axis]
    if axis not in PICTURES:
        return [Head(f"{axis} = {value}", None) for value in values]
    addresses = {values.index(status.cell[axis]): _listed(status.spec[axis]) for status in statuses}
    return [
        Head(" + ".join(Path(name).stem for name in _listed(value)), _beside(sweep, addresses[index]))
        for index, value in enumerate(values)
    ]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _beside(sweep: Sweep, addresses: Sequence[str]) -> Image.Image:
    """The pictures that make up one head, as high as the lowest of them, side by side."""
    images = [_input(sweep, address) for address in addresses]
    height = min(image.height for image in images)
    images = [image.resize((max(1, image.width * height // image.height), height)) for image in images]
    head = Image.new("RGB", (sum(image.width for image in images), height))
    left = 0
    for image in images:
        head.paste(image, (left, 0))
        left += image.width
    return head


def _input(sweep: Sweep, address: str) -> Image.Image:
    services = sweep.farm.services
    data = services.blobs.get(f"inputs/{address.removeprefix(BLOB)}")
    return decode(data, address, max_pixels=services.settings.max_pixels).image


def _cell(sweep: Sweep, status: Status) -> Cell:
    if status.state is not State.DONE:
        return Cell(None, problem=f"{status.state}: {status.error}" if status.error else str(status.state))
    image = Job(sweep.farm, status.id).fetch().image
    return Cell(image, caption="" if status.loss is None else f"loss {status.loss:.3g}")
