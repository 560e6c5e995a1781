"""Training of the decoders of adain and wct."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import Diverged, InvalidRequest
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.chain import Chain, Layer
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.model import read_model, write_model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.networks.memory_plan import OVERHEAD
from stylefarm.worker.training.decoder import DecoderTrainer
from stylefarm.worker.training.decoder_loss import AdainLoss, WctLoss
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs, load_trainer

PATH = ComputePath(torch.device("cpu"), "fp32")


def pictures(seed: int, count: int = 4, side: int = 40) -> list[Tensor]:
    """Noise of large grains on colors, (3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 5, 6, generator=generator)
    large = torch.nn.functional.interpolate(small, (side, side + 8), mode="bicubic").clamp(0, 1)
    return list((large * 255).byte())


def inputs(folder: Path, **fields: object) -> TrainingInputs:
    values = {
        "name": "a",
        "style": ["s.png", "t.png"],
        "image_size": 32,
        "batch_size": 2,
        "iterations": 4,
        "samples": 2,
        "learning_rate": 1e-4,
        **fields,
    }
    spec = TrainingSpec(**values)  # type: ignore[arg-type]
    return TrainingInputs(spec, PictureList(pictures(1)), pictures(2, 2), None, None, None, PATH, folder)


def run(trainer: DecoderTrainer, **state: object) -> list[Progress]:
    return list(trainer.run(**state))  # type: ignore[arg-type]


def held_loss(trainer: DecoderTrainer) -> float:
    """The loss of the last level over some crops, the same each time."""
    task = trainer.task
    decoder = Chain(task.levels[-1].decoder, {**task.given[-1], **task.decoders[-1].parameters}, fold=False)
    loss, total = task.losses[-1], 0.0
    for step in range(4):
        contents, styles = (each.crops.batch(step, 4) for each in (task.contents, task.styles))
        with torch.no_grad():
            found = loss(decoder, contents, styles) if isinstance(loss, AdainLoss) else loss(decoder, contents)
        total += float(found[0])
    return total


@pytest.mark.parametrize(("fields", "levels"), [({"method": "adain"}, [3]), ({"method": "wct", "levels": (2,)}, [2])])
def test_the_loss_falls_and_the_model_renders(tmp_path: Path, fields: dict[str, object], levels: list[int]) -> None:
    """given contents and styles, if decoders are trained for some steps, I expect a smaller loss over the same crops,
    samples of contents, styles and results, and a model that renders."""
    given = inputs(tmp_path, iterations=12, flip=False, **fields)
    trainer = load_trainer(given)
    assert isinstance(trainer, DecoderTrainer)
    before = held_loss(trainer)
    progress = run(trainer)
    assert held_loss(trainer) < before
    assert trainer.terms == given.spec.loss_terms
    assert progress[0].image.shape == (1, 3, 2 * 32, 3 * 32)
    for each in progress[1:]:
        torch.testing.assert_close(each.losses[0, 0], each.losses[0, 1:].sum())
    write_model(tmp_path / "a.safetensors", trainer.model())
    model = read_model(tmp_path / "a.safetensors")
    assert [level["level"] for level in model.architecture["levels"]] == levels
    assert model.card["steps"] == 12
    rendered = EncoderDecoderApplier(model, PATH).apply(
        torch.rand(1, 3, 33, 20), [StyleImage(torch.rand(1, 3, 24, 24))], ApplyOptions(), 1 << 30
    )
    assert rendered.shape == (1, 3, 33, 20)


@pytest.mark.parametrize(("features", "level"), [("squeezenet", 2), ("vgg19", 1)])
def test_a_training_begins_with_what_undoes_the_encoder(tmp_path: Path, features: str, level: int) -> None:
    """given decoders that no step has trained, if a picture is rendered at strength 0, I expect most of it back, of
    whatever size the encoder's features are."""
    trainer = DecoderTrainer(inputs(tmp_path, method="wct", features=features, levels=(level,)))
    content = trainer.task.contents.samples()
    applier = EncoderDecoderApplier(trainer.model(), PATH)
    back = applier.apply(content, [StyleImage(content)], ApplyOptions(strength=0.0), 1 << 30)
    assert (back - content).square().mean() < 0.3 * content.var()


