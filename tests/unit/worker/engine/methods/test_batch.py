"""Pictures that are optimized together: each gives what it gives alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.batch import SequentialObjectives, batch_objectives
from stylefarm.worker.engine.methods.iterative import Progress, Scale, UpdateRules, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass
from stylefarm.worker.engine.optim.first_order import Adam, Sgd
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate, Optimizer

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "lbfgs": lambda: LBFGS(LearningRate(1.0), 3),
    "adam": lambda: Adam(LearningRate(0.02)),
    "sgd": lambda: Sgd(LearningRate(0.01)),
}


def pictures(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 40, 52, generator=torch.Generator().manual_seed(seed))


def rendered(contents: Tensor, styles: Tensor, optimizer: Optimizer) -> Progress:
    vgg = Vgg("vgg19", ["relu1_1", "relu2_1", "relu2_2"])
    randomize(vgg, 0)
    forward_pass = WholePass(VggNetwork(vgg))
    settings = LossSettings({"relu2_2": 1.0}, {"relu1_1": 0.5, "relu2_1": 0.5}, style_weight=10.0, tv_weight=1.0)
    each = [
        Objective(forward_pass, c, [StyleImage(s)], settings, start=c)
        for c, s in zip(contents.split(1), styles.split(1), strict=True)
    ]
    *_, last = optimize([Scale(6, lambda: (contents, SequentialObjectives(each)))], optimizer, UpdateRules(clamp=True))
    return last


@pytest.fixture
def _two_threads() -> Iterator[None]:
    """However many share the work, and so in whatever order it is summed up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_picture_of_a_batch_has_the_bits_that_it_has_alone(name: str) -> None:
    """given three contents and three styles; if they are rendered together; I expect each one's bytes as alone."""
    contents, styles = pictures(3, 1), pictures(3, 2)
    batch = rendered(contents, styles, OPTIMIZERS[name]())
    for index in range(3):
        alone = rendered(contents[index : index + 1], styles[index : index + 1], OPTIMIZERS[name]())
        assert torch.equal(batch.image[index], alone.image[0])
        assert torch.equal(batch.losses[index], alone.losses[0])
    assert not torch.equal(batch.image, contents)


def objectives(contents: Tensor, styles: Tensor, dtype: torch.dtype, loss: str) -> list[Objective]:
    vgg = Vgg("vgg19", ["relu1_1", "relu2_1", "relu2_2"])
    randomize(vgg, 0)
    vgg.cast(dtype)
    forward_pass = WholePass(VggNetwork(vgg))
    weights = (3.0, 10.0, 40.0)
    return [
        Objective(
            forward_pass,
            content.to(dtype),
            [StyleImage(style.to(dtype))],
            LossSettings(
                {"relu2_2": 1.0},
                {"relu1_1": 0.5, "relu2_1": 0.5},
                style_weight=weight,
                tv_weight=1.0,
                style_losses={loss: 1.0},
            ),
        )
        for content, style, weight in zip(contents.split(1), styles.split(1), weights, strict=True)
    ]


@pytest.mark.parametrize("loss", ["gram", "mean-std", "mmd-poly", "wasserstein"])
def test_joined_objectives_have_the_gradients_of_each(loss: str) -> None:
    """given objectives of other contents, styles and weights; if they are joined; I expect the gradients of each."""
    contents, styles = pictures(3, 1), pictures(3, 2)
    each = objectives(contents, styles, torch.float64, loss)
    joined = Objective.batched(each)
    assert joined is not None
    image = 0.9 * contents.double()
    expected = [objective.gradient(x) for objective, x in zip(each, image.split(1), strict=True)]
    losses, gradient = joined.gradient(image)
    assert torch.allclose(losses, torch.cat([one for one, _ in expected]), rtol=1e-12)
    assert torch.allclose(gradient, torch.cat([one for _, one in expected]), rtol=1e-10, atol=1e-14)


def test_what_cannot_be_joined_goes_one_by_one() -> None:
    """given losses over samples, or other layers; if they are to go at once; I expect one after the other."""
    contents, styles = pictures(3, 1), pictures(3, 2)
    sampled = objectives(contents, styles, torch.float32, "sliced")
    assert isinstance(batch_objectives(sampled, at_once=True), SequentialObjectives)
    mixed = [*objectives(contents, styles, torch.float32, "gram")[:1], *sampled[:1]]
    assert isinstance(batch_objectives(mixed, at_once=True), SequentialObjectives)
    alike = objectives(contents, styles, torch.float32, "gram")
    assert isinstance(batch_objectives(alike, at_once=True), Objective)
    assert isinstance(batch_objectives(alike, at_once=False), SequentialObjectives)
    assert batch_objectives(alike[:1], at_once=False) is alike[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_that_is_no_number_any_more_does_not_touch_the_others(name: str) -> None:
    """given a batch in which one picture is NaN; if it is rendered; I expect the others' bytes as alone."""
    contents, styles = pictures(3, 1), pictures(3, 2)
    contents[1, 0, 0, 0] = torch.nan
    batch = rendered(contents, styles, OPTIMIZERS[name]())
    assert not batch.losses[1].isfinite().all()
    for index in (0, 2):
        alone = rendered(contents[index : index + 1], styles[index : index + 1], OPTIMIZERS[name]())
        assert torch.equal(batch.image[index], alone.image[0])
