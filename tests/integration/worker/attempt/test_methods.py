"""The methods of rendering through an embedded farm: presets, mixtures, masks, colors, scales, starts, files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import ExifTags, Image

from stylefarm import Farm, InvalidSpec, Job, JobFailed, State, sweep_sheet
from stylefarm.shared.images.encode import read_parameters
from stylefarm.shared.spec.parameters import STYLE_LOSSES
from stylefarm.shared.spec.presets import PRESETS
from stylefarm.worker.engine.methods.initial import noise_like
from stylefarm.worker.render.pictures import to_tensor
from tests.unit.pictures import photograph

# Weights of the style's layers stand for those that a preset gives its own layers.
SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"], "style_layer_weights": [1, 1]}
SMALL = {**SHALLOW, "size": 48, "iterations": 3}
SIZE = (48, 36)
# Two ways to the same numbers: in bfloat16 their sums would be rounded apart.
EXACT = {**SMALL, "precision": "fp32"}
LAST = {"iterations": 1, "optimizer": "adam", "learning_rate": 1e-6}  # a step so short that the start is what comes out

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF", "tiff": "TIFF"}


@pytest.fixture
def farm() -> Iterator[Farm]:
    with Farm() as farm:
        yield farm


@pytest.fixture
def pair(pictures: Path) -> dict[str, str]:
    return {"content": str(pictures / "a.png"), "style": str(pictures / "s.png")}


def mask(path: Path, *, left: bool = False) -> str:
    """A mask of the pictures' size, white all over or in its left half."""
    values = np.full((36, 48), 255, np.uint8)
    if left:
        values[:, 24:] = 0
    Image.fromarray(values).save(path)
    return str(path)


def levels(job: Job) -> npt.NDArray[np.float64]:
    """The result's pixels, 0 to 255."""
    return np.asarray(job.result().image, np.float64)


def picture(path: str, size: tuple[int, int] = SIZE) -> npt.NDArray[np.float64]:
    """The pixels that the farm sees of a file at that size, 0 to 255."""
    tensor = to_tensor(Image.open(path).convert("RGB"), size, torch.device("cpu"))
    return tensor[0].permute(1, 2, 0).double().numpy() * 255


def check_finite(job: Job, points: int) -> None:
    """The loss curve has so many points, one an iteration, and each of its terms is a number."""
    losses = job.losses()
    assert losses.iteration.tolist() == list(range(points))
    assert all(np.isfinite(term).all() for term in (losses.total, losses.content, losses.style, losses.tv))


@pytest.mark.parametrize("layers", [{}, SHALLOW], ids=["its own layers", "shallow"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_renders(farm: Farm, pair: dict[str, str], preset: str, layers: dict[str, Any]) -> None:
    """Given a preset made small, deep or shallow, if a job asks for it, I expect a picture and a finite loss curve."""
    first = {"first_iterations": 2} if preset == "multiscale" else {}
    job = farm.submit(**pair, **layers, **first, preset=preset, size=48, iterations=2)
    assert job.result().image.size == SIZE
    check_finite(job, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "multiscale", "min_size": 32, "first_iterations": 2},
        {"style_loss": {"sliced": 1, "gram": 0.5}, "init": "noise", "seed": 5},
        {"init": "blend", "optimizer": "adam", "average": 0.9, "denoise": 0.05, "color": "match", "format": "jpeg"},
    ],
    ids=["scales", "sliced", "adam"],
)
def test_the_same_spec_gives_the_same_bytes(farm: Farm, pair: dict[str, str], fields: dict[str, Any]) -> None:
    """Given one spec, if two jobs render it, I expect one file, byte for byte."""
    one, two = (farm.submit(**pair, **{**SMALL, **fields}) for _ in range(2))
    assert one.result().data == two.result().data


@pytest.mark.parametrize("loss", ["gram", "sliced", "mmd-gaussian", "wasserstein"])
def test_two_equal_styles_are_one(farm: Farm, pair: dict[str, str], loss: str) -> None:
    """Given one style named twice, if it is mixed at any weights, I expect the picture of the style alone."""
    common = {**EXACT, "style_loss": loss, "content": pair["content"], "optimizer": "adam"}
    alone = farm.submit(**common, style=pair["style"])
    twice = farm.submit(**common, style=[pair["style"]] * 2, style_weights=[1, 3])
    # Sums in another order round in another way, which of a tiny gradient Adam makes another sign.
    assert np.abs(levels(twice) - levels(alone)).mean() < 0.5
    assert twice.losses().style[0] == pytest.approx(alone.losses().style[0], rel=0.02)


