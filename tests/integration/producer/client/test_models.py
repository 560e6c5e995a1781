"""Jobs that trained models render, alone, in sweeps, and as the start of an optimization."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stylefarm import Farm, InvalidRequest, InvalidSpec, Job, NotFound, State
from stylefarm.producer.web.submitted import check_addresses
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.queries.jobs import Queries
from stylefarm.worker.engine.feedforward.model import Model
from tests.tiny_models import adain_model, put_models, trunk_model, written

PIXELS: dict[str, Any] = {"size": 32}


@pytest.fixture
def farm() -> Iterator[Farm]:
    with Farm() as farm:
        put_models(
            farm.services, waves=trunk_model("ulyanov"), three=trunk_model("cin", styles=3), anything=adain_model()
        )
        yield farm


def pixels(job: Job) -> NDArray[np.float64]:
    return np.asarray(job.result(timeout=60).image, np.float64)


def test_a_model_renders_by_its_name_alone(farm: Farm, pictures: Path) -> None:
    """Given a model, if a job names it, I expect a picture in one step, no loss curve, and its method in the spec."""
    job = farm.submit(content=str(pictures / "a.png"), model="waves", **PIXELS)
    picture = pixels(job)
    status = job.status()
    assert picture.shape == (24, 32, 3)
    assert (status.state, status.iteration, status.iterations, status.loss) == (State.DONE, 1, 1, None)
    assert (status.spec["method"], status.style) == ("ulyanov", "")
    assert len(job.losses()) == 0
    assert job.losses().terms == {}
    assert {"ssim", "self_similarity", "seconds"} <= status.metrics.keys()
    again = farm.submit(content=str(pictures / "a.png"), model="waves", size=32, seed=7, iterations=9)
    assert again.id == job.id, "what has no effect is left out of the key"


def test_a_model_whose_training_ends_meanwhile_is_found(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a training that ends just as its model is looked for, here or over HTTP, I expect the model found."""
    training = Queries.training

    def ends(queries: Queries, name: str) -> JobRow | None:
        put_models(farm.services, **{name: trunk_model("ulyanov", seed=len(name))})
        return training(queries, name)

    monkeypatch.setattr(Queries, "training", ends)
    assert farm.submit(content=str(pictures / "a.png"), model="ripples", **PIXELS).created
    check_addresses(farm, {"model": "whirls"})


def test_several_styles_of_a_model_are_chosen_and_mixed(farm: Farm, pictures: Path) -> None:
    """Given a model of three styles, if each is asked for, and a mixture, I expect four pictures, named by style."""
    sweep = farm.sweep(
        matrix={"style_index": [0, 1, 2, [0, 2]]}, base={"content": str(pictures / "a.png"), "model": "three", **PIXELS}
    )
    sweep.wait(timeout=60)
    rendered = [np.asarray(job.result().image, np.float64) for job in sweep.jobs()]
    names = [job.status().style for job in sweep.jobs()]
    assert names == ["style 0", "style 1", "style 2", "style 0 + style 2"]
    for place, one in enumerate(rendered):
        assert all(np.abs(one - other).mean() > 1 for other in rendered[place + 1 :])


def test_masks_place_the_styles_of_a_model(farm: Farm, pictures: Path) -> None:
    """Given two styles with a half of the picture each, I expect, far from the border between, each style alone.

    Normalization looks at all of a picture, so that the halves are only nearly those of the whole pictures.
    """
    mask = np.zeros((36, 48), np.uint8)
    mask[:, :24] = 255
    for name, values in (("left", mask), ("right", 255 - mask)):
        Image.fromarray(values).save(pictures / f"{name}.png")
    common = {"content": str(pictures / "a.png"), "model": "three", "size": 48}
    alone = [pixels(farm.submit(**common, style_index=index)) for index in (0, 1)]
    masks = [str(pictures / "left.png"), str(pictures / "right.png")]
    both = pixels(farm.submit(**common, style_index=[0, 1], content_masks=masks))
    left, right = both[:, :12], both[:, 36:]
    assert np.abs(left - alone[0][:, :12]).mean() < np.abs(left - alone[1][:, :12]).mean()
    assert np.abs(right - alone[1][:, 36:]).mean() < np.abs(right - alone[0][:, 36:]).mean()


def test_pictures_of_styles_are_taken_on(farm: Farm, pictures: Path) -> None:
    """Given a model for any style, if two styles and strengths are asked for, I expect strength 0 alike for both."""
    sweep = farm.sweep(
        matrix={"style": [str(pictures / "s.png"), str(pictures / "t.png")], "strength": [0.0, 1.0]},
        base={"content": str(pictures / "a.png"), "model": "anything", **PIXELS},
    )
    sweep.wait(timeout=60)
    # The last axis goes fastest.
    plain, one, also_plain, other = map(pixels, sweep.jobs())
    assert np.abs(plain - also_plain).max() <= 1
    assert min(np.abs(one - plain).mean(), np.abs(one - other).mean()) > 1


