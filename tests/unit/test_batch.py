"""Pictures that are optimised together: each gives what it gives alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from worker.engine.backbone import Backbone, WholePass
from worker.engine.batch import OneByOne
from worker.engine.features import Vgg, randomise
from worker.engine.iterative import Progress, Rules, Scale, optimise
from worker.engine.lbfgs import LBFGS
from worker.engine.objective import LossSettings, Objective
from worker.engine.optimisers import Adam, Optimiser, Rate, Sgd
from worker.engine.targets import Style

OPTIMISERS: dict[str, Callable[[], Optimiser]] = {
    "lbfgs": lambda: LBFGS(Rate(1.0), 3),
    "adam": lambda: Adam(Rate(0.02)),
    "sgd": lambda: Sgd(Rate(0.01)),
}


def pictures(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 40, 52, generator=torch.Generator().manual_seed(seed))


def painted(contents: Tensor, styles: Tensor, optimiser: Optimiser) -> Progress:
    vgg = Vgg("vgg19", ["relu1_1", "relu2_1", "relu2_2"])
    randomise(vgg, 0)
    passage = WholePass(Backbone(vgg))
    settings = LossSettings({"relu2_2": 1.0}, {"relu1_1": 0.5, "relu2_1": 0.5}, style_weight=10.0, tv_weight=1.0)
    each = [
        Objective(passage, c, [Style(s)], settings, start=c)
        for c, s in zip(contents.split(1), styles.split(1), strict=True)
    ]
    *_, last = optimise([Scale(6, lambda: (contents, OneByOne(each)))], optimiser, Rules(clamp=True))
    return last


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_picture_of_a_batch_has_the_bits_that_it_has_alone(name: str) -> None:
    """given three contents and three styles; if they are painted together; I expect each one's bytes as alone."""
    contents, styles = pictures(3, 1), pictures(3, 2)
    together = painted(contents, styles, OPTIMISERS[name]())
    for index in range(3):
        alone = painted(contents[index : index + 1], styles[index : index + 1], OPTIMISERS[name]())
        assert torch.equal(together.image[index], alone.image[0])
        assert torch.equal(together.losses[index], alone.losses[0])
    assert not torch.equal(together.image, contents)
