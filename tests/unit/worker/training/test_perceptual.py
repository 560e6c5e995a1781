"""Training of johnson, ulyanov and cin: losses by a plain reference, exact resume, styles added, what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import Diverged, InvalidRequest, InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.model import Model, read_model, write_model
from stylefarm.worker.engine.feedforward.trunk_applier import TrunkApplier
from stylefarm.worker.engine.losses.moment_losses import MIN_RATIO
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.training.perceptual import PerceptualTask, PerceptualTrainer
from stylefarm.worker.training.perceptual_loss import PerceptualLoss
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs, load_trainer
from tests.unit.worker.training.small import CPU, inputs, painted

AUTO: dict[str, Any] = {"content_layers": "auto", "style_layers": "auto"}
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("johnson", {}),
    ("ulyanov", {}),
    ("cin", {"styles": 2}),
    ("cin", {"styles": 2, "adjustable": True, "style_weights": [1.0, 0.5]}),
]


def trained(given: TrainingInputs) -> Model:
    trainer = load_trainer(given)
    for _ in trainer.run():
        pass
    return trainer.model()


def rendered(model: Model, content: Tensor, style: int = 0, strength: float = 1.0) -> Tensor:
    styles = [StyleIndex(style)] if model.method == "cin" else []
    return TrunkApplier(model, CPU).apply(content, styles, ApplyOptions(strength=strength), 1 << 30)


@pytest.mark.parametrize(("method", "changes"), WAYS)
def test_the_loss_falls(method: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Given a few dozen steps, if a network is trained, I expect less loss, no frame and no spike."""
    trainer = load_trainer(inputs(tmp_path, method, **{"iterations": 30, "sample_every": 0, **changes}))
    run = list(trainer.run())
    totals = [float(progress.losses[0, 0]) for progress in run[1:]]
    assert sum(totals[-6:]) < 0.8 * sum(totals[:6])
    assert trainer.terms == ("total", "content", "style", "tv")
    content = painted(3, 64, 64)[None].float() / 255
    picture = rendered(trainer.model(), content)
    assert -0.25 <= float(picture.min()) <= float(picture.max()) <= 1.25
    assert float(picture.std()) > 0.02
    # A droplet of instance normalization is a few positions far from all others.
    middle, spread = picture.mean((2, 3), keepdim=True), picture.std((2, 3), keepdim=True)
    assert float(((picture - middle).abs() / spread).max()) < 8
    edge = torch.cat([picture[..., :4, :].flatten(2), picture[..., -4:, :].flatten(2)], 2).mean(2)
    assert float((edge - middle[..., 0, 0]).abs().max()) < 0.25


