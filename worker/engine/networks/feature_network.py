"""The Protocol of a feature network: named layers, a forward pass, the gradient for the pixels, a memory estimate.

Losses, targets and objectives use nothing else of a network, so that a new one needs its own files alone. Features may
come row by row: an image that does not fit into memory is processed in strips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from stylefarm.shared.spec.networks import Layer
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload


class OnFeatures(Protocol):
    """A callback of a forward pass: receives the features of some rows of a layer."""

    def __call__(self, layer: str, features: Tensor, rows: slice) -> None:
        """Receive features; the network does not change them afterwards.

        Args:
            layer: Name of the layer.
            features: (B, C, N rows, W), in the network's dtype.
            rows: Which rows of the layer they are; `slice(None)` for all.
        """
        ...


class AddGrad(Protocol):
    """A callback of a backward pass: adds the gradient of the losses at a layer."""

    def __call__(self, layer: str, features: Tensor, rows: slice, grad: Tensor | None) -> Tensor | None:
        """Return the gradient of all losses for these features.

        Args:
            layer: Name of the layer.
            features: (B, C, N rows, W), as the forward pass gave them.
            rows: Which rows of the layer they are; `slice(None)` for all.
            grad: The gradient that came from deeper layers, shaped as `features`, which may be changed in place; None
                if there is none.

        Returns:
            The sum of `grad` and the layer's own gradient; None if both are absent.
        """
        ...


Backward = Callable[[AddGrad], Tensor]
"""Runs a backward pass, once: returns the gradient for the pixels, (B, 3, H, W), in their dtype."""


class ForwardPass(Protocol):
    """One way of running a feature network on images (B, 3, H, W), RGB in [0, 1]."""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers that are shown to the callbacks, by name."""
        ...

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width.

        Args:
            layer: Its name.
            size: Height and width of the image, in pixels.
        """
        ...

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Compute the features; every row of every layer is given to `on_features` once.

        Args:
            pixels: (B, 3, H, W), RGB in [0, 1].
            on_features: Receives every row of every layer once.
        """
        ...

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Compute the features and keep what the backward pass needs, which is returned.

        Args:
            pixels: (B, 3, H, W), RGB in [0, 1].
            on_features: Receives every row of every layer once.
        """
        ...


class FeatureNetwork(Protocol):
    """A network whose features are compared: VGG with explicit passes, or any module by autograd.

    Example:
        features = {}
        network.forward_pass().forward(pixels, lambda layer, rows, where: features.update({layer: rows}))
    """

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers in use, by name."""
        ...

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width.

        Args:
            layer: Its name.
            size: Height and width of the image, in pixels.
        """
        ...

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return every way of running the workload with its memory in bytes, the fastest first."""
        ...

    def forward_pass(self, plan: MemoryPlan | None = None) -> ForwardPass:
        """Return the pass that follows `plan`; None runs the whole image at once."""
        ...
