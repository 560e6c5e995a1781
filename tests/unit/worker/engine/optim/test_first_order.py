"""The first-order optimizers, against torch's own."""

from __future__ import annotations

import torch

from stylefarm.worker.engine.optim.first_order import Adam
from stylefarm.worker.engine.optim.optimizer import LearningRate


def test_adam_is_torch_s_adam() -> None:
    """Given a quadratic, I expect the iterates of torch.optim.Adam, step for step."""
    scale = torch.linspace(0.1, 1.1, 48).view(1, 3, 4, 4)
    ours, adam = torch.linspace(-1, 2, 48).view(1, 3, 4, 4).sin(), Adam(LearningRate(0.05))
    theirs = ours.clone().requires_grad_()
    reference = torch.optim.Adam([theirs], lr=0.05)
    for _ in range(20):
        ours = adam.step(ours, 2 * scale * ours)
        reference.zero_grad()
        (scale * theirs.square()).sum().backward()
        reference.step()
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)
