"""Training jobs of an embedded farm: to the model, stopped and gone on with, and what does not work."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sqlalchemy import update
from torch import Tensor

from stylefarm import Farm, InvalidImage, InvalidRequest, InvalidSpec, Job, JobFailed, NotFound, State
from stylefarm.producer.submission.datasets import read_dataset, store_dataset
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.object_tables import HeldObjectRow
from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.errors import StorageFull
from stylefarm.shared.store.attempts import Attempts
from stylefarm.shared.store.library import NewModel
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.model_product import ModelProduct
from stylefarm.worker.engine.feedforward.model import Model, read_model
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.metrics import compute_metrics
from stylefarm.worker.render.applied import model_hash
from stylefarm.worker.render.pictures import to_tensor
from stylefarm.worker.training.perceptual import PerceptualTask
from tests.integration.worker.attempt.held import until_named, until_stopped
from tests.tiny_models import put_models, trunk_model
from tests.weights_files import squeezenet_state, write_torch

STEPS = 8
SMALL: dict[str, Any] = {
    "iterations": STEPS,
    "sample_every": 4,
    "samples": 2,
    "batch_size": 2,
    "image_size": 32,
    "style_size": 48,
    "channels": 4,
    "blocks": 1,
    "content_set": "photos",
    "content_layers": ["fire2"],
    "style_layers": ["relu1", "fire2"],
    "precision": "fp32",
}


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch, pictures: Path) -> Iterator[Farm]:
    """A farm with the data set photos and pretrained weights."""
    monkeypatch.setenv("STYLEFARM_HEARTBEAT_SECONDS", "0.05")
    # One is due at each step at which none is being uploaded.
    monkeypatch.setenv("STYLEFARM_CHECKPOINT_SECONDS", "0.000001")
    monkeypatch.chdir(pictures)
    with Farm() as farm:
        store_dataset("photos", "photos", read_dataset(str(pictures), farm.settings), farm.services)
        yield farm


@pytest.fixture
def fields(pictures: Path) -> dict[str, Any]:
    weights = write_torch(pictures.parent / "squeezenet.pth", squeezenet_state())
    return {**SMALL, "method": "ulyanov", "name": "waves", "style": ["s.png"], "weights": str(weights)}


def as_tensor(picture: Image.Image) -> Tensor:
    return to_tensor(picture.convert("RGB"), picture.size, torch.device("cpu"))


def tensors_of(farm: Farm, job: Job) -> dict[str, bytes]:
    """Return the weights of the model that a job has trained."""
    (artifact,) = farm.services.queries.artifacts(job.id, ArtifactRole.MODEL)
    path = farm.settings.home / "read.safetensors"
    farm.services.blobs.get_file(artifact.key, path)
    return {name: tensor.numpy().tobytes() for name, tensor in read_model(path).tensors.items()}


def test_a_training_ends_in_a_model(farm: Farm, fields: dict[str, Any]) -> None:
    """Given a data set and a style, if a model is trained, I expect its curve, samples, card, and pictures by it; and
    that it is not trained twice."""
    job = farm.train(**fields)
    waiting = farm.submit(content="a.png", model="waves", size=32)
    assert waiting.status().state is State.WAITING
    twice = farm.train(**fields)
    assert (twice.id, twice.created) == (job.id, False)
    assert job.wait(timeout=120).state is State.DONE
    curve = job.losses()
    assert curve.iteration.tolist() == list(range(STEPS + 1))
    assert list(curve.terms) == ["total", "content", "style", "tv"]
    assert [snapshot.iteration for snapshot in job.snapshots()] == [4]
    assert job.result().image.size[0] > 32
    row = farm.store.models.get("waves")
    assert (row.method, row.source) == ("ulyanov", f"job {job.id}")
    assert {"spec", "losses", "seconds", "iterations"} <= row.card.keys()
    assert {"loss_total", "loss_style", "seconds"} <= job.status().metrics.keys()
    assert waiting.wait(timeout=60).state is State.DONE
    named = farm.submit(content="a.png", model="waves", size=32)
    assert np.array_equal(np.asarray(named.result(timeout=60).image), np.asarray(waiting.result().image))
    shown = [as_tensor(picture) for picture in (named.result().image, Image.open("a.png"), Image.open("s.png"))]
    assert named.status().metrics["gram"] == pytest.approx(compute_metrics(*shown).gram, rel=0.05)

    again = farm.train(**fields)
    assert (again.id, again.created) == (job.id, False)
    with pytest.raises(InvalidRequest, match=r"waves is the name of another model .*force=True"):
        farm.train(**{**fields, "seed": 1})
    farm.delete([job, waiting])
    assert farm.store.models.get("waves").sha256 == row.sha256
    assert farm.services.blobs.exists(f"models/{row.sha256}")
    farm.services.blobs.delete(f"inputs/{hashlib.sha256(Path('s.png').read_bytes()).hexdigest()}")
    later = farm.submit(content="b.png", model="waves", size=32).wait(timeout=60)
    assert later.state is State.DONE
    assert "gram" not in later.metrics, "the picture of the style is gone"


def test_a_model_that_is_gone_is_trained_again(farm: Farm, fields: dict[str, Any]) -> None:
    """Given a training that is done, if its model is deleted or replaced since, I expect the same training to be done
    again, and not to be called done; of a name that another model has now, one sentence."""
    first = farm.train(**fields)
    first.wait(timeout=120)
    farm.store.models.delete("waves")
    second = farm.train(**fields)
    assert second.created
    assert second.wait(timeout=120).state is State.DONE
    assert farm.store.models.get("waves").source == f"job {second.id}"
    farm.store.models.delete("waves")
    put_models(farm.services, waves=trunk_model("johnson"))
    with pytest.raises(InvalidRequest, match=r"waves is the name of another model .*force=True"):
        farm.train(**fields)


def test_the_newest_training_of_a_name_keeps_it(farm: Farm, fields: dict[str, Any]) -> None:
    """Given a training that is paused, and another of its name by force, if the first one ends last, I expect the name
    to be the second one's, and the picture that waited for the first one to be by its model."""
    first = farm.train(**fields)
    first.pause()
    waiting = farm.submit(content="a.png", model="waves", size=32)
    second = farm.train(**{**fields, "style": ["t.png"]}, force=True)
    assert f"name: job {first.id[:8]} trains a model of this name, too" in " ".join(second.status().notes)
    assert second.wait(timeout=120).state is State.DONE
    assert first.resume() == 1
    assert first.wait(timeout=120).state is State.DONE
    assert waiting.wait(timeout=120).state is State.DONE
    assert farm.services.store.models.get("waves").trained_by == second.id
    third = farm.train(**{**fields, "seed": 5}, force=True)
    assert third.wait(timeout=120).state is State.DONE
    assert farm.services.store.models.get("waves").trained_by == third.id


