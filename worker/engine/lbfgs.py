"""L-BFGS over a batch of pictures."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from worker.engine.optimisers import Rate

# The first step has no curvature to go by; it moves the picture by one grey level, root mean square.
FIRST_STEP = 1 / 255

# Later steps are mostly a tenth of this; a longer one comes of a pair that tells too little of the curvature.
LONGEST_STEP = 0.2

# Pairs whose curvature y.s is not clearly positive would make the inverse Hessian indefinite, and are left out.
CURVATURE = 1e-8


class LBFGS:
    """L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5), a fixed step length and no line search.

    The step length 1 without a line search is what the field uses since Gatys' own code: a line search costs more
    evaluations than it saves. Departure from it: no step is longer than `longest_step`, root mean square over the
    picture, so that a pair of little curvature cannot throw the picture far away (None: no limit). `corrections` pairs
    of vectors are kept for each picture. Both lengths are in units of `unit`, the way from black to white.
    """

    def __init__(
        self, rate: Rate, corrections: int = 20, longest_step: float | None = LONGEST_STEP, unit: float = 1.0
    ) -> None:
        self.rate = rate
        self.longest_step = longest_step
        self.unit = unit
        self.pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=corrections)
        self.iteration = 0
        self.previous: tuple[Tensor, Tensor] | None = None
        self.scale: Tensor | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        x, g = image.flatten(1), gradient.flatten(1)
        if self.previous is None or self.scale is None:
            self.scale = FIRST_STEP * self.unit / g.square().mean(1, keepdim=True).sqrt().clamp_min(1e-30)
        else:
            self._remember(x - self.previous[0], g - self.previous[1], self.scale)
        self.previous = (x, g)
        step = self.rate.at(self.iteration) * self._inverse_hessian(g, self.scale)
        self.iteration += 1
        return (x - self._bounded(step)).view_as(image)

    def resize(self, height: int, width: int) -> None:
        """Begins anew: curvature along pairs of another size says nothing here."""
        self.pairs.clear()
        self.previous = self.scale = None

    def _bounded(self, step: Tensor) -> Tensor:
        if self.longest_step is None:
            return step
        longest = self.longest_step * self.unit
        length = step.square().mean(1, keepdim=True).sqrt()
        return step * (longest / length.clamp_min(longest))

    def _remember(self, s: Tensor, y: Tensor, scale: Tensor) -> None:
        """Keeps the pair with rho = 1 / (y.s), or with rho = 0, which takes it out, where the curvature is not fit."""
        ys, yy, ss = _dot(y, s), _dot(y, y), _dot(s, s)
        fit = ys > CURVATURE * (yy * ss).sqrt()
        # Along a step of no curvature the gradient has not grown: the next one may be longer.
        self.scale = torch.where(fit, ys / yy, 2 * scale)
        self.pairs.append((s, y, torch.where(fit, 1 / ys, 0.0)))

    def _inverse_hessian(self, g: Tensor, scale: Tensor) -> Tensor:
        """H g by the two-loop recursion, with H0 = (y.s / y.y) I."""
        q = g
        alphas: list[Tensor] = []
        for s, y, rho in reversed(self.pairs):
            alpha = rho * _dot(s, q)
            q = q - alpha * y
            alphas.append(alpha)
        r = q * scale
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            r = r + s * (alpha - rho * _dot(y, r))
        return r


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each row: (B, 1)."""
    return (a * b).sum(1, keepdim=True)
