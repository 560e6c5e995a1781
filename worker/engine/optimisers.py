"""Optimisers over a batch of pictures, each picture with a state of its own.

A step takes pictures and gradients of shape (B, 3, H, W), float32, and returns the next pictures. Nothing here waits
for the device: what depends on values is chosen by masks, not by Python's `if`.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import torch
from torch import Tensor

# The first step of L-BFGS has no curvature to go by; it moves the picture by one grey level, root mean square.
FIRST_STEP = 1 / 255

# Later steps are mostly a tenth of this; a longer one comes of a pair that tells too little of the curvature.
LONGEST_STEP = 0.2

# Pairs whose curvature y.s is not clearly positive would make the inverse Hessian indefinite, and are left out.
CURVATURE = 1e-8


class Optimiser(Protocol):
    """Anything that turns a picture and its gradient into the next picture."""

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """The next pictures, shaped as `image`."""
        ...


class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) with beta 0.9 and 0.999."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.iteration = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.iteration += 1
        self.mean.lerp_(gradient, 1 - 0.9)
        self.square.lerp_(gradient.square(), 1 - 0.999)
        mean = self.mean / (1 - 0.9**self.iteration)
        deviation = (self.square / (1 - 0.999**self.iteration)).sqrt()
        return image - self.learning_rate * mean / (deviation + 1e-8)


class LBFGS:
    """L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5), a fixed step length and no line search.

    The step length 1 without a line search is what the field uses since Gatys' own code: a line search costs more
    evaluations than it saves. Departure from it: no step is longer than `longest_step`, root mean square over the
    picture, so that a pair of little curvature cannot throw the picture far away (None: no limit). `corrections` pairs
    of vectors are kept for each picture.
    """

    def __init__(
        self, learning_rate: float = 1.0, corrections: int = 20, longest_step: float | None = LONGEST_STEP
    ) -> None:
        self.learning_rate = learning_rate
        self.longest_step = longest_step
        self.pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=corrections)
        self.previous: tuple[Tensor, Tensor] | None = None
        self.scale: Tensor | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        x, g = image.flatten(1), gradient.flatten(1)
        if self.previous is None or self.scale is None:
            self.scale = FIRST_STEP / g.square().mean(1, keepdim=True).sqrt().clamp_min(1e-30)
        else:
            self._remember(x - self.previous[0], g - self.previous[1], self.scale)
        self.previous = (x, g)
        step = self.learning_rate * self._inverse_hessian(g, self.scale)
        return (x - self._bounded(step)).view_as(image)

    def _bounded(self, step: Tensor) -> Tensor:
        if self.longest_step is None:
            return step
        length = step.square().mean(1, keepdim=True).sqrt()
        return step * (self.longest_step / length.clamp_min(self.longest_step))

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