@pytest.mark.parametrize(("method", "changes"), WAYS)
def test_a_resumed_training_gives_the_same_bytes(method: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Given the state after some steps, if another process goes on from it, I expect the weights to the last bit."""
    given = inputs(tmp_path, method, **changes)
    whole = PerceptualTrainer(given)
    states = [(p.state and p.state().copied(), p.losses) for p in whole.run()]
    state = states[2][0]
    assert state is not None
    assert states[-1][0] is None
    resumed = PerceptualTrainer(given)
    run = list(resumed.run(state))
    assert [progress.iteration for progress in run] == [2, 3, 4, 5, 6]
    for progress, (_, losses) in zip(run, states[2:], strict=True):
        assert torch.equal(progress.losses, losses)
    for name, tensor in whole.model().tensors.items():
        assert torch.equal(tensor, resumed.model().tensors[name]), name
    assert resumed.model().card["losses"] == whole.model().card["losses"]


def test_another_seed_is_another_training(tmp_path: Path) -> None:
    """Given two seeds, if networks are trained, I expect two; and of one seed twice, the same."""
    first, again, other = (trained(inputs(tmp_path, "ulyanov", seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(tensor, again.tensors[name]) for name, tensor in first.tensors.items())
    assert not torch.equal(first.tensors["up.2.conv.weight"], other.tensors["up.2.conv.weight"])


def test_samples_show_the_same_contents(tmp_path: Path) -> None:
    """Given samples every 3 steps, if a cin is trained, I expect a sheet: contents, then a column for each style."""
    run: list[Progress] = list(PerceptualTrainer(inputs(tmp_path, "cin", styles=2)).run())
    sheets = [progress.image for progress in run]
    assert {tuple(sheet.shape) for sheet in sheets} == {(1, 3, 2 * 32, 3 * 32)}
    assert all(torch.equal(sheet[..., :32], sheets[0][..., :32]) for sheet in sheets)
    changed = [not torch.equal(a, b) for a, b in pairwise(sheets)]
    assert changed == [False, False, True, False, False, True]


def test_the_model_is_what_the_trainer_showed(tmp_path: Path) -> None:
    """Given a trained model, if it is written, read and applied, I expect the samples of the last step."""
    trainer = PerceptualTrainer(inputs(tmp_path, "ulyanov"))
    last = list(trainer.run())[-1]
    write_model(tmp_path / "a.safetensors", trainer.model())
    model = read_model(tmp_path / "a.safetensors")
    contents, found = last.image[..., :32], last.image[..., 32:]
    torch.testing.assert_close(rendered(model, contents[:, :, :32]).clamp(0, 1), found[:, :, :32], atol=1e-4, rtol=0)
    assert model.card["method"] == "ulyanov"
    assert model.card["steps"] == 6
    assert model.card["pictures"] == {"contents": 5, "styles": 1}
    assert set(model.card["losses"]) == {"total", "content", "style", "tv"}


@pytest.mark.parametrize("adjustable", [False, True])
def test_an_added_style_leaves_the_others(adjustable: bool, tmp_path: Path) -> None:
    """Given a cin model, if a style is added to it, I expect the old styles to the last bit, and a new one."""
    base = trained(inputs(tmp_path, "cin", styles=2, adjustable=adjustable))
    grown = trained(inputs(tmp_path, "cin", styles=1, base=base, adjustable=adjustable, channels=8))
    assert grown.architecture["styles"] == 3
    content = painted(3)[None].float() / 255
    for style in (0, 1):
        assert torch.equal(rendered(base, content, style), rendered(grown, content, style))
    fresh = grown.tensors["blocks.0.first.norm.weight"][2]
    assert not torch.equal(fresh, torch.ones_like(fresh))
    assert not torch.allclose(rendered(grown, content, 2), rendered(grown, content, 0), atol=1e-3)


def test_one_style_begins_with_what_many_have_in_common(tmp_path: Path) -> None:
    """Given a model of cin, if a training of ulyanov has it as base, I expect its convolutions, one scale in place of
    several, and all of it trained."""
    base = trained(inputs(tmp_path, "cin", styles=3))
    one = trained(inputs(tmp_path, "ulyanov", base=base, channels=8, iterations=1))
    assert one.architecture == {**base.architecture, "norm": "instance", "styles": 0}
    for name, tensor in one.tensors.items():
        before = base.tensors[name].mean(0) if ".norm." in name else base.tensors[name]
        assert 0 < (tensor - before).abs().max() < 0.02, name


def test_a_network_goes_on_from_its_base(tmp_path: Path) -> None:
    """Given a model of ulyanov, if a training has it as base, I expect its weights in the first samples."""
    base = trained(inputs(tmp_path, "ulyanov"))
    first = next(iter(PerceptualTrainer(inputs(tmp_path, "ulyanov", base=base, channels=8)).run()))
    contents, found = first.image[:, :, :32, :32], first.image[:, :, :32, 32:]
    torch.testing.assert_close(rendered(base, contents).clamp(0, 1), found, atol=1e-4, rtol=0)


def test_no_step_changes_the_weights_once_a_loss_is_no_number(tmp_path: Path) -> None:
    """Given a step that leaves the finite numbers, I expect the term's name, and the weights as before."""
    trainer = PerceptualTrainer(inputs(tmp_path, "ulyanov"))
    run = trainer.run()
    list(islice(run, 3))
    before = {name: tensor.clone() for name, tensor in trainer.model().tensors.items()}
    second = trainer.task.loss.styles[0]["fire3"].second
    assert second is not None
    second.fill_(torch.nan)
    with pytest.raises(Diverged, match=r"in step 3 \(the style loss\)"):
        next(run)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model().tensors.items())


