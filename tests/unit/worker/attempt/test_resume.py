"""An optimization that was cut, stored and gone on with, against the one that ran through."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.space import PIXELS
from stylefarm.worker.attempt.checkpoint_file import (
    UnusableCheckpoint,
    read_checkpoint,
    temporary_file,
    write_checkpoint,
)
from stylefarm.worker.engine.methods.iterative import Progress, Scale, UpdateRules, optimize
from stylefarm.worker.engine.optim.first_order import Adam, Sgd
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate, Optimizer
from stylefarm.worker.engine.optim.state import EngineState

SCALES = ((8, 7), (12, 7))
ITERATIONS = sum(iterations for _, iterations in SCALES)

OPTIMISERS: dict[str, Callable[[], Optimizer]] = {
    "adam": lambda: Adam(LearningRate(0.02, 0.5, 5)),
    "sgd": lambda: Sgd(LearningRate(0.05), 0.9, 0.01),
    # Four pairs are full within a scale of seven steps; twenty never are.
    "lbfgs, full": lambda: LBFGS(LearningRate(1.0), history_size=4),
    "lbfgs, part-filled": lambda: LBFGS(LearningRate(1.0), history_size=20),
}

RULES = {
    "plain": UpdateRules(),
    "clamped and averaged": UpdateRules(clamp=True, average=0.6),
    "stopping": UpdateRules(average=0.3, stop_change=0.02),
    "stopping on the loss": UpdateRules(clamp=True, stop_loss_change=0.3, stop_loss_steps=3),
}


class Bowl:
    """A quartic bowl around a picture for each of a batch, with a draw by iteration; its losses are (B, 4)."""

    space = PIXELS

    def __init__(self, targets: Tensor) -> None:
        self.targets = targets

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        return self.gradient(image, iteration)[0]

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        drawn = torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(iteration))
        apart = image - self.targets
        loss = (apart.square() * (1 + drawn)).mean((1, 2, 3)) + apart.pow(4).mean((1, 2, 3))
        gradient = (2 * apart * (1 + drawn) + 4 * apart.pow(3)) / apart[0].numel()
        return torch.stack([loss] * 4, 1), gradient


def scales(prepared: list[int] | None = None) -> list[Scale]:
    targets = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 1.4 - 0.2

    def prepare(edge: int) -> tuple[Tensor, Bowl]:
        if prepared is not None:
            prepared.append(edge)
        sized = functional.interpolate(targets, (edge, edge), mode="bilinear")
        return torch.full_like(sized, 0.5), Bowl(sized)

    return [Scale(iterations, lambda edge=edge: prepare(edge)) for edge, iterations in SCALES]  # type: ignore[misc]


def cut(steps: int, name: str, rules: UpdateRules) -> EngineState:
    """A copy of the state with which the Progress after so many steps comes, before the run goes on."""
    running = optimize(scales(), OPTIMISERS[name](), rules)
    progress = next(islice(running, steps, None))
    assert progress.state is not None
    state = progress.state().copied()
    next(running)
    return state


def assert_same(found: list[Progress], expected: list[Progress]) -> None:
    assert [progress.iteration for progress in found] == [progress.iteration for progress in expected]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.losses, other.losses)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("name", OPTIMISERS)
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_what_is_gone_on_with_ends_with_the_same_bits(name: str, rules: UpdateRules, data: st.DataObject) -> None:
    """Given a run over two scales that is cut anywhere, if another goes on, I expect all that follows bit for bit."""
    expected = list(optimize(scales(), OPTIMISERS[name](), rules))
    steps = data.draw(st.integers(0, len(expected) - 2))
    found = list(optimize(scales(), OPTIMISERS[name](), rules, cut(steps, name, rules)))
    assert_same(found, expected[steps:])


def test_scales_that_are_over_are_not_prepared() -> None:
    """Given a run that was cut at its second scale, if it is gone on with, I expect the second alone prepared."""
    prepared: list[int] = []
    state = cut(SCALES[0][1], "adam", RULES["plain"])
    assert state.numbers["scale"] == 1
    list(optimize(scales(prepared), OPTIMISERS["adam"](), None, state))
    assert prepared == [SCALES[1][0]]


def test_pairs_begin_anew_where_the_history_is_left_out() -> None:
    """Given a state without its history, I expect it to be the picture alone, the run to go on, and to descend."""
    state = cut(5, "lbfgs, full", RULES["plain"]).without_history()
    assert set(state.tensors) == {"canvas.image", "canvas.moving"}
    found = list(optimize(scales(), OPTIMISERS["lbfgs, full"](), None, state))
    assert [progress.iteration for progress in found] == list(range(5, ITERATIONS + 1))
    assert (found[-1].losses < found[0].losses).all()


def test_a_state_of_another_size_is_refused() -> None:
    """Given a state of a picture of 8 pixels, if the scale has other ones now, I expect a ValueError."""
    with pytest.raises(ValueError, match="does not fit images"):
        list(optimize(scales()[1:], OPTIMISERS["adam"](), None, cut(2, "adam", RULES["plain"])))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_state_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    """Given a state, if it is written while the run holds it and read again, I expect the same run, and safetensors.

    That is: any program that reads safetensors reads the file, and finds in it what it says of itself.
    """
    rules = RULES["clamped and averaged"]
    expected = list(optimize(scales(), OPTIMISERS[name](), rules))
    progress = next(islice(optimize(scales(), OPTIMISERS[name](), rules), 6, None))
    assert progress.state is not None
    state, path = progress.state(), tmp_path / "checkpoint"
    write_checkpoint(path, state, {"engine_version": 3, "scale": 0})
    with read_checkpoint(path) as (read, checkpoint_metadata):
        assert checkpoint_metadata == {"engine_version": 3, "scale": 0}
        assert dict(read.numbers) == dict(state.numbers)
        assert_same(list(optimize(scales(), OPTIMISERS[name](), rules, read)), expected[6:])
    loaded = safetensors.torch.load_file(path)
    assert loaded.keys() == state.tensors.keys()
    assert all(torch.equal(loaded[key], state.tensors[key]) for key in loaded)


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "header"])
def test_a_damaged_file_is_no_checkpoint(damage: str, tmp_path: Path) -> None:
    """Given a file that was cut short, is empty, or holds something else, I expect UnusableCheckpoint."""
    path = tmp_path / "checkpoint"
    write_checkpoint(path, cut(3, "adam", RULES["plain"]), {})
    data = path.read_bytes()
    foreign = safetensors.torch.save({"image": torch.zeros(1)})
    broken = json.dumps({"__metadata__": {"numbers": "{", "about": "{}"}}).encode()
    path.write_bytes(
        {"cut": data[:-9], "empty": b"", "foreign": foreign, "header": len(broken).to_bytes(8, "little") + broken}[
            damage
        ]
    )
    with pytest.raises(UnusableCheckpoint), read_checkpoint(path):
        pass


def test_files_pass_and_leave_nothing(tmp_path: Path) -> None:
    """Given a folder with a file that a killed process has left there long ago, I expect both gone after the next."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "left").write_bytes(b"")
    os.utime(folder / "left", (0, 0))
    with temporary_file(folder) as path:
        path.write_bytes(b"x")
    assert list(folder.iterdir()) == []
