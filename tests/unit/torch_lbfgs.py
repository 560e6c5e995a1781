"""torch.optim.LBFGS as the reference of our own, which makes a first step of another length."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


def _grad(loss: Loss, x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def torch_lbfgs(loss: Loss, start: Tensor, first: Tensor, history_size: int, steps: int) -> list[Tensor]:
    """Return the pictures of torch.optim.LBFGS, as if its first step had gone from `start` to `first`."""
    x = first.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], lr=1, max_iter=1, history_size=history_size, tolerance_grad=0, tolerance_change=0, line_search_fn=None
    )
    optimizer.state[x].update(
        d=(first - start).flatten(),
        t=1.0,
        old_dirs=[],
        old_stps=[],
        ro=[],
        H_diag=1.0,
        n_iter=1,
        func_evals=1,
        prev_flat_grad=_grad(loss, start).flatten(),
        prev_loss=0.0,
    )

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        return value.item()

    seen = []
    for _ in range(steps):
        optimizer.step(closure)
        seen.append(x.detach().clone())
    return seen