def test_a_picture_keeps_its_colors(farm: Farm, pictures: Path) -> None:
    """Given color = luminance, I expect the chroma of the content, which the style alone does not have."""
    common = {"content": str(pictures / "a.png"), "model": "waves", "size": 48}
    content = np.asarray(Image.open(pictures / "a.png").convert("YCbCr"), np.float64)[..., 1:]
    kept, free = (
        np.asarray(farm.submit(**common, color=color).result(timeout=60).image.convert("YCbCr"), np.float64)[..., 1:]
        for color in ("luminance", "style")
    )
    assert np.abs(kept - content).mean() < np.abs(free - content).mean() / 2


def test_an_optimization_starts_from_a_model(farm: Farm, pictures: Path) -> None:
    """Given init = model, I expect the first picture of the optimization to be the model's, and another loss."""
    common = {
        "content": str(pictures / "a.png"),
        "style": str(pictures / "s.png"),
        "content_layers": ["relu2_1"],
        "style_layers": ["relu1_1"],
        "style_loss": "gram",
        "iterations": 1,
        **PIXELS,
    }
    from_model, from_content = (farm.submit(**common, **more) for more in ({"init": "model", "model": "anything"}, {}))
    assert from_model.wait(timeout=60).spec["method"] == "gatys"
    from_content.wait(timeout=60)
    assert from_model.losses().content[0] > from_content.losses().content[0] == 0


def test_a_model_in_a_file_is_stored_with_the_job(farm: Farm, pictures: Path, tmp_path: Path) -> None:
    """Given a file of a model that is not registered, if a job names it, I expect it stored and used."""
    file = written(trunk_model("johnson", seed=5), tmp_path / "mine.safetensors")
    job = farm.submit(content=str(pictures / "a.png"), model=str(file), **PIXELS)
    file.unlink()
    assert job.wait(timeout=60).state is State.DONE
    sha256 = job.status().spec["model"].removeprefix("sha256:")
    assert farm.services.blobs.exists(f"models/{sha256}")
    farm.delete([job])
    assert not farm.services.blobs.exists(f"models/{sha256}")


def test_a_deleted_model_is_kept_for_the_jobs_that_name_it(farm: Farm, pictures: Path) -> None:
    """Given a queued job, if its model is deleted, I expect it rendered; and the file gone with the job."""
    job = farm.submit(content=str(pictures / "a.png"), model="waves", **PIXELS)
    sha256 = job.status().spec["model"].removeprefix("sha256:")
    farm.store.models.delete("waves")
    farm.services.dropped.delete(grace=0)
    with pytest.raises(NotFound, match="no model is called 'waves'"):
        farm.submit(content=str(pictures / "b.png"), model="waves", **PIXELS)
    assert job.wait(timeout=60).state is State.DONE
    farm.delete([job])
    assert not farm.services.blobs.exists(f"models/{sha256}")
    assert farm.services.queries.artifacts(job.id, ArtifactRole.MODEL) == []


@pytest.mark.parametrize(
    ("fields", "error", "sentence"),
    [
        ({"model": "wave"}, NotFound, "no model is called 'wave', nor is there such a file: did you mean 'waves'"),
        ({"model": "waves", "method": "cin"}, InvalidSpec, "method = cin, but waves .* is one of ulyanov"),
        ({"method": "johnson"}, InvalidSpec, "method = johnson needs a model"),
        ({"model": "waves", "style": "s.png"}, InvalidSpec, "takes no style pictures: it has learned its own"),
        ({"model": "three"}, InvalidSpec, "style_index is missing: three .* has the styles 0 to 2"),
        (
            {"model": "three", "style_index": 3},
            InvalidSpec,
            "style_index = 3, but three .* has 3 styles, from 0 on",
        ),
        ({"model": "three", "style": "s.png"}, InvalidSpec, "choose among its styles by style_index"),
        ({"model": "anything"}, InvalidSpec, "style is missing: method = adain takes any style"),
        ({"model": "three", "style_index": [0, 1], "style_weights": [1.0]}, InvalidSpec, "1 weight for 2 styles"),
        ({"model": "waves", "color": "match"}, InvalidSpec, "color = match needs style pictures"),
        ({"init": "model", "style": "s.png"}, InvalidSpec, "init = model needs a model"),
        ({"model": "a.png"}, InvalidRequest, "a.png is no model of stylefarm"),
        ({"model": "odd.safetensors"}, InvalidRequest, "model: odd.safetensors is no model .* cannot be read"),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    farm: Farm,
    pictures: Path,
    fields: dict[str, Any],
    error: type[Exception],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a model, if a job contradicts it, I expect one sentence, and no job."""
    monkeypatch.chdir(pictures)
    written(Model("adain", {"levels": 5}, {}), Path("odd.safetensors"))
    with pytest.raises(error, match=sentence):
        farm.submit(content="a.png", **fields)
    assert farm.jobs() == []
