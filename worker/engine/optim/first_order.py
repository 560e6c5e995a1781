"""First-order optimizers over a batch of images, each image with a state of its own.

A step takes images and gradients (B, 3, H, W), float32 or float64, and returns the next images. Nothing here waits for
the device: what depends on values is chosen by masks, not by Python's `if`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.optim.optimizer import LearningRate, OptimizerSettings
from stylefarm.worker.engine.optim.state import EngineState


class Adam:
    """Adam.

    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    x <- x - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + 1e-8).

    Args:
        rate: The step length.
        betas: Decay of the mean and of the mean square of the gradient, beta1 and beta2, in [0, 1).

    Source:
        Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1.

    Example:
        >>> Adam(LearningRate(0.1)).step(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)).flatten()[0].item()
        -0.1...
    """

    def __init__(self, rate: LearningRate, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.rate = rate
        self.betas = betas
        self.iteration = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    @classmethod
    def from_settings(cls, settings: OptimizerSettings) -> Adam:
        """Return the optimizer with these settings."""
        return cls(settings.rate, (settings.beta1, settings.beta2))

    @staticmethod
    def state_vectors(settings: OptimizerSettings, iterations: int) -> int:
        """Return how many tensors of the image's size a step holds: both moments, and two on the way."""
        return 4

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Return the next images, shaped as `image`."""
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        rate = self.rate.at(self.iteration)
        self.iteration += 1
        first, second = self.betas
        self.mean.lerp_(gradient, 1 - first)
        self.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        # In as few tensors as can be: of a large picture each is hundreds of megabytes.
        deviation = (self.square / (1 - second**self.iteration)).sqrt_().add_(1e-8)
        return torch.addcdiv(image, self.mean, deviation, value=-rate / (1 - first**self.iteration))

    def resize(self, height: int, width: int) -> None:
        """Interpolate both moments, as crowsonkb/style-transfer-pytorch does."""
        if self.mean is not None and self.square is not None:
            self.mean = functional.interpolate(self.mean, (height, width), mode="bicubic")
            # Bilinear, since bicubic weights could make a mean of squares negative.
            self.square = functional.interpolate(self.square, (height, width), mode="bilinear")

    def state(self) -> EngineState:
        """Return what the next step depends on."""
        numbers = {"iteration": self.iteration}
        if self.mean is None or self.square is None:
            return EngineState({}, numbers)
        return EngineState({"mean": self.mean, "square": self.square}, numbers)

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Continue from a state that `state` gave. Raises KeyError if something is missing in it."""
        self.iteration = int(state.numbers["iteration"])
        self.mean = self.square = None
        if self.iteration:
            # Copies, since steps change both in their place.
            self.mean, self.square = (state.tensors[name].to(device, copy=True) for name in ("mean", "square"))


class Sgd:
    """Stochastic gradient descent with momentum and weight decay, in MXNet's form.

    v <- momentum v - rate (g + weight_decay x); x <- x + v.

    Args:
        rate: The step length.
        momentum: Decay of the velocity, in [0, 1).
        weight_decay: Pull towards zero, at least 0.

    Example:
        >>> Sgd(LearningRate(0.1)).step(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)).flatten()[0].item()
        -0.1...
    """

    def __init__(self, rate: LearningRate, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        self.rate = rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.iteration = 0
        self.velocity: Tensor | None = None

    @classmethod
    def from_settings(cls, settings: OptimizerSettings) -> Sgd:
        """Return the optimizer with these settings."""
        return cls(settings.rate, settings.momentum, settings.weight_decay)

    @staticmethod
    def state_vectors(settings: OptimizerSettings, iterations: int) -> int:
        """Return how many tensors of the image's size a step holds: the velocity, and its successor."""
        return 2

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Return the next images, shaped as `image`."""
        velocity = torch.zeros_like(gradient) if self.velocity is None else self.velocity
        rate = self.rate.at(self.iteration)
        self.iteration += 1
        self.velocity = self.momentum * velocity - rate * (gradient + self.weight_decay * image)
        return image + self.velocity

    def resize(self, height: int, width: int) -> None:
        """Interpolate the velocity."""
        if self.velocity is not None:
            self.velocity = functional.interpolate(self.velocity, (height, width), mode="bicubic")

    def state(self) -> EngineState:
        """Return what the next step depends on."""
        return EngineState({} if self.velocity is None else {"velocity": self.velocity}, {"iteration": self.iteration})

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Continue from a state that `state` gave. Raises KeyError if something is missing in it."""
        self.iteration = int(state.numbers["iteration"])
        self.velocity = state.tensors["velocity"].to(device) if self.iteration else None
