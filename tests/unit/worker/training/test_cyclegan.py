"""Training of cyclegan: its losses by hand, exact resume, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylefarm.shared.errors import Diverged, InvalidRequest
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.cyclegan import CycleGanApplier
from stylefarm.worker.training.cyclegan import CycleGanTask, CycleGanTrainer
from stylefarm.worker.training.trainer import TrainingInputs, load_trainer
from tests.unit.worker.training.small import CPU, inputs


def given(folder: Path, **changes: Any) -> TrainingInputs:
    return inputs(folder, "cyclegan", styles=0, others=4, **{"batch_size": 1, **changes})


def drawn(seed: int, height: int = 32, width: int = 32) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


class Same(nn.Module):
    """A generator that returns what it gets."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_the_loss_falls(tmp_path: Path) -> None:
    """Given a few dozen steps, if a model is trained, I expect less cycle loss and pictures in range, both ways."""
    trainer = load_trainer(given(tmp_path, iterations=24, sample_every=0, learning_rate=3e-3))
    run = list(trainer.run())
    assert trainer.terms == ("total", "adversarial", "cycle", "identity", "discriminator")
    cycle = [float(progress.losses[0, 2]) for progress in run[1:]]
    assert sum(cycle[-6:]) < 0.9 * sum(cycle[:6])
    model, contents = trainer.model(), drawn(0, 40, 36)
    for options in (ApplyOptions(direction="forward"), ApplyOptions(direction="backward")):
        picture = CycleGanApplier(model, CPU).apply(contents, [], options, 1 << 30)
        assert picture.shape == contents.shape
        assert 0 <= float(picture.min()) < float(picture.max()) <= 1


def test_generators_that_change_nothing_lose_nothing(tmp_path: Path) -> None:
    """Given generators that are identities, if they are judged, I expect no cycle and no identity loss."""
    task = CycleGanTask(given(tmp_path))
    task.generators = {direction: Same() for direction in task.generators}
    pictures = {"forward": drawn(0), "backward": drawn(1)}
    adversarial, cycle, identity = task.generator_losses(pictures, pictures)
    assert float(cycle) == float(identity) == 0
    expected = sum(
        (task.discriminators[direction](pictures[direction] * 2 - 1) - 1).square().mean() for direction in pictures
    )
    torch.testing.assert_close(adversarial, expected)


def test_losses_are_the_papers(tmp_path: Path) -> None:
    """Given two generators, if they are judged, I expect L1 distances of pictures from -1 to 1, weighted."""
    task = CycleGanTask(given(tmp_path, cycle_weight=3.0, identity_weight=0.25))
    pictures = {"forward": drawn(0), "backward": drawn(1)}
    ahead, back = (task.generators[direction] for direction in ("forward", "backward"))
    first, second = pictures["forward"], pictures["backward"]
    _, cycle, identity = task.generator_losses(pictures, {"forward": ahead(first), "backward": back(second)})
    returned = (back(ahead(first)) - first).abs().mean() + (ahead(back(second)) - second).abs().mean()
    kept = (ahead(second) - second).abs().mean() + (back(first) - first).abs().mean()
    torch.testing.assert_close(cycle, 3.0 * 2 * returned)
    torch.testing.assert_close(identity, 3.0 * 0.25 * 2 * kept)


def test_a_resumed_training_gives_the_same_bytes(tmp_path: Path) -> None:
    """Given the state after some steps, if another process goes on from it, I expect the weights to the last bit."""
    start = given(tmp_path, pool_size=2, linear_decay=0.5)
    whole = CycleGanTrainer(start)
    states = [progress.state and progress.state().copied() for progress in whole.run()]
    resumed = CycleGanTrainer(start)
    run = list(resumed.run(states[3]))
    assert [progress.iteration for progress in run] == [3, 4, 5, 6]
    for name, tensor in whole.model().tensors.items():
        assert torch.equal(tensor, resumed.model().tensors[name]), name


def test_samples_go_there_and_back(tmp_path: Path) -> None:
    """Given two sets, if samples are made, I expect rows of both sets: a picture, its translation, and back again."""
    first = next(iter(CycleGanTrainer(given(tmp_path, samples=2)).run()))
    assert tuple(first.image.shape) == (1, 3, 2 * 2 * 32, 3 * 32)


def test_a_loss_that_is_no_number_is_named(tmp_path: Path) -> None:
    """Given a discriminator that returns no number, if a step is made, I expect an error that names the loss."""
    trainer = CycleGanTrainer(given(tmp_path))
    run = trainer.run()
    next(run)
    with torch.no_grad():
        next(trainer.task.discriminators["forward"].parameters()).fill_(torch.nan)
    with pytest.raises(Diverged, match="the adversarial loss"):
        next(run)


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    """Given no pictures in a set, if a trainer is made, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="no pictures"):
        CycleGanTrainer(inputs(tmp_path, "cyclegan", styles=0, others=3, contents=0))