def test_a_style_that_is_added_can_be_asked_for_at_once(farm: Farm, fields: dict[str, Any]) -> None:
    """Given a training that adds a style to a model of three, if a job asks for the fourth before it is there, I expect
    it rendered and measured by the picture of that style; the fifth is refused. Where the base has gone from the list,
    I expect that a style must be named. What needs the model at once, as an estimate, says for which job to wait."""
    put_models(farm.services, three=trunk_model("cin", styles=3))
    farm.train(**{**fields, "method": "cin", "name": "four", "base": "three"})
    common: dict[str, Any] = {"content": "a.png", "model": "four", "size": 32}
    added = farm.submit(**common, style_index=3)
    with pytest.raises(NotFound, match=r"the model is not there yet: wait for job \w{8}, which trains it"):
        model_hash(added.status().spec["model"], farm.services)
    with pytest.raises(InvalidSpec, match=r"style_index = 4, but four \(.*\) has 4 styles, from 0 on"):
        farm.submit(**common, style_index=4)
    farm.store.models.delete("three")
    with pytest.raises(InvalidSpec, match=r"style_index is missing: four \(.*\) has several styles"):
        farm.submit(**common)
    of_base = farm.submit(**common, style_index=[0, 3])
    assert (added.wait(timeout=120).state, of_base.wait(timeout=60).state) == (State.DONE, State.DONE)
    assert {"gram", "sliced"} <= added.status().metrics.keys()
    assert not {"gram", "sliced"} & of_base.status().metrics.keys(), "what the base has learned from is not known"