def test_weights_move_a_mixture(farm: Farm, pair: dict[str, str], pictures: Path) -> None:
    """Given two styles, if all the weight is on one, I expect the picture of that one, and else another."""
    styles = [pair["style"], str(pictures / "t.png")]
    common = {**EXACT, "content": pair["content"], "optimizer": "adam"}
    alone = levels(farm.submit(**common, style=styles[0]))
    one_sided = levels(farm.submit(**common, style=styles, style_weights=[2, 0]))
    mixed = levels(farm.submit(**common, style=styles))
    assert np.abs(one_sided - alone).mean() < 0.5 < np.abs(mixed - alone).mean()


def test_white_masks_are_none(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given masks that are white all over, of content and style, I expect the picture that comes without them."""
    white = mask(tmp_path / "white.png")
    plain = farm.submit(**pair, **EXACT)
    masked = farm.submit(**pair, **EXACT, content_masks=white, style_masks=[white])
    # Sums in another order: what that leaves grows from step to step.
    assert np.abs(levels(masked) - levels(plain)).max() <= 3


def test_a_mask_keeps_a_style_to_its_half(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given a style for the left half alone, if the content is the start, I expect the right half to stay as it is."""
    left = mask(tmp_path / "left.png", left=True)
    job = farm.submit(**pair, **{**SMALL, "iterations": 8, "tv_weight": 0.0}, content_masks=[left])
    change = np.abs(levels(job) - picture(pair["content"])).mean((0, 2))
    # Some columns beyond the edge a layer still sees across it.
    assert change[32:].mean() < 2
    assert change[:24].mean() > 10 * change[32:].mean()


def test_luminance_keeps_the_contents_colors(farm: Farm, pair: dict[str, str]) -> None:
    """Given color = luminance, I expect the content's I and Q in every pixel, and another brightness."""
    fields = {**SMALL, "iterations": 6, "color": "luminance", "format": "tiff", "bits": 16}
    rendered = tifffile.imread(io.BytesIO(farm.submit(**pair, **fields).result().data))
    assert rendered.dtype == np.uint16
    yiq = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
    change = (rendered / 65535 - picture(pair["content"]) / 255) @ yiq.T
    assert np.abs(change[..., 1:]).max() < 2 / 65535
    assert np.abs(change[..., 0]).max() > 0.05


def test_gray_stays_gray(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given gray pictures and color = auto, I expect a gray result and gray snapshots, in shades of the style."""
    gray = {}
    for name, path in pair.items():
        gray[name] = str(tmp_path / f"{name}-gray.jpg")
        Image.open(path).convert("L").convert("RGB").save(gray[name], quality=95)
    fields = {**SMALL, "iterations": 6, "snapshot_every": 3}
    job = farm.submit(**gray, **fields, color="auto")
    shown = [levels(job), *(np.asarray(snapshot.fetch().image, dtype=float) for snapshot in job.snapshots())]
    for pixels in shown:
        assert (pixels == pixels[..., :1]).all()
    assert len(shown) == 2
    style = picture(gray["style"])[..., 0]
    assert abs(shown[0].mean() - style.mean()) < abs(picture(gray["content"]).mean() - style.mean())
    assert "color: gray, as all pictures are" in job.status().notes
    unasked = farm.submit(**gray, **fields)
    assert (unasked.id, unasked.created) == (job.id, False), "with the farm's own presets, auto need not be given"
    classic = farm.submit(**gray, **fields, preset="gatys")
    assert any("color = auto has none" in note for note in classic.status().notes)
    assert classic.status().spec["color"] == "style"
    mixed = farm.submit(content=gray["content"], style=pair["style"], **fields, color="auto")
    assert "color: style" in mixed.status().notes


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "avif"])
def test_transparency_is_given_back(farm: Farm, pair: dict[str, str], tmp_path: Path, kind: str) -> None:
    """Given a content that is transparent at the left, if alpha is kept, I expect the result transparent there."""
    content = Image.open(pair["content"]).convert("RGBA")
    opacity = Image.new("L", content.size, 255)
    opacity.paste(0, (0, 0, content.width // 2, content.height))
    content.putalpha(opacity)
    content.save(tmp_path / "cut.png")
    wanted = {"content": str(tmp_path / "cut.png"), "style": pair["style"], **SMALL, "format": kind}
    with Image.open(io.BytesIO(farm.submit(**wanted, alpha="keep").result().data)) as result:
        assert result.mode == "RGBA"
        found = np.asarray(result.getchannel("A"))
    middle = found.shape[1] // 2
    assert found[:, : middle - 2].max() <= 3
    assert found[:, middle + 2 :].min() >= 252
    dropped = farm.submit(**wanted)
    assert Image.open(io.BytesIO(dropped.result().data)).mode == "RGB"
    opaque = farm.submit(**pair, **SMALL, alpha="keep")
    assert any("transparent" in note for note in opaque.status().notes)
    assert opaque.status().spec == farm.submit(**pair, **SMALL).status().spec


def test_a_format_without_transparency_is_refused(farm: Farm, pair: dict[str, str]) -> None:
    """Given alpha = keep for a JPEG, I expect a sentence before anything is rendered."""
    with pytest.raises(InvalidSpec, match="format = jpeg holds no transparency: take png, webp, avif or tiff"):
        farm.submit(**pair, **SMALL, format="jpeg", alpha="keep")


def test_scales_make_one_job(farm: Farm, pair: dict[str, str]) -> None:
    """Given three scales, I expect snapshots that grow, one loss curve without gap or double, and all its steps."""
    scales = {"min_size": 24, "iterations": 4, "first_iterations": 6, "snapshot_every": 2}
    job = farm.submit(**pair, **{**SMALL, **scales})
    status = job.wait()
    assert (status.state, status.iteration, status.iterations) == (State.DONE, 14, 14)
    check_finite(job, 15)
    snapshots = job.snapshots()
    assert [snapshot.iteration for snapshot in snapshots] == [2, 4, 6, 8, 10, 12]
    edges = [snapshot.fetch().image.width for snapshot in snapshots]
    assert edges == [24, 24, 34, 34, 48, 48]
    assert job.result().image.size == SIZE


def test_a_picture_that_stands_still_is_done(farm: Farm, pair: dict[str, str]) -> None:
    """Given stop_change, if the picture hardly moves, I expect the job done before its iterations are over."""
    job = farm.submit(**pair, **{**SMALL, "iterations": 500, "optimizer": "adam", "stop_change": 0.01})
    status = job.wait()
    assert status.state is State.DONE
    assert 0 < status.iteration < 500
    check_finite(job, status.iteration + 1)


def test_a_job_starts_where_it_is_told_to(farm: Farm, pair: dict[str, str], pictures: Path) -> None:
    """Given each start, if one step of no length is made, I expect the start itself."""
    other = str(pictures / "b.png")
    jobs = {
        init: farm.submit(**pair, **{**SMALL, **LAST}, init=init, **({"init_image": other} if init == "image" else {}))
        for init in ("content", "style", "image", "noise", "blend")
    }
    noisy = farm.submit(**pair, **{**SMALL, **LAST}, init="noise", noise_range=[0.2, 0.4], seed=7)
    content = picture(pair["content"])
    expected = {"content": content, "style": picture(pair["style"]), "image": picture(other), "noise": noise(0)}
    expected["blend"] = 0.75 * expected["noise"] + 0.25 * content
    for init, start in expected.items():
        assert np.abs(levels(jobs[init]) - start).max() <= 0.6, init
    assert np.abs(levels(noisy) - (0.2 * 255 + 0.2 * noise(7))).max() <= 0.6


def noise(seed: int) -> npt.NDArray[np.float64]:
    """Uniform noise of the pictures' size, 0 to 255."""
    drawn = noise_like(torch.zeros(1, 3, 36, 48), "uniform", (0.0, 1.0), seed)
    return drawn[0].permute(1, 2, 0).double().numpy() * 255


def test_files_of_every_format(farm: Farm, pair: dict[str, str], pictures: Path) -> None:
    """Given a content with EXIF, if results are files of every format, I expect size, parameters and EXIF as asked."""
    camera = Image.Exif()
    camera[ExifTags.Base.Make] = "Lochkamera"
    photograph(48, 36).save(pictures / "camera.jpg", exif=camera)
    base = {**SMALL, "content": str(pictures / "camera.jpg"), "style": pair["style"], "iterations": 1}
    sweep = farm.sweep(matrix={"format": list(FORMATS), "exif": ["keep", "drop"]}, base=base)
    sweep.wait()
    for job in sweep.jobs():
        check_file(job.fetch().data, job.status().cell)


def check_file(data: bytes, cell: Mapping[str, str]) -> None:
    """The file is a picture of that format, tells how it was rendered, and keeps the camera's name if it is to."""
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == (FORMATS[cell["format"]], SIZE)
        assert image.getexif().get(ExifTags.Base.Make) == ("Lochkamera" if cell["exif"] == "keep" else None)
    parameters = read_parameters(data) or {}
    assert (parameters["format"], parameters["iteration"]) == (cell["format"], 1)


@pytest.mark.parametrize("fields", [{"preset": "reconstruct-content"}, {"style_weight": 0.0, "style": []}])
def test_content_alone_needs_no_style(farm: Farm, pair: dict[str, str], fields: dict[str, Any]) -> None:
    """Given no style, if the content is reconstructed from noise, I expect its loss to fall, and no other loss."""
    job = farm.submit(
        content=pair["content"], **{**SMALL, "iterations": 20, "tv_weight": 0.0, "init": "noise"}, **fields
    )
    status = job.wait()
    assert (status.state, status.title) == (State.DONE, "a.png"), status.error
    losses = job.losses()
    assert losses.content[-1] < 0.5 * losses.content[0]
    assert not losses.style.any()
    assert not losses.tv.any()


def test_a_sweep_over_presets_and_styles(farm: Farm, pair: dict[str, str], pictures: Path) -> None:
    """Given axes of presets and of styles with a mixture among them, I expect every cell rendered, and their sheet."""
    mixture = [pair["style"], str(pictures / "t.png")]
    matrix: dict[str, list[Any]] = {"preset": ["auto", "gatys", "pytorch", "multiscale"]}
    matrix["style"] = [pair["style"], mixture]
    # Of all presets one has scales, whose first would take its own thousand steps.
    base = {"content": pair["content"], **SMALL, "min_size": 32, "first_iterations": 2}
    sweep = farm.sweep(matrix=matrix, base=base, name="programs")
    statuses = sweep.wait()
    assert [status.state for status in statuses] == [State.DONE] * 8, [status.error for status in statuses]
    assert statuses[1].title == "a.png x s.png + t.png"
    upright, lying = (sweep_sheet(sweep, *axes, cell=48) for axes in (("preset", "style"), ("style", "preset")))
    assert upright.height > upright.width
    assert lying.width > lying.height


def test_a_sweep_over_style_losses(farm: Farm, pair: dict[str, str]) -> None:
    """Given an axis of all style losses and a mapping of two, I expect as many pictures, and a sheet."""
    losses = [*STYLE_LOSSES, {"gram": 1, "sliced": 0.5}]
    base = {**pair, **SMALL, "style_normalization": "relative"}
    sweep = farm.sweep(matrix={"style_loss": losses, "preset": ["auto", "pytorch"]}, base=base)
    statuses = sweep.wait()
    assert {status.state for status in statuses} == {State.DONE}, [status.error for status in statuses]
    assert len({job.fetch().image.tobytes() for job in sweep.jobs()}) == len(statuses) == 2 * len(losses)
    assert statuses[-1].spec["style_loss"] == {"gram": 1.0, "sliced": 0.5}
    sheet = sweep_sheet(sweep, "style_loss", "preset", cell=48)
    assert sheet.height > 8 * 36


@pytest.mark.parametrize("loss", STYLE_LOSSES)
def test_a_layer_may_end_in_one_position(farm: Farm, pair: dict[str, str], loss: str) -> None:
    """Given a picture of which the deepest layer sees one position, I expect every style loss to be a number there."""
    job = farm.submit(**pair, size=24, iterations=1, style_loss=loss, style_layers=["relu1_1", "relu5_1"])
    assert job.wait().error is None
    check_finite(job, 2)


@pytest.mark.parametrize("term", ["content", "style"])
def test_a_job_that_diverges_says_when_and_in_which_term(farm: Farm, pair: dict[str, str], term: str) -> None:
    """Given steps far too long, I expect the job failed at an iteration in a term, and what came before it kept."""
    weights = {"style_weight": 0.0 if term == "content" else 1.0, "content_weight": 0.0 if term == "style" else 1.0}
    steps = {
        "optimizer": "sgd",
        "learning_rate": 1e3,
        "iterations": 400,
        "snapshot_every": 1,
        "tv_weight": 0.0,
        "init": "noise",
    }
    job = farm.submit(**pair, style_loss="gram", **{**SMALL, **steps, **weights})
    with pytest.raises(JobFailed, match=f"the {term} loss left the finite numbers at iteration") as failed:
        job.result()
    found = re.search(r"iteration (\d+)", str(failed.value))
    assert found is not None
    iteration = int(found[1])
    assert iteration > 1
    assert job.losses().iteration.tolist() == list(range(iteration))
    assert [snapshot.iteration for snapshot in job.snapshots()][: iteration - 1] == list(range(1, iteration))
