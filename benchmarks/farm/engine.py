"""An optimization of about three seconds, the unit that the cost of recording is compared with."""

from __future__ import annotations

from collections.abc import Iterator

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass

# isort: split
import torch

from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.iterative import Progress, Scale, UpdateRules, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
SIZE = 128
ITERATIONS = 60


def steps() -> Iterator[Progress]:
    """The steps of one optimization, the same each time."""
    vgg = Vgg("vgg19", LAYERS)
    randomize(vgg, 0)
    content, style = (torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(n)) for n in range(2))
    settings = LossSettings({"relu3_1": 1.0}, dict.fromkeys(LAYERS, 1 / 3), style_weight=10.0, tv_weight=1.0)
    objective = Objective(WholePass(VggNetwork(vgg)), content, [StyleImage(style)], settings)
    return optimize([Scale(ITERATIONS, lambda: (content, objective))], LBFGS(LearningRate(1.0), 20), UpdateRules())