@pytest.mark.parametrize("fields", [{"method": "adain", "iterations": 2}, {"method": "wct", "levels": (2, 1)}])
def test_a_training_goes_on_as_if_it_had_never_stopped(tmp_path: Path, fields: dict[str, object]) -> None:
    """given the state after any step, also between two decoders, if another trainer goes on from it, I expect the same
    losses and the same model, to the last bit."""
    whole = DecoderTrainer(inputs(tmp_path, **fields))
    states = [each.state and each.state().copied() for each in whole.run()]
    for state in states[1:-1]:
        again = DecoderTrainer(inputs(tmp_path, **fields))
        run(again, state=state)
        for name, tensor in whole.model().tensors.items():
            assert torch.equal(tensor, again.model().tensors[name]), name


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    """given weights that are no numbers, if it is trained, I expect a sentence, and no step with them."""
    trainer = DecoderTrainer(inputs(tmp_path, method="wct", levels=(1,)))
    with torch.no_grad():
        next(iter(trainer.task.decoders[0].parameters.values())).fill_(float("nan"))
    with pytest.raises(Diverged, match="left the finite numbers in step 1"):
        run(trainer)


def test_a_level_that_the_encoder_has_not_is_refused(tmp_path: Path) -> None:
    """given level 5, if SqueezeNet is the encoder, which has four, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="squeezenet has no level 5: its levels are 1 to 4"):
        DecoderTrainer(inputs(tmp_path, method="wct", levels=(5,)))


def identity(*names: str) -> tuple[list[Layer], dict[str, Tensor]]:
    """A chain of 1 x 1 convolutions that change nothing."""
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensors |= {f"{name}.weight": torch.eye(3)[:, :, None, None], f"{name}.bias": torch.zeros(3)}
    return [Layer("conv", name, relu=False) for name in names], tensors


def test_losses_are_those_of_the_paper(tmp_path: Path) -> None:
    """given an encoder and a decoder that change nothing, if the losses are measured, I expect none: adain has given
    the content the style's statistics. Of a decoder that adds .5 I expect the squares of .5."""
    spec = TrainingSpec(
        method="adain", name="a", style=("s.png",), normalization="none", content_weight=2.0, style_weight=3.0
    )
    layers, tensors = identity("a", "b")
    encoder, decoder = Chain(layers, tensors, fold=False), Chain(*identity("d"), fold=False)
    draw = torch.Generator().manual_seed(0)
    contents, styles = torch.rand(2, 3, 8, 8, generator=draw), torch.rand(2, 3, 6, 9, generator=draw) / 2
    adain, wct = AdainLoss(spec, encoder, (0, 1)), WctLoss(spec, encoder)
    torch.testing.assert_close(wct(decoder, contents), torch.zeros(3))
    torch.testing.assert_close(adain(decoder, contents, styles), torch.zeros(3), atol=1e-5, rtol=0)
    layers, tensors = identity("d")
    shifted = Chain(layers, {**tensors, "d.bias": torch.full((3,), 0.5)}, fold=False)
    pixels, features = 2 * 0.25, 3 * 0.25
    torch.testing.assert_close(wct(shifted, contents), torch.tensor([pixels + features, pixels, features]))
    # Of two layers the means are off by .5, and no deviation is.
    expected = torch.tensor([2 * 0.25 + 3 * 2 * 0.25, 2 * 0.25, 3 * 2 * 0.25])
    torch.testing.assert_close(adain(shifted, contents, styles), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("fields", [{"method": "wct", "levels": (2,)}, {"method": "wct", "levels": (1,)}])
def test_the_memory_of_a_step_is_about_what_is_said(tmp_path: Path, fields: dict[str, object]) -> None:
    """given a spec, if a step is made, I expect no more memory than is said, and no less than a third, beside what any
    process takes."""
    trainer = DecoderTrainer(inputs(tmp_path, iterations=1, image_size=64, batch_size=4, **fields))
    steps: Iterator[Tensor] = trainer.task.steps(0, 1)
    with torch.profiler.profile(profile_memory=True) as profiler:
        next(steps)
    held = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    said = trainer.bytes() - OVERHEAD
    assert said / 3 < peak < said
