"""The published networks by plain calls, in the order of their programs, for the weights of a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]
Normalized = Callable[[State, str, Tensor], Tensor]
MEAN = (103.939, 116.779, 123.68)


def reflected(state: State, name: str, x: Tensor, stride: int = 1, mode: str = "reflect") -> Tensor:
    weight, bias = state[f"{name}.conv.weight"], state.get(f"{name}.conv.bias")
    pad = weight.shape[2] // 2
    return functional.conv2d(functional.pad(x, (pad,) * 4, mode), weight, bias, stride)


def zero_padded(state: State, name: str, x: Tensor, stride: int = 1, pad: int = 1) -> Tensor:
    return functional.conv2d(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"], stride, pad)


def transposed(state: State, name: str, x: Tensor) -> Tensor:
    return functional.conv_transpose2d(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"], 2, 1, 1)


def instance(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    scale, shift = state.get(f"{name}.norm.weight"), state.get(f"{name}.norm.bias")
    x = (x - mean) / (variance + 1e-5).sqrt()
    return x if scale is None or shift is None else x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)


def batch(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance, scale, shift = (
        state[f"{name}.norm.{kind}"].view(1, -1, 1, 1) for kind in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def pytorch_examples(state: State, pixels: Tensor) -> Tensor:
    """fast_neural_style/neural_style/transformer_net.py of pytorch/examples."""
    x = pixels * 255
    for index, stride in enumerate((1, 2, 2)):
        x = instance(state, f"down.{index}", reflected(state, f"down.{index}", x, stride)).relu()
    for index in range(blocks(state)):
        first, second = f"blocks.{index}.first", f"blocks.{index}.second"
        y = instance(state, first, reflected(state, first, x)).relu()
        x = x + instance(state, second, reflected(state, second, y))
    for index in range(2):
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        x = instance(state, f"up.{index}", reflected(state, f"up.{index}", x)).relu()
    return reflected(state, "up.2", x) / 255


def fast_neural_style(state: State, pixels: Tensor) -> Tensor:
    """jcjohnson/fast-neural-style, padding_type = reflect-start."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    count = blocks(state)
    x = functional.pad(pixels.flip(1) * 255 - mean, (8 * count,) * 4, "reflect")
    for index, (stride, pad) in enumerate(((1, 4), (2, 1), (2, 1))):
        x = batch(state, f"down.{index}", zero_padded(state, f"down.{index}", x, stride, pad)).relu()
    for index in range(count):
        first, second = f"blocks.{index}.first", f"blocks.{index}.second"
        y = batch(state, first, zero_padded(state, first, x, pad=0)).relu()
        x = x[:, :, 2:-2, 2:-2] + batch(state, second, zero_padded(state, second, y, pad=0))
    for index in range(2):
        x = batch(state, f"up.{index}", transposed(state, f"up.{index}", x)).relu()
    x = zero_padded(state, "up.2", x, pad=4).tanh() * 150
    return (x + mean).flip(1) / 255


def texture_nets(state: State, pixels: Tensor) -> Tensor:
    """models/johnson.lua of DmitryUlyanov/texture_nets, with instance normalization."""
    x = pixels * 255
    for index, stride in enumerate((1, 2, 2)):
        x = instance(state, f"down.{index}", reflected(state, f"down.{index}", x, stride, "replicate")).relu()
    for index in range(blocks(state)):
        first, second = f"blocks.{index}.first", f"blocks.{index}.second"
        y = instance(state, first, reflected(state, first, x, mode="replicate")).relu()
        x = x + instance(state, second, reflected(state, second, y, mode="replicate"))
    for index in range(2):
        x = instance(state, f"up.{index}", transposed(state, f"up.{index}", x)).relu()
    return reflected(state, "up.2", x, mode="replicate") / 255


def cyclegan_generator(state: State, pixels: Tensor) -> Tensor:
    """ResnetGenerator of junyanz/pytorch-CycleGAN-and-pix2pix, from [0, 1] to [0, 1]."""
    x = instance(state, "down.0", reflected(state, "down.0", pixels * 2 - 1)).relu()
    for index in (1, 2):
        x = instance(state, f"down.{index}", zero_padded(state, f"down.{index}", x, 2)).relu()
    for index in range(blocks(state)):
        first, second = f"blocks.{index}.first", f"blocks.{index}.second"
        y = instance(state, first, reflected(state, first, x)).relu()
        x = x + instance(state, second, reflected(state, second, y))
    for index in range(2):
        x = instance(state, f"up.{index}", transposed(state, f"up.{index}", x)).relu()
    return (reflected(state, "up.2", x).tanh() + 1) / 2


def blocks(state: State) -> int:
    return len({name.split(".")[1] for name in state if name.startswith("blocks.")})
