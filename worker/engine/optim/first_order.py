"""Optimizers over a batch of pictures, each picture with a state of its own.

A step takes pictures and gradients of shape (B, 3, H, W), float32 or float64, and returns the next pictures. Nothing
here waits for the device: what depends on values is chosen by masks, not by Python's `if`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.optim.state import EngineState


class Optimizer(Protocol):
    """Anything that turns a picture and its gradient into the next picture."""

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """The next pictures, shaped as `image`."""
        ...

    def resize(self, height: int, width: int) -> None:
        """Takes the state to pictures of another size, at the beginning of another scale."""
        ...

    def state(self) -> EngineState:
        """What the next step depends on; its tensors are the optimizer's own, and its next step may change them."""
        ...

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Goes on from what `state` gave, of pictures on any device, on `device`. Raises KeyError if that lacks any."""
        ...


@dataclass(frozen=True)
class LearningRate:
    """The length of a step: `start`, times `decay` after each `every` steps (0: never)."""

    start: float
    decay: float = 1.0
    every: int = 0

    def at(self, iteration: int) -> float:
        """The rate of step `iteration`, counted from 0."""
        return self.start * self.decay ** (iteration // self.every) if self.every else self.start


class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1)."""

    def __init__(self, rate: LearningRate, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.rate = rate
        self.betas = betas
        self.iteration = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        rate = self.rate.at(self.iteration)
        self.iteration += 1
        first, second = self.betas
        self.mean.lerp_(gradient, 1 - first)
        self.square.lerp_(gradient.square(), 1 - second)
        mean = self.mean / (1 - first**self.iteration)
        std = (self.square / (1 - second**self.iteration)).sqrt()
        return image - rate * mean / (std + 1e-8)

    def resize(self, height: int, width: int) -> None:
        """Both moments are carried up, as crowsonkb/style-transfer-pytorch does."""
        if self.mean is not None and self.square is not None:
            self.mean = functional.interpolate(self.mean, (height, width), mode="bicubic")
            # Bilinear, since bicubic weights could make a mean of squares negative.
            self.square = functional.interpolate(self.square, (height, width), mode="bilinear")

    def state(self) -> EngineState:
        numbers = {"iteration": self.iteration}
        if self.mean is None or self.square is None:
            return EngineState({}, numbers)
        return EngineState({"mean": self.mean, "square": self.square}, numbers)

    def restore(self, state: EngineState, device: torch.device) -> None:
        self.iteration = int(state.numbers["iteration"])
        self.mean = self.square = None
        if self.iteration:
            # Copies, since steps change both in their place.
            self.mean, self.square = (state.tensors[name].to(device, copy=True) for name in ("mean", "square"))


class Sgd:
    """Stochastic gradient descent with momentum and weight decay, as MXNet writes it.

    v <- momentum v - rate (g + weight_decay x); x <- x + v.
    """

    def __init__(self, rate: LearningRate, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        self.rate = rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.iteration = 0
        self.velocity: Tensor | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        velocity = torch.zeros_like(gradient) if self.velocity is None else self.velocity
        rate = self.rate.at(self.iteration)
        self.iteration += 1
        self.velocity = self.momentum * velocity - rate * (gradient + self.weight_decay * image)
        return image + self.velocity

    def resize(self, height: int, width: int) -> None:
        if self.velocity is not None:
            self.velocity = functional.interpolate(self.velocity, (height, width), mode="bicubic")

    def state(self) -> EngineState:
        return EngineState({} if self.velocity is None else {"velocity": self.velocity}, {"iteration": self.iteration})

    def restore(self, state: EngineState, device: torch.device) -> None:
        self.iteration = int(state.numbers["iteration"])
        self.velocity = state.tensors["velocity"].to(device) if self.iteration else None
