"""SqueezeNet's steps in stages, each of which ends with a pooling, and the layers that they give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.networks import Layer, network_layers
from stylefarm.worker.engine.networks.squeezenet import FireModule, FirstConvolution, Pool3x3, SqueezeNet
from stylefarm.worker.engine.networks.squeezenet_steps import FireStep, FirstStep, PoolStep, Step
from stylefarm.worker.engine.space import from_input_gradient, to_input


@dataclass(frozen=True)
class NamedStep:
    """A step and the layers that are in use of its output, in the order in which they are computed.

    Args:
        step: The step.
        before: The layer before its ReLU, if it is in use.
        after: The layer after its ReLU, if it is in use.
        channels: Channels of its output.
    """

    step: Step
    before: str | None
    after: str | None
    channels: int

    def layers(self, y: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the layers in use, with their features, of what the step returned."""
        if self.before is not None:
            yield self.before, y
        if self.after is not None:
            yield self.after, self.activation(y)

    def activation(self, y: Tensor) -> Tensor:
        """Return the features after the ReLU."""
        return y if self.before is None else y.relu()


class SqueezeNetBackbone:
    """The steps of a `SqueezeNet` up to the deepest layer in use; later changes of its weights are not seen.

    Args:
        squeezenet: The network, with its weights, in its precision and on its device.
        layers: Names of the layers in use.
    """

    def __init__(self, squeezenet: SqueezeNet, layers: Collection[str]) -> None:
        every = network_layers("squeezenet", "dense" if squeezenet.is_dense else "strided")
        self.layers: Mapping[str, Layer] = {name: layer for name, layer in every.items() if name in layers}
        self.space = squeezenet.space
        first = next(squeezenet.parameters())
        self.dtype, self.device = first.dtype, first.device
        self.pads = squeezenet.pads
        self.weight_bytes = sum(p.numel() * p.itemsize for p in squeezenet.parameters())
        self.stages = _stages(_named_steps(squeezenet, self.layers))
        self._stage_of = {
            name: (number, index)
            for number, stage in enumerate(self.stages)
            for index, named in enumerate(stage)
            for name in (named.before, named.after)
            if name is not None
        }

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        height, width = (length + 2 * self.pads for length in size)
        number, index = self._stage_of[layer]
        before = [named for stage in self.stages[:number] for named in stage]
        for named in [*before, *self.stages[number][: index + 1]]:
            height, width = named.step.size(height), named.step.size(width)
        return height, width

    def inputs(self, pixels: Tensor) -> Tensor:
        """Return the network's input for pixels (B, 3, H, W) in [0, 1], padded if the network does that."""
        x = to_input(self.space, pixels).to(self.dtype)
        if self.pads:
            x = functional.pad(x, (1, 1, 1, 1), "replicate")
        return x.contiguous(memory_format=torch.channels_last)

    def pixels_gradient(self, grad: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the gradient for the pixels, in `dtype`, of that for `inputs`, which is changed."""
        if self.pads:
            grad[:, :, 1] += grad[:, :, 0]
            grad[:, :, -2] += grad[:, :, -1]
            grad[:, :, :, 1] += grad[:, :, :, 0]
            grad[:, :, :, -2] += grad[:, :, :, -1]
            grad = grad[:, :, 1:-1, 1:-1]
        return from_input_gradient(self.space, grad.to(dtype=dtype, memory_format=torch.contiguous_format))


def _named_steps(squeezenet: SqueezeNet, layers: Mapping[str, Layer]) -> list[NamedStep]:
    """Return the steps up to the last one with a layer in use."""
    names = {path: name for name, path in squeezenet.submodules.items()}
    first = next(squeezenet.parameters())
    found: list[NamedStep] = []
    channels = 3
    for index, part in enumerate(squeezenet.features):
        name = names.get(f"features.{index}")
        after = name if name in layers else None
        if isinstance(part, FirstConvolution):
            channels = part.out_channels
            step: Step = FirstStep(part, keeps_negative="conv1" in layers)
            used = ["conv1" if "conv1" in layers else None, "relu1" if "relu1" in layers else None]
            found.append(NamedStep(step, used[0], used[1], channels))
        elif isinstance(part, Pool3x3):
            found.append(NamedStep(PoolStep(part, channels, first.dtype, first.device), None, None, channels))
        elif isinstance(part, FireModule):
            channels = 2 * part.expand1x1.out_channels
            found.append(NamedStep(FireStep(part), None, after, channels))
    last = max(index for index, named in enumerate(found) if named.before or named.after)
    return found[: last + 1]


def _stages(steps: Sequence[NamedStep]) -> list[list[NamedStep]]:
    stages: list[list[NamedStep]] = [[]]
    for named in steps:
        stages[-1].append(named)
        if isinstance(named.step, PoolStep):
            stages.append([])
    return stages