def test_a_paused_training_goes_on_as_if_it_had_not_stopped(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a training, if it is paused and resumed, I expect the weights and the curve of one that ran through."""
    whole = farm.train(**fields)
    whole.wait(timeout=120)
    job = farm.train(**{**fields, "name": "again"})
    paused = threading.Event()
    on_progress = Attempt.on_progress

    def held(attempt: Attempt, progress: Progress) -> None:
        if attempt.job.id == job.id and attempt.job.attempt == 1 and progress.iteration == STEPS // 2:
            assert job.pause()
            until_stopped(attempt)
            paused.set()
        on_progress(attempt, progress)

    monkeypatch.setattr(Attempt, "on_progress", held)

    def resume(statuses: Sequence[Status]) -> None:
        if statuses[0].state is State.PAUSED:
            job.resume()

    assert job.wait(timeout=120, watch=resume).state is State.DONE
    _, second = farm.services.queries.attempts(job.id)
    assert paused.is_set()
    assert second.record["resumed"]["iteration"] == STEPS // 2
    assert tensors_of(farm, job) == tensors_of(farm, whole)
    assert np.array_equal(job.losses().total, whole.losses().total)


def name_checkpoint_at(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each first attempt wait at a step until the row names a checkpoint."""
    on_progress = Attempt.on_progress

    def held(attempt: Attempt, progress: Progress) -> None:
        if attempt.job.attempt == 1 and progress.iteration == iteration:
            until_named(attempt)
        on_progress(attempt, progress)

    monkeypatch.setattr(Attempt, "on_progress", held)


def test_a_training_that_fails_leaves_no_model(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that is full when the model is stored, I expect no model, and one by a later attempt from the last
    checkpoint."""
    put_file = type(farm.services.blobs).put_file
    full = [True]

    def refusing(self: Any, key: str, path: Path, content_type: str) -> None:
        if key.startswith("models/") and full:
            full.pop()
            raise StorageFull("the disk is full")
        put_file(self, key, path, content_type)

    monkeypatch.setattr(type(farm.services.blobs), "put_file", refusing)
    name_checkpoint_at(STEPS, monkeypatch)
    job = farm.train(**fields)
    assert job.wait(timeout=120).state is State.DONE
    first, second = farm.services.queries.attempts(job.id)
    assert first.outcome == "failed"
    assert farm.store.models.get("waves").source == f"job {job.id}"
    assert second.record["resumed"]["iteration"] > 0


def test_a_model_that_is_never_registered_is_deleted(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an attempt that ends between the upload of its model and its registration, I expect the file to be deleted
    after a day, and that of the next attempt to stay."""
    with_card, finish, lost = ModelProduct._with_card, Attempts.finish, list[str]()

    def another_card(product: ModelProduct, model: Model, progress: Progress) -> Model:
        found = with_card(product, model, progress)
        return replace(found, card={**found.card, "seconds": len(lost)})

    def too_late(attempts: Attempts, fence: Fence, result: Any, record: Any, metrics: Any, model: NewModel) -> bool:
        if lost:
            return finish(attempts, fence, result, record, metrics, model)
        lost.append(f"models/{model.sha256}")
        attempts.release(fence, "its process died", record)
        return False

    monkeypatch.setattr(ModelProduct, "_with_card", another_card)
    monkeypatch.setattr(Attempts, "finish", too_late)
    assert farm.train(**fields).wait(timeout=120).state is State.DONE
    kept = f"models/{farm.store.models.get('waves').sha256}"
    blobs, engine = farm.services.blobs, farm.services.engine
    assert set(blobs.keys("models/")) == {*lost, kept}
    Orphans(engine, blobs).delete(grace=0)
    assert blobs.exists(lost[0]), "it might still be registered"
    with engine.begin() as connection:
        connection.execute(update(HeldObjectRow).values(until=now(-1)))
    Orphans(engine, blobs).delete(grace=0)
    assert list(blobs.keys("models/")) == [kept]


def test_a_training_that_diverges_says_so(farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a loss that is no number any more, I expect the job to fail with what to do, and no model."""
    losses = PerceptualTask._step

    def lost(task: PerceptualTask, step: int, contents: Tensor) -> Tensor:
        found = losses(task, step, contents)
        return torch.full_like(found, torch.nan) if step == STEPS // 2 else found

    monkeypatch.setattr(PerceptualTask, "_step", lost)
    name_checkpoint_at(STEPS // 2 - 1, monkeypatch)
    job = farm.train(**fields)
    waiting = farm.submit(content="a.png", model="waves", size=32)
    with pytest.raises(JobFailed, match=r"left the finite numbers in step 5 \(the content loss\): .*learning_rate"):
        job.result(timeout=120)
    assert farm.store.models.all() == []
    assert waiting.wait(timeout=60).state is State.FAILED
    assert farm.services.queries.artifacts(job.id, ArtifactRole.CHECKPOINT)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"content_set": "nothing"}, NotFound, "no data set is called 'nothing'"),
        ({"content_set": "one"}, InvalidSpec, "content_set = one has 1 picture: training needs 2 at least"),
        ({"style": ["absent.png"]}, InvalidImage, "absent.png does not exist"),
        ({"style": []}, InvalidSpec, "ulyanov learns one style, and none are given"),
        ({"style": ["s.png", "t.png"]}, InvalidSpec, "ulyanov learns one style, and 2 are given"),
        ({"image_size": 256}, InvalidSpec, "are too small for image_size = 256"),
        ({"name": "No Name"}, InvalidSpec, "name = 'No Name'"),
        ({"iteration": 5}, InvalidSpec, "unknown parameter 'iteration': did you mean 'iterations'"),
        ({"base": "nothing"}, NotFound, "no model is called 'nothing'"),
        ({"weights": "nothing"}, InvalidRequest, "weights: nothing cannot be opened"),
        ({"style": ["weights.txt"]}, InvalidImage, "weights.txt"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    farm: Farm, fields: dict[str, Any], pictures: Path, changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Given a training that cannot be, I expect one sentence, and no job."""
    (pictures / "weights.txt").write_text("no picture")
    one = pictures.parent / "one"
    one.mkdir()
    Image.open(pictures / "a.png").save(one / "a.png")
    store_dataset("one", "one", read_dataset(str(one), farm.settings), farm.services)
    with pytest.raises(error, match=sentence):
        farm.train(**{**fields, **changes})
    assert farm.jobs() == []
