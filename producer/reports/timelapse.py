"""The snapshots of a job as a short animation: GIF, WebP, and MP4 where ffmpeg is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from stylefarm.producer.client.farm import Job
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.sheets.gather import picture
from stylefarm.producer.terminal.progress import counting, working
from stylefarm.shared.errors import FarmError, InvalidRequest, NotFound
from stylefarm.shared.files.atomic import check_writable, write_atomically

SUFFIXES = (".gif", ".webp", ".mp4")
FRAMES_PER_SECOND = 8.0
# How long the last frame is shown before the animation repeats.
HOLD_SECONDS = 1.5
QUALITY = 85
_NO_FFMPEG = "MP4 needs ffmpeg, which is not on the PATH: install it (Debian: apt-get install ffmpeg), or ask for .webp"


def write_timelapse(
    job: Job,
    path: str | Path,
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
    size: int | None = None,
    force: bool = False,
) -> Path:
    """Write an animation of the job's snapshots, by iteration, with its result at the end, shown for longer.

    Args:
        job: one that has snapshots (`snapshot_every`).
        path: a file that ends in .gif, .webp or .mp4.
        frames_per_second: above 0, at most 50.
        size: the longer side in pixels, if it is to be smaller than what was rendered.
        force: overwrite the file if it exists.

    Returns:
        The path.

    Raises:
        NotFound: the job has no snapshots, or one was deleted.
        InvalidRequest: ffmpeg is missing for MP4, or the file cannot be written.
        StorageFull: the disk is full; nothing half-written is left.
        ServiceUnavailable: likewise.

    Example:
        write_timelapse(job, "cat.webp", frames_per_second=8, size=512)
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(f"{path} is no animation format: give one of {', '.join(SUFFIXES)}")
    if not 0 < frames_per_second <= 50:
        raise InvalidRequest(f"{frames_per_second:g} frames in a second cannot be shown: give more than 0, at most 50")
    if suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise InvalidRequest(_NO_FFMPEG)
    check_writable(path, force=force)
    frames = _frames(job, size)
    with working("encoding the animation"):
        data = _mp4(frames, frames_per_second) if suffix == ".mp4" else _animation(frames, frames_per_second, suffix)
    write_atomically(path, data, force=force)
    return path


def _frames(job: Job, size: int | None) -> list[Image.Image]:
    stored = [snapshot.stored for snapshot in job.snapshots()]
    result = job.status().result
    if not stored:
        raise NotFound(f"job {job.id} has no snapshots (yet): render with snapshot_every, e.g. 10")
    if result is not None:
        stored.append(result)
    with counting("frames", len(stored)) as advance:
        made = in_parallel(stored, lambda one: picture(job.farm.backend, one), advance)
    frames = []
    for one in made:
        if isinstance(one, FarmError):
            raise one
        frames.append(one)
    # A job that is rendered from coarse to fine begins with smaller snapshots.
    width, height = frames[-1].size
    scale = min(1.0, size / max(width, height)) if size else 1.0
    wanted = (max(1, round(width * scale)), max(1, round(height * scale)))
    return [frame if frame.size == wanted else frame.resize(wanted, Image.Resampling.LANCZOS) for frame in frames]


def _animation(frames: Sequence[Image.Image], frames_per_second: float, suffix: str) -> bytes:
    pause = round(1000 / frames_per_second)
    durations = [pause] * (len(frames) - 1) + [max(pause, round(1000 * HOLD_SECONDS))]
    file = BytesIO()
    first, *rest = frames
    options = {"append_images": rest, "save_all": True, "duration": durations, "loop": 0}
    if suffix == ".gif":
        first.save(file, "GIF", **options)
    else:
        first.save(file, "WEBP", quality=QUALITY, method=4, **options)
    return file.getvalue()


def _mp4(frames: Sequence[Image.Image], frames_per_second: float) -> bytes:
    # H.264 in yuv420p, which every player shows, needs even sides.
    width, height = (max(2, side // 2 * 2) for side in frames[0].size)
    held = [frames[-1]] * max(0, round(HOLD_SECONDS * frames_per_second) - 1)
    raw = b"".join(frame.resize((width, height)).tobytes() for frame in [*frames, *held])
    with tempfile.TemporaryDirectory(prefix="stylefarm-film-") as folder:
        film = Path(folder) / "film.mp4"
        input_options = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {frames_per_second:g} -i -"
        output_options = "-an -c:v libx264 -pix_fmt yuv420p -crf 18 -movflags +faststart"
        command = ["ffmpeg", "-loglevel", "error", "-y", *input_options.split(), *output_options.split(), str(film)]
        ended = subprocess.run(command, input=raw, capture_output=True, check=False)  # noqa: S603 - no word is a user's
        if ended.returncode != 0:
            messages = ended.stderr.decode(errors="replace").strip().splitlines()
            reason = messages[-1] if messages else f"exit {ended.returncode}"
            raise InvalidRequest(f"ffmpeg could not make an MP4 ({reason}): ask for .webp")
        return film.read_bytes()
