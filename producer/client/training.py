"""Training jobs: submitted like any other job, unless the model is there or on its way already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.kinds import parse_training
from stylefarm.shared.spec.marks import Marks, parse_marks
from stylefarm.shared.spec.terms import split_terms

if TYPE_CHECKING:
    from stylefarm.producer.client.farm import Farm
    from stylefarm.producer.submission.training_resolver import TrainingResolver
    from stylefarm.shared.db.records import NewJob
    from stylefarm.shared.db.tables import JobRow
    from stylefarm.shared.spec.training import TrainingSpec


def resolve_training(farm: Farm, fields: Mapping[str, Any]) -> tuple[NewJob[TrainingSpec], TrainingResolver]:
    """Return the job that a user asks for, and what stores its pictures; nothing is stored yet.

    Args:
        farm: the farm.
        fields: parameters, terms and marks by name, as plain values.

    Raises:
        InvalidSpec: a parameter is wrong.
        InvalidImage: a picture cannot be used.
        InvalidRequest: no pretrained network is at hand.
        NotFound: a data set, a picture or a model is not there.

    Example:
        job, resolver = resolve_training(farm, {"method": "ulyanov", "name": "waves", "style": "waves.jpg"})
    """
    from stylefarm.producer.submission.training_resolver import TrainingResolver

    given = dict(fields)
    marks = parse_marks({name: given.pop(name, None) for name in Marks._fields})
    terms, parameters = split_terms(given)
    resolver = TrainingResolver(farm.services)
    job = resolver.resolve(parse_training(parameters), farm.terms(terms))
    return dataclasses.replace(job, marks=marks), resolver


def train(farm: Farm, fields: Mapping[str, Any], *, force: bool) -> tuple[str, bool]:
    """Submit a training, unless it is done or on its way; return the id of the job, and whether it is new.

    Args:
        farm: the farm.
        fields: parameters, terms and marks by name, as plain values.
        force: train what was trained before once more, and replace another model of that name.

    Raises:
        InvalidRequest: the name is another model's, or another training of that name runs.

    Example:
        job_id, is_new = train(farm, {"method": "ulyanov", "name": "waves", "style": "waves.jpg"}, force=False)
    """
    job, resolver = resolve_training(farm, fields)
    running = farm.services.queries.training(job.spec.name)
    if force and running is not None:
        note = f"name: job {running.id[:8]} trains a model of this name, too; the name goes to this newer training"
        job = dataclasses.replace(job, notes=(*job.notes, note))
    if not force:
        done = farm.services.queries.find_done(job.key)
        if done is not None and _is_registered(farm, done.id, job.spec.name):
            return done.id, False
        if running is not None and running.spec_key == job.key:
            farm.database.announce(f"job {running.id}", [running.id])
            return running.id, False
        _check_name(farm, job, running)
    with farm.database.uploaded(resolver):
        (job_id,) = farm.store.submissions.create([job])
    farm.database.announce(f"job {job_id}", [job_id])
    return job_id, True


def _is_registered(farm: Farm, job_id: str, name: str) -> bool:
    """Return whether the name is still that of the model that the job has trained: it may be deleted, or replaced."""
    row = farm.services.store.models.find(name)
    trained = farm.services.queries.artifacts(job_id, ArtifactRole.MODEL)
    return row is not None and row.sha256 in {artifact.sha256 for artifact in trained}


def _check_name(farm: Farm, job: NewJob[TrainingSpec], running: JobRow | None) -> None:
    name = job.spec.name
    row = farm.services.store.models.find(name)
    if row is not None:
        raise InvalidRequest(
            f"{name} is the name of another model (of {row.method}, from {row.source}): give another name, or"
            " force=True to replace it when this training is done",
            flag="force",
        )
    if running is not None:
        raise InvalidRequest(
            f"job {running.id[:8]} trains a model of the name {name}: give another name, or force=True to train it"
            " again",
            flag="force",
        )