@pytest.mark.parametrize(
    ("normalization", "style_loss", "tv"),
    [("relative", "gram", 2.0), ("pytorch", "gram", 1e-6), ("none", "gram", 1e-6), ("relative", "covariance", 2.0)],
)
def test_losses_and_gradient_are_those_of_autograd(
    normalization: str, style_loss: str, tv: float, tmp_path: Path
) -> None:
    """Given rendered pictures, if they are judged, I expect the losses of plain formulas, and autograd's gradient."""
    changes = {"normalization": normalization, "style_loss": style_loss, "tv_weight": tv, "content_weight": 2.0, **AUTO}
    given = inputs(tmp_path, "cin", styles=2, **changes)
    loss = PerceptualTask(given).loss
    contents, factors, which = painted(1)[None].float() / 255, torch.tensor([0.5]), [1]
    pixels = (painted(2)[None].float() / 255).requires_grad_()
    found, gradient = loss(pixels.detach(), contents, which, factors, (1, 2))
    expected = _plain_losses(given, pixels, contents, which, factors, (1, 2))
    torch.testing.assert_close(found[1:], torch.stack(expected).detach(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(found[0], found[1:].sum())
    (wanted,) = torch.autograd.grad(sum(expected, torch.zeros(())), pixels)
    torch.testing.assert_close(gradient, wanted, rtol=1e-2, atol=1e-3 * float(wanted.abs().max()))


def test_contents_take_on_the_colors_of_their_styles(tmp_path: Path) -> None:
    """Given recolor, if a step compares its contents, I expect them in the mean color of the style, and else as they
    are."""
    seen: list[Tensor] = []

    def spied(loss: PerceptualLoss) -> Any:
        def spy(rendered: Tensor, compared: Tensor, *rest: Any) -> Any:
            seen.append(compared)
            return loss(rendered, compared, *rest)

        spy.styles = loss.styles  # type: ignore[attr-defined]
        return spy

    for recolor in (True, False):
        task = PerceptualTask(inputs(tmp_path, "ulyanov", recolor=recolor))
        task.loss = spied(task.loss)
        next(task.steps(0, 1))
    recolored, plain = seen
    style = painted(100).float().mean((1, 2)) / 255
    assert (recolored.mean((0, 2, 3)) - style).abs().max() < 0.03
    assert not torch.allclose(recolored, plain, atol=0.05)


def _plain_losses(
    given: TrainingInputs, pixels: Tensor, contents: Tensor, which: list[int], factors: Tensor, offset: tuple[int, int]
) -> list[Tensor]:
    from stylefarm.worker.engine.networks.module_network import run_to_layers
    from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
    from stylefarm.worker.engine.networks.weights import load_squeezenet
    from stylefarm.worker.engine.space import to_input
    from stylefarm.worker.training.loss_network import CONTENT_LAYERS, STYLE_LAYERS
    from stylefarm.worker.training.resized import resized_long

    network = SqueezeNet("blur", first_layer="dense")
    load_squeezenet(network, given.weights.tensors if given.weights else {})
    spec, (rows, columns) = given.spec, offset

    def features(image: Tensor) -> dict[str, Tensor]:
        return run_to_layers(network, network.submodules, to_input(network.space, image))

    def shifted(image: Tensor) -> Tensor:
        pad = (columns, spec.shift - columns, rows, spec.shift - rows)
        return torch.nn.functional.pad(image, pad, "reflect")

    def gram(x: Tensor) -> Tensor:
        flat = x[0].flatten(1)
        return flat @ flat.T / flat.shape[1]

    def covariance_distance(x: Tensor, y: Tensor) -> Tensor:
        mean, to_mean = (z[0].flatten(1).mean(1) for z in (x, y))
        own, to_own = (torch.cov(z[0].flatten(1), correction=0) for z in (x, y))
        unit = to_own.square().sum() + MIN_RATIO * gram(y).square().sum()
        size = to_mean.square().sum() + MIN_RATIO * gram(y).trace()
        return ((own - to_own).square().sum() / unit + (mean - to_mean).square().sum() / size) / 2

    mine, theirs = features(shifted(pixels)), features(shifted(contents))
    style = features(resized_long(given.styles[which[0]], spec.style_size))
    content_loss, style_loss = torch.zeros(()), torch.zeros(())
    for layer in CONTENT_LAYERS["squeezenet"]:
        count = len(CONTENT_LAYERS["squeezenet"])
        unit = theirs[layer].square().mean() * count if spec.normalization == "relative" else 1.0
        content_loss = content_loss + (mine[layer] - theirs[layer]).square().mean() / unit
    for layer in STYLE_LAYERS["squeezenet"]:
        wanted, count = gram(style[layer]), len(STYLE_LAYERS["squeezenet"])
        if spec.style_loss == "covariance":
            style_loss = style_loss + covariance_distance(mine[layer], style[layer]) / count
            continue
        units: dict[str, float | Tensor] = {
            "relative": wanted.square().mean() * count,
            "pytorch": float(len(wanted) ** 2),
            "none": 1.0,
        }
        style_loss = style_loss + (gram(mine[layer]) - wanted).square().mean() / units[spec.normalization]
    differences = [pixels.diff(dim=dim).square() for dim in (2, 3)]
    if spec.normalization == "relative":
        variation = sum((each.mean() for each in differences), torch.zeros(()))
    else:
        variation = sum((255**2 * each.sum() / 2 for each in differences), torch.zeros(()))
    return [
        spec.content_weight * content_loss,
        spec.style_weight * factors[0] * style_loss,
        spec.tv_weight * variation,
    ]


def test_published_presets_train_too(tmp_path: Path) -> None:
    """Given the presets as published, if they make a step on random weights, I expect finite losses."""
    small: dict[str, Any] = {
        "channels": 4,
        "blocks": 1,
        "image_size": 32,
        "style_size": 48,
        "batch_size": 1,
        "iterations": 1,
    }
    for method in ("johnson", "ulyanov", "cin"):
        given = inputs(tmp_path, method, preset="as-published", features="squeezenet", **small)
        spec = type(given.spec)(
            method=method, name="a", style=("0.png",), preset="as-published", features="squeezenet", **small
        )
        last = list(PerceptualTrainer(replace(given, spec=spec)).run())[-1]
        assert last.losses.isfinite().all()


@pytest.mark.parametrize("features", ["vgg16", "vgg19"])
def test_vgg_may_be_the_network_of_the_losses(features: str, tmp_path: Path) -> None:
    """Given random weights of VGG, if a network is trained by them, I expect finite losses and a card."""
    given = replace(inputs(tmp_path, "ulyanov", features=features, iterations=1, batch_size=1, **AUTO), weights=None)
    run = list(PerceptualTrainer(given).run())
    assert run[-1].losses.isfinite().all()
    assert bool((run[-1].losses[0, 1:3] > 0).all())


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ("no contents", InvalidRequest, "no pictures"),
        ("a small style", InvalidSpec, "style 0 is 6 x 4 pixels"),
        ("another method's base", InvalidSpec, "base is a model of johnson"),
        ("a base that is not adjustable", InvalidSpec, "base is not adjustable"),
        ("weights of VGG", InvalidRequest, "they are not torchvision's squeezenet"),
    ],
)
def test_what_cannot_be_trained_is_refused(change: str, error: type[Exception], sentence: str, tmp_path: Path) -> None:
    """Given pictures, weights or a base that do not fit, if a trainer is made, I expect a sentence that says which."""
    given = inputs(tmp_path, "cin", adjustable=change == "a base that is not adjustable")
    if change == "no contents":
        given = replace(given, contents=PictureList([]))
    elif change == "a small style":
        given = replace(given, styles=[painted(0, 4, 6)])
    elif change == "another method's base":
        given = replace(given, base=trained(inputs(tmp_path, "johnson", iterations=1)))
    elif change == "a base that is not adjustable":
        given = replace(given, base=trained(inputs(tmp_path, "cin", iterations=1)))
    elif given.weights is not None:
        given = replace(given, weights=replace(given.weights, tensors={"features.3.squeeze.weight": torch.zeros(1)}))
    with pytest.raises(error, match=sentence):
        PerceptualTrainer(given)
