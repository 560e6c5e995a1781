"""Jobs that do not fit into the memory at hand as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylefarm import Farm, Job, JobFailed
from stylefarm.worker.attempt import batch
from stylefarm.worker.engine.methods import iterative
from stylefarm.worker.engine.methods.iterative import Progress, optimize

MEGABYTE = 1 << 20
SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"], "style_loss": "gram"}


@pytest.fixture
def farm() -> Iterator[Farm]:
    with Farm() as farm:
        yield farm


def submitted(farm: Farm, pictures: Path, **changes: Any) -> Job:
    fields = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), "size": 256, "iterations": 3}
    return farm.submit(**{**fields, **SHALLOW, **changes})


def leave(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The machine has so many bytes left."""
    monkeypatch.setattr(batch, "available_memory", lambda device, limit: count)


def memory_plans(farm: Farm, job: Job) -> list[dict[str, Any]]:
    (attempt,) = farm.services.queries.attempts(job.id)
    plans: list[dict[str, Any]] = attempt.record["path"]["memory"]
    return plans


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(image, dtype=np.float64)


def test_a_picture_that_does_not_fit_is_rendered_in_strips(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given little memory, if a picture is rendered, I expect the same picture, and to be told of the strips."""
    # In bfloat16 the sums of strips would be rounded apart from those of the whole.
    whole = submitted(farm, pictures, size=512, precision="fp32")
    expected = pixels(whole.result(timeout=60).image)
    (plan,) = memory_plans(farm, whole)
    assert plan["way"] == "whole"
    leave(monkeypatch, plan["bytes"])
    strips = submitted(farm, pictures, size=512, precision="fp32", tv_weight=3.0001)
    found = pixels(strips.result(timeout=60).image)
    (plan,) = memory_plans(farm, strips)
    assert plan["way"].startswith("strips")
    assert np.abs(found - expected).max() <= 1


def test_what_cannot_fit_is_refused_with_the_size_that_can(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given very little memory, if a picture is asked for, I expect a sentence with a size, and that size to work."""
    leave(monkeypatch, 150 * MEGABYTE)
    with pytest.raises(
        JobFailed, match=r"2000 x \d+ pixels needs about .* are left: ask for size = \d+ or less"
    ) as error:
        submitted(farm, pictures, size=2000).result(timeout=60)
    named = re.search(r"size = (\d+)", str(error.value))
    assert named is not None
    submitted(farm, pictures, size=int(named[1])).result(timeout=60)


def test_memory_that_ran_out_is_tried_once_more_with_less(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given memory that runs out in the middle, if it suffices the second time, I expect the job done."""
    attempts = 0

    def fails_once(*arguments: Any) -> Iterator[Progress]:
        nonlocal attempts
        attempts += 1
        for progress in optimize(*arguments):
            if attempts == 1 and progress.iteration == 2:
                raise torch.OutOfMemoryError
            yield progress

    monkeypatch.setattr(iterative, "optimize", fails_once)
    job = submitted(farm, pictures)
    job.result(timeout=60)
    assert attempts == 2
    assert job.losses().iteration.tolist() == [0, 1, 2, 3]


def test_memory_that_runs_out_twice_fails_the_job_in_a_sentence(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given memory that runs out each time, I expect a sentence that says what to do, and a farm that goes on."""

    def fails(*_arguments: Any) -> Iterator[Progress]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    with monkeypatch.context() as patched:
        patched.setattr(iterative, "optimize", fails)
        with pytest.raises(JobFailed, match="did not fit into this worker's memory, twice: ask for a smaller size"):
            submitted(farm, pictures).result(timeout=60)
    submitted(farm, pictures).result(timeout=60)
