"""What notebooks show of results, jobs and sweeps."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

from PIL import Image

from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.views.labels import job_labels
from stylefarm.producer.views.pictures import shrink, webp
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import FarmError

PICTURE_PIXELS = 512
CELLS = 100
CELL_PIXELS = 128
CELL_BYTES = 8_000


def small_png(image: Image.Image) -> bytes:
    """Return the PNG of a picture, its longer side at 512 pixels at most.

    Args:
        image: of any size and mode.

    Example:
        >>> Image.open(BytesIO(small_png(Image.new("RGB", (1024, 512))))).size
        (512, 256)
    """
    file = BytesIO()
    shrink(image, PICTURE_PIXELS).save(file, "PNG")
    return file.getvalue()


def sweep_html(
    name: str,
    counts: Mapping[State, int],
    statuses: Sequence[Status],
    fetch: Callable[[Status], Image.Image | None],
) -> str:
    """Return the jobs of a sweep as HTML: a small picture of each, or its state where there is none, and its cell.

    It has no link and no script: pictures are data URIs.

    Args:
        name: what the sweep is called.
        counts: how many of its jobs are in each state.
        statuses: the jobs to show.
        fetch: returns the newest picture of a job, None where there is none; what it raises stands in the picture's
            place.

    Returns:
        One `<div>`.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="queued", cell={"seed": 1}, content_name="cat", style_name="waves")
        >>> row.request = JobRequestRow(spec={}, notes=[])
        >>> shown = sweep_html("cats", {State.QUEUED: 1}, [Status.of(row)], lambda status: None)
        >>> shown[:30], "<figcaption>cat x waves</figcaption>" in shown
        ('<div><p><b>cats</b>: 1 queued.', True)
    """
    pictures = in_parallel(statuses, lambda status: _thumbnail(fetch(status)), lambda: None)
    labels = job_labels(statuses)
    shown = zip(statuses, labels, pictures, strict=True)
    cells = "".join(_cell(status, label, picture) for status, label, picture in shown)
    summary = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    left_out = sum(counts.values()) - len(statuses)
    rest = f" The first {len(statuses)} of {sum(counts.values()):,}:" if left_out else ""
    title = html.escape(name)
    return (
        f"<div><p><b>{title}</b>: {summary}.{rest}</p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:8px;font-size:11px;line-height:1.3">{cells}</div></div>'
    )


def _cell(status: Status, label: str, picture: str | FarmError | None) -> str:
    loss = [] if status.loss is None else [f"loss {status.loss:.4g}"]
    caption, title = html.escape(", ".join([label, *loss])), html.escape(label)
    style = f"margin:0;width:{CELL_PIXELS}px;overflow-wrap:anywhere"
    if isinstance(picture, str):
        shown = f'<img src="{picture}" alt="{title}" style="max-width:100%">'
    else:
        tooltip = f"its picture cannot be shown: {picture}" if picture is not None else status.error or ""
        box = "min-height:64px;border:1px solid #8888;padding:4px;box-sizing:border-box"
        shown = f'<div style="{box}" title="{html.escape(tooltip)}">{html.escape(str(status.state))}</div>'
    return f'<figure title="{title}" style="{style}">{shown}<figcaption>{caption}</figcaption></figure>'


def _thumbnail(image: Image.Image | None) -> str | None:
    if image is None:
        return None
    return "data:image/webp;base64," + base64.b64encode(webp(image, CELL_PIXELS, CELL_BYTES)).decode()
