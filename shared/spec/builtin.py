"""The built-in style losses, methods and optimizers: adding one takes an entry here and the file that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.registry import Registry


@dataclass(frozen=True)
class LossEntry:
    """A style loss: its class, and the weight that suits it where it is normalized as "relative".

    `parameters` are those that it alone uses; `draws_at_random`: whether it depends on the seed.
    """

    target: str
    auto_weight: float
    parameters: tuple[str, ...] = ()
    draws_at_random: bool = False


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer: its class, and the step length that suits it; None if there is none for every loss.

    `parameters` are those that it alone uses. `scales_with_input`: whether its step length is in shares of the way from
    black to white.
    """

    target: str
    learning_rate: float | None
    parameters: tuple[str, ...]
    scales_with_input: bool = True


_LOSSES = "stylefarm.worker.engine.losses"
_METHODS = "stylefarm.worker.engine.methods"
_OPTIM = "stylefarm.worker.engine.optim"

# The program normalizations of a style loss are defined for Gram matrices.
GRAM = "gram"

# docs/ablation.md holds the measurements for the weights of gram, wasserstein and covariance; the others match by eye.
LOSS_ENTRIES: Mapping[str, LossEntry] = {
    GRAM: LossEntry(f"{_LOSSES}.moment_losses:Gram", 100.0),
    "covariance": LossEntry(f"{_LOSSES}.moment_losses:Covariance", 16.0),
    "mean-std": LossEntry(f"{_LOSSES}.moment_losses:MeanStd", 100.0),
    "mmd-linear": LossEntry(f"{_LOSSES}.moment_losses:MmdLinear", 100.0),
    "mmd-poly": LossEntry(f"{_LOSSES}.moment_losses:MmdPoly", 100.0, ("mmd_offset",)),
    "mmd-gaussian": LossEntry(f"{_LOSSES}.sample_losses:MmdGaussian", 20.0, draws_at_random=True),
    "wasserstein": LossEntry(f"{_LOSSES}.moment_losses:Wasserstein", 5.0),
    "sliced": LossEntry(f"{_LOSSES}.sample_losses:SlicedWasserstein", 100.0, ("projections",), draws_at_random=True),
    "nearest": LossEntry(f"{_LOSSES}.nearest:NearestNeighbors", 1.0),
}
# For losses of other packages, whose weight nobody has measured.
DEFAULT_AUTO_WEIGHT = 100.0

METHOD_ENTRIES: Mapping[str, str] = {"gatys": f"{_METHODS}.iterative:IterativeMethod"}

OPTIMIZERS: Mapping[str, OptimizerEntry] = {
    # The steps of L-BFGS have a length of their own, of which the learning rate is a factor.
    "lbfgs": OptimizerEntry(f"{_OPTIM}.lbfgs:LBFGS", 1.0, ("corrections",), scales_with_input=False),
    "adam": OptimizerEntry(f"{_OPTIM}.first_order:Adam", 0.02, ("beta1", "beta2")),
    "sgd": OptimizerEntry(f"{_OPTIM}.first_order:Sgd", None, ("momentum", "weight_decay")),
}

LOSSES = Registry("stylefarm.losses", "style loss", {name: entry.target for name, entry in LOSS_ENTRIES.items()})
METHODS = Registry(
    "stylefarm.methods",
    "method",
    {**METHOD_ENTRIES, **{name: method.applier for name, method in MODEL_METHODS.items()}},
)


def auto_weight(style_loss: str) -> float:
    """Return the style weight that suits a loss."""
    entry = LOSS_ENTRIES.get(style_loss)
    return DEFAULT_AUTO_WEIGHT if entry is None else entry.auto_weight
