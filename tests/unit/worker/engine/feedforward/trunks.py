"""Small trunks with random weights, and models of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.feedforward.trunk_shape import (
    TrunkShape,
    cyclegan_shape,
    johnson_shape,
    ulyanov_shape,
)
from stylefarm.worker.engine.hardware.device import ComputePath

CPU = ComputePath(torch.device("cpu"), "fp32")
PLENTY = 1 << 30
PLAIN = TrunkShape((4, 8, 16), (8, 4), blocks=2)
CIN = replace(PLAIN, norm="conditional", styles=3, last_norm=True, range="unit")
SHAPES = {
    "pytorch/examples": PLAIN,
    "johnson": johnson_shape(4, blocks=2),
    "ulyanov": ulyanov_shape(4, blocks=2),
    "cyclegan": cyclegan_shape(4, blocks=2),
    "cin": CIN,
    "adjustable": replace(CIN, adjustable=True),
}


def random_trunk(shape: TrunkShape, seed: int = 0) -> Trunk:
    """A network whose numbers all count: scales around 1, and running statistics of no particular size."""
    draw = torch.Generator().manual_seed(seed)
    trunk = Trunk(shape).eval().requires_grad_(requires_grad=False)
    for name, tensor in trunk.state_dict().items():
        tensor.copy_(torch.randn(tensor.shape, generator=draw) * (0.1 if tensor.dim() == 4 else 0.3))
        if name.endswith("norm.weight"):
            tensor += 1
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    return trunk


def model_of(trunk: Trunk, method: str) -> Model:
    return Model(method, trunk.shape.document(), trunk.state_dict())


def picture(height: int, width: int, batch: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
