"""Films of a job's snapshots."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, NotFound, write_timelapse
from tests.made_up import made_up


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield farm


@pytest.mark.parametrize(("suffix", "kind"), [(".gif", "GIF"), (".webp", "WEBP")])
def test_a_film_has_each_snapshot_and_the_result(farm: Farm, tmp_path: Path, suffix: str, kind: str) -> None:
    """Given four snapshots and a result, I expect five frames, of which the last stays longest, again and again."""
    job = made_up(farm, {"seed": [1]}, snapshots=4, variants=5).jobs()[0]
    with Image.open(write_timelapse(job, tmp_path / f"film{suffix}", size=24)) as film:
        assert (film.format, getattr(film, "n_frames", 1), film.size, film.info["loop"]) == (kind, 5, (24, 18), 0)
        durations = []
        for frame in range(5):
            film.seek(frame)
            film.load()
            durations.append(film.info["duration"])
        assert durations[0] < durations[-1]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="MP4 is made by ffmpeg, which is not here")
def test_a_film_as_mp4(farm: Farm, tmp_path: Path) -> None:
    """Given a job of odd sides, I expect an MP4 that ffmpeg reads to its end."""
    job = made_up(farm, {"seed": [1]}, snapshots=4, variants=5, size=(47, 35)).jobs()[0]
    path = write_timelapse(job, tmp_path / "film.mp4", frames_per_second=4)
    assert path.read_bytes()[4:8] == b"ftyp"
    read = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "null", "-"], capture_output=True, check=True)
    assert read.stderr == b""


def test_what_cannot_be_filmed_is_told(farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no snapshots, no ffmpeg, no such format, I expect a sentence for each, and no file."""
    job = made_up(farm, {"seed": [1]}).jobs()[0]
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NotFound, match="no snapshots"):
        write_timelapse(job, tmp_path / "a.gif")
    for name, message in {"a.mp4": "needs ffmpeg", "a.png": "no animation format"}.items():
        with pytest.raises(InvalidRequest, match=message):
            write_timelapse(job, tmp_path / name)
    with pytest.raises(InvalidRequest, match="0 frames in a second"):
        write_timelapse(job, tmp_path / "a.gif", frames_per_second=0)
    assert not list(tmp_path.glob("a.*"))
