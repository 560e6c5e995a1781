"""A farm for the benchmark of the dashboard: sweeps of any size, written into the database by a few statements."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from stylefarm import Farm, State, Sweep
from stylefarm.shared.blobs.storage import store_object
from stylefarm.shared.db.connection import translate_errors
from stylefarm.shared.db.records import JobSelector, NewJob
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.db.tables import ArtifactRow, JobRow
from stylefarm.shared.images.thumbnails import thumbnails
from stylefarm.shared.spec.spec import BLOB, parse_spec
from stylefarm.shared.store.bulk import insert_rows
from tests.made_up import png, texture

PICTURES = 60
SIZE = (384, 288)


def filled(farm: Farm, name: str, axes: dict[str, list[Any]], state: State) -> Sweep:
    """Return a sweep of every combination of two axes; its jobs are in one state, and have a picture if they are done.

    Args:
        farm: where it goes.
        name: what it is called; its seed follows from it.
        axes: two axes of numbers.
        state: done or paused.
    """
    content = _stored(farm, name)
    (first, ones), (second, others) = axes.items()
    spec = parse_spec({"content": BLOB + content, "style": BLOB + content, "size": 384, "iterations": 100})
    jobs = [
        NewJob(spec.model_copy(update={first: one, second: other}), "a.png", "s.png", cell={first: one, second: other})
        for one in ones
        for other in others
    ]
    sweep_id, ids = farm.store.submissions.create_sweep(name, axes, jobs)
    if state is State.PAUSED:
        farm.store.commands.pause(JobSelector(sweep=sweep_id))
        return farm.find_sweep(sweep_id)
    pictures = [_stored(farm, f"{name} {number}") for number in range(PICTURES)]
    rows = [
        {
            "job_id": job,
            "attempt": 1,
            "role": ArtifactRole.RESULT,
            "iteration": 100,
            "key": f"inputs/{pictures[number % PICTURES]}",
            "sha256": pictures[number % PICTURES],
            "bytes": 1,
            "media_type": "image/png",
        }
        for number, job in enumerate(ids)
    ]
    engine = farm.services.engine
    with translate_errors(engine), engine.begin() as connection:
        done = {"state": State.DONE, "attempt": 1, "iteration": 100, "loss": 1.5, "metrics": {"ssim": 0.5, "gram": 0.1}}
        connection.execute(update(JobRow).where(JobRow.sweep_id == sweep_id).values(**done))
    with translate_errors(engine), Session(engine) as session, session.begin():
        insert_rows(session, cast("Table", ArtifactRow.__table__), rows)
    return farm.find_sweep(sweep_id)


def _stored(farm: Farm, name: str) -> str:
    """Store a picture with its thumbnails, and return its hash."""
    image = texture(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16), SIZE)
    data = png(image)
    sha256 = hashlib.sha256(data).hexdigest()
    store_object(farm.services.blobs, f"inputs/{sha256}", data, "image/png")
    for key, file in thumbnails(sha256, image).items():
        farm.services.blobs.put(key, file, "image/webp")
    return sha256
