"""What notebooks show of results, jobs and sweeps."""

from __future__ import annotations

import base64
import html
from io import BytesIO

from PIL import Image

from stylefarm.producer.client.farm import Job, Sweep
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.sheets.gather import result_of
from stylefarm.producer.sheets.thumbnails import decoded, shrunk, webp
from stylefarm.producer.views.selection import label_of, title_of
from stylefarm.producer.views.status import Status
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.errors import FarmError

PICTURE_PIXELS = 512
CELLS = 100
CELL_PIXELS = 128
CELL_BYTES = 8_000


def small_png(image: Image.Image) -> bytes:
    """The PNG of a picture, its longer side at 512 pixels at most."""
    file = BytesIO()
    shrunk(image, PICTURE_PIXELS).save(file, "PNG")
    return file.getvalue()


def job_png(job: Job) -> bytes | None:
    """The newest picture of a job: its result, or the last snapshot; None where there is none yet."""
    image = _picture(job, job.status())
    return None if image is None else small_png(image)


def sweep_html(sweep: Sweep) -> str:
    """The first 100 jobs of a sweep, each with a small picture, or its state where there is none, and its cell.

    It has no link and no script: pictures are data URIs.
    """
    counts = sweep.counts()
    statuses = sweep.statuses(limit=CELLS)
    pictures = in_parallel(statuses, lambda status: _thumbnail(Job(sweep.farm, status.id), status), lambda: None)
    cells = "".join(_cell(status, picture) for status, picture in zip(statuses, pictures, strict=True))
    words = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    left_out = sum(counts.values()) - len(statuses)
    rest = f" The first {len(statuses)} of {sum(counts.values()):,}:" if left_out else ""
    title = html.escape(sweep.name or sweep.id)
    return (
        f"<div><p><b>{title}</b>: {words}.{rest}</p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:8px;font-size:11px;line-height:1.3">{cells}</div></div>'
    )


def _cell(status: Status, picture: str | FarmError | None) -> str:
    caption, title = html.escape(_caption(status)), html.escape(title_of(status))
    style = f"margin:0;width:{CELL_PIXELS}px;overflow-wrap:anywhere"
    if isinstance(picture, str):
        shown = f'<img src="{picture}" alt="{title}" style="max-width:100%">'
    else:
        words = f"its picture cannot be shown: {picture}" if picture is not None else status.error or ""
        box = "min-height:64px;border:1px solid #8888;padding:4px;box-sizing:border-box"
        shown = f'<div style="{box}" title="{html.escape(words)}">{html.escape(str(status.state))}</div>'
    return f'<figure title="{title}" style="{style}">{shown}<figcaption>{caption}</figcaption></figure>'


def _caption(status: Status) -> str:
    cell = [f"{axis} {label_of(axis, value)}" for axis, value in status.cell.items()]
    loss = [] if status.loss is None else [f"loss {status.loss:.4g}"]
    return ", ".join([*cell, *loss]) or status.title


def _thumbnail(job: Job, status: Status) -> str | None:
    image = _picture(job, status)
    if image is None:
        return None
    return "data:image/webp;base64," + base64.b64encode(webp(image, CELL_PIXELS, CELL_BYTES)).decode()


def _picture(job: Job, status: Status) -> Image.Image | None:
    stored = _newest(job, status)
    if stored is None:
        return None
    return decoded(fetch_verified(job.farm.services.blobs, stored.key, stored.sha256), stored.key)


def _newest(job: Job, status: Status) -> StoredObject | None:
    """A failed job's last snapshot is not its picture."""
    if status.state.final or status.iteration == 0:
        return result_of(status)
    return next((snapshot.stored for snapshot in reversed(job.snapshots())), None)
