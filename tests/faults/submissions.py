"""The jobs that are submitted during a run, and how a submission is retried while servers are down."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from stylefarm import Farm
from stylefarm.producer.grids import Grid
from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import ServiceUnavailable, StorageFull
from tests.faults.environment import DATASET, Environment

# A network this shallow renders a picture of 32 pixels in an instant; what is tested is the farm around it. Jobs of one
# spec give the same bytes, however often they were interrupted.
COMMON = {
    "size": 32,
    "content_layers": ["relu1_1"],
    "style_layers": ["relu1_1"],
    "style_loss": "gram",
    "precision": "fp32",
}
# Jobs that are done at once; that take seconds, with checkpoints; and that never end before they are killed.
SHORT = {"iterations": 4, "snapshot_every": 2}
LONG = {"iterations": 400, "snapshot_every": 50}
ENDLESS = {"iterations": 90_000}

# A training of some seconds, with checkpoints.
TRAINING: dict[str, Any] = {
    "method": "ulyanov",
    "content_set": DATASET,
    "iterations": 30,
    "sample_every": 10,
    "samples": 2,
    "batch_size": 2,
    "image_size": 32,
    "style_size": 32,
    "channels": 4,
    "blocks": 1,
    "content_layers": ["fire2"],
    "style_layers": ["relu1", "fire2"],
    "precision": "fp32",
}

AGAIN_SECONDS = 0.5


def submit(
    environment: Environment,
    farm: Farm,
    name: str,
    base: Mapping[str, Any],
    weights: Sequence[float],
    pictures: tuple[str, str] = ("ab", "st"),
    **terms: Any,
) -> list[str]:
    """Submit a sweep, repeatedly until the farm has stored it, and return its jobs.

    Its `name` is what it is known by: where the answer got lost, what is stored under it is not asked for again.
    """
    contents, styles = ([str(environment.pictures / f"{letter}.png") for letter in letters] for letters in pictures)
    grid = Grid({"content": contents, "style": styles, "style_weight": list(weights)}, {**COMMON, **base}, name)
    while True:
        try:
            # With force, since all jobs of a spec are to be rendered and compared.
            ids = [job.id for job in farm.sweep(grid, force=True, **terms).jobs()]
        except (ServiceUnavailable, StorageFull) as error:
            environment.history.add("refused", name=name, reason=str(error))
            of_name = select(JobRow.id).join(SweepRow, SweepRow.id == JobRow.sweep_id).where(SweepRow.name == name)
            ids = [job_id for (job_id,) in environment.rows(of_name)]
        if ids:
            environment.history.add("acknowledged", name=name, jobs=ids)
            return ids
        time.sleep(AGAIN_SECONDS)


def train(environment: Environment, farm: Farm, name: str) -> list[str]:
    """Submit a training, and a picture by its model, repeatedly until the farm has stored them; return both jobs."""
    while True:
        try:
            # Of one name there is one training: where the answer got lost, the same job is returned.
            style, weights = environment.pictures / "s.png", environment.weights
            trained = farm.train(**TRAINING, name=name, style=str(style), weights=str(weights))
            waiting = farm.submit(content=str(environment.pictures / "a.png"), model=name, size=32)
        except (ServiceUnavailable, StorageFull) as error:
            environment.history.add("refused", name=name, reason=str(error))
        else:
            ids = [trained.id, waiting.id]
            environment.history.add("acknowledged", name=name, jobs=ids)
            return ids
        time.sleep(AGAIN_SECONDS)
