"""Chains of layers: a network without branches, described by plain values, prepared for many passes.

A chain has no normalization, so each row of its output depends on a few rows of its input alone. `rows_needed` says on
which: a picture that is too large to be held is computed in strips, each with those rows around it, with the same
result. All convolutions pad by reflection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.chain_steps import (
    Convolve,
    Enlarge,
    FireModule,
    PackedConvolve,
    Shrink,
    Step,
    UpConvolve,
    WideConvolve,
)


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        kind: "conv": a convolution of an odd side. "fire": a fire module of SqueezeNet, whose tensors are those of its
            three convolutions. "pool": pooling by 2. "up": each position twice in both directions.
        name: What its tensors are called in the model, without ".weight" and ".bias".
        relu: Of a convolution, whether a ReLU follows.
        stride: Of a convolution.
        side: Side of a pooling's window.
        pooling: What a pooling takes of its window.

    Example:
        >>> Layer("conv", "encoder.conv11").relu
        True
    """

    kind: Literal["conv", "fire", "pool", "up"]
    name: str = ""
    relu: bool = True
    stride: Literal[1, 2] = 1
    side: Literal[2, 3] = 2
    pooling: Literal["max", "average"] = "max"


_LAYERS = TypeAdapter(tuple[Layer, ...])


def layers_document(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return the layers as plain JSON values, for a model's architecture.

    Args:
        layers: In order.

    Example:
        >>> layers_document([Layer("up")])
        [{'kind': 'up'}]
    """
    document: list[dict[str, Any]] = _LAYERS.dump_python(tuple(layers), exclude_defaults=True, mode="json")
    return document


def parse_layers(document: Any) -> tuple[Layer, ...]:
    """Return the layers that `layers_document` described.

    Args:
        document: Plain JSON values.

    Raises:
        InvalidRequest: They are no layers.

    Example:
        >>> parse_layers([{"kind": "up"}])[0].kind
        'up'
    """
    try:
        return _LAYERS.validate_python(document)
    except ValidationError as error:
        raise InvalidRequest(f"the model has layers that cannot be read ({error.errors()[0]['msg']})") from None


class Chain:
    """Layers with their tensors, in the precision and on the device of these.

    Args:
        layers: In order.
        tensors: The tensors by name.
        fold: Whether layers are computed together where that is faster, with weights that are made once. Without it
            the tensors themselves are used, and the output has gradients for them.

    Raises:
        InvalidRequest: A tensor is missing, or does not fit to the one before it.

    Example:
        >>> tensors = {"a.weight": torch.ones(2, 3, 3, 3), "a.bias": torch.zeros(2)}
        >>> chain = Chain([Layer("pool"), Layer("conv", "a")], tensors)
        >>> tuple(chain.forward(torch.ones(1, 3, 8, 6)).shape), chain.rows_needed(1, 2)
        ((1, 2, 4, 3), (0, 6))
    """

    def __init__(self, layers: Sequence[Layer], tensors: Mapping[str, Tensor], *, fold: bool = True) -> None:
        self.layers = tuple(layers)
        self.steps: list[Step] = [_step(layer, tensors) for layer in layers]
        self.inputs, self.outputs = _check_channels(self.layers, self.steps)
        if fold:
            self.steps = _folded(self.steps)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last layer.

        Args:
            x: (B, C, H, W).
        """
        for step in self.steps:
            x = step.forward(x)
        return x

    def forward_at(self, x: Tensor, places: Sequence[int]) -> list[Tensor]:
        """Return the outputs of some layers; the chain must not be folded.

        Args:
            x: (B, C, H, W).
            places: The layers, counted from 0, ascending.
        """
        found: list[Tensor] = []
        for place, step in enumerate(self.steps[: places[-1] + 1]):
            x = step.forward(x)
            if place in places:
                found.append(x)
        return found

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows of the input that rows `start` to `stop` of the output depend on, also beyond its ends.

        Args:
            start: First row.
            stop: Row after the last.
        """
        for step in reversed(self.steps):
            start, stop = step.rows_needed(start, stop)
        return start, stop

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return channels, height and width of the output.

        Args:
            height: Of the input.
            width: Of the input.
        """
        shape = (self.inputs, height, width)
        for step in self.steps:
            shape = step.shape(shape)
        return shape

    def numbers(self, height: int, width: int) -> int:
        """Return how many numbers a pass holds at its peak, for one picture, with input and output.

        Args:
            height: Of the input.
            width: Of the input.
        """
        shape, most = (self.inputs, height, width), 0
        for step in self.steps:
            most = max(most, step.work(shape))
            shape = step.shape(shape)
        # The caller holds the chain's input throughout.
        return most + self.inputs * height * width

    def kept_numbers(self, height: int, width: int) -> int:
        """Return how many numbers a backward pass needs of a forward one, for one picture: what each layer makes.

        Args:
            height: Of the input.
            width: Of the input.
        """
        shape, total = (self.inputs, height, width), 0
        for step in self.steps:
            total += step.work(shape) - shape[0] * shape[1] * shape[2]
            shape = step.shape(shape)
        return total

    @property
    def stride(self) -> int:
        """Input rows to one of the output; of a chain that enlarges, 1."""
        return 1 << sum(layer.kind == "pool" or layer.stride == 2 for layer in self.layers)


def _step(layer: Layer, tensors: Mapping[str, Tensor]) -> Step:
    if layer.kind == "conv":
        return _convolve(layer.name, tensors, layer.relu, layer.stride)
    if layer.kind == "fire":
        parts = [_convolve(f"{layer.name}.{part}", tensors, True) for part in ("squeeze", "expand1x1", "expand3x3")]
        return FireModule(parts[0], parts[1:])
    return Shrink(layer.side, layer.pooling) if layer.kind == "pool" else Enlarge()


def _convolve(name: str, tensors: Mapping[str, Tensor], relu: bool, stride: int = 1) -> Convolve:
    weight, bias = (tensors.get(f"{name}.{kind}") for kind in ("weight", "bias"))
    if weight is None or bias is None:
        raise InvalidRequest(f"the model lacks the weights of {name}: it is damaged, give a whole one")
    fits = weight.dim() == 4 and weight.shape[2] == weight.shape[3] and weight.shape[2] % 2
    if not fits or tuple(bias.shape) != (weight.shape[0],):
        raise InvalidRequest(f"the model has weights of {name} that are no convolution's: {tuple(weight.shape)}")
    return Convolve(weight, bias, relu, stride)


def _check_channels(layers: Sequence[Layer], steps: Sequence[Step]) -> tuple[int, int]:
    """Return the channels of input and output."""
    first: int | None = None
    channels: int | None = None
    for layer, step in zip(layers, steps, strict=True):
        expected = None
        if isinstance(step, Convolve):
            expected = step.weight.shape[1]
        elif isinstance(step, FireModule):
            expected = step.squeeze.weight.shape[1]
        if expected is None:
            continue
        if channels is not None and channels != expected:
            raise InvalidRequest(f"the model's {layer.name} takes {expected} channels, and gets {channels}")
        first, channels = first or expected, step.shape((expected, 1, 1))[0]
    if first is None or channels is None:
        raise InvalidRequest("the model has a network without convolutions")
    return first, channels


def _folded(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with a first 1 x 1 convolution folded into the next, and enlargements into theirs."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(step, Convolve) and isinstance(last, Convolve) and _is_pointwise(last):
            found[-1] = _with_pointwise(last, step)
        elif isinstance(step, Convolve) and isinstance(last, Enlarge) and _has_phases(step):
            found[-1] = UpConvolve(step)
        else:
            found.append(step)
    return [_prepared(step) if isinstance(step, Convolve) else step for step in found]


def _prepared(step: Convolve) -> Convolve:
    """Return the convolution in the way that is the fastest on its device."""
    if WideConvolve.suits(step):
        return WideConvolve(step)
    return PackedConvolve(step) if PackedConvolve.suits(step) else step


def _has_phases(step: Convolve) -> bool:
    # Of many channels the fewer multiplications of the other way save more.
    return step.margin == 1 and step.stride == 1 and not WideConvolve.suits(step)


def _is_pointwise(step: Convolve) -> bool:
    return step.margin == 0 and step.stride == 1 and not step.relu


def _with_pointwise(before: Convolve, after: Convolve) -> Convolve:
    """Return both as one: mirrored rows of a 1 x 1 convolution are those of the mirrored picture."""
    dtype = after.weight.dtype
    point = before.weight[:, :, 0, 0].double()
    weight = torch.einsum("okyx,kc->ocyx", after.weight.double(), point)
    bias = after.bias.double() + after.weight.double().sum((2, 3)) @ before.bias.double()
    return Convolve(weight.to(dtype), bias.to(dtype), after.relu, after.stride)
