"""Cells of a search that are clearly worse than others are cancelled while they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylefarm import Farm
from stylefarm.producer.client.pruning import Pruner
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import LossPoint
from stylefarm.shared.settings import Settings
from tests.integration.jobs import RESULT, claimed, new_job

ITERATIONS = 40


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(Settings(home=tmp_path / "home")) as farm:
        yield farm


def rendered(farm: Farm, seed: int, loss: float, *, until: int = ITERATIONS) -> str:
    """Have a job rendered up to an iteration, with a loss that falls to this one; return its id."""
    (job_id,) = farm.store.submissions.create([new_job(seed=seed, iterations=ITERATIONS)])
    fence = claimed(farm.store, job_id)
    points = [LossPoint(n, (loss * (2 - n / ITERATIONS), 0.0, 0.0, 0.0)) for n in range(until + 1)]
    farm.store.attempts.record_losses(fence, points)
    if until == ITERATIONS:
        farm.store.attempts.finish(fence, RESULT, {})
    return job_id


def test_only_what_is_clearly_worse_is_cancelled(farm: Farm) -> None:
    """Given four cells that were rendered, and three that run, of low loss, of high loss, and of high loss but at its
    beginning, if they are judged twice, I expect one request to cancel the second, and none for the others."""
    done = [rendered(farm, seed, loss) for seed, loss in enumerate((1.0, 2.0, 3.0, 4.0))]
    low, high = (rendered(farm, 10 + seed, loss, until=20) for seed, loss in enumerate((1.5, 9.0)))
    early = rendered(farm, 20, 9.0, until=5)
    told: list[Status] = []
    pruner = Pruner(farm, keep_percent=50, on_pruned=told.append)
    for _ in range(2):
        pruner([farm.find_job(job_id).status() for job_id in (*done, low, high, early)])
    assert [(status.id, status.iteration) for status in told] == [(high, 20)]
    asked = {job.id: job.cancel_requested for job in farm.services.queries.jobs([low, high, early])}
    assert asked == {low: False, high: True, early: False}


def test_nothing_is_cancelled_before_there_is_something_to_compare(farm: Farm) -> None:
    """Given three cells that were rendered, I expect a fourth of high loss to go on."""
    done = [rendered(farm, seed, 1.0) for seed in range(3)]
    high = rendered(farm, 10, 9.0, until=20)
    told: list[Status] = []
    Pruner(farm, keep_percent=50, on_pruned=told.append)([farm.find_job(job_id).status() for job_id in (*done, high)])
    assert told == []
