"""The encoders of adain and wct, and the decoders that mirror them, as layers of a chain.

Every encoder begins with a 1 x 1 convolution, conv0, from RGB in [0, 1] to what the network was trained with. A decoder
has the encoder's convolutions in the reverse order, and a nearest enlargement where the encoder pools; its last
convolution, to RGB, has no ReLU.

Pooling is max in the references and in what they have published, as the encoders were trained. Models that are trained
here may pool by the average, as the iterative methods of this program do: that departs from the encoder's own training,
and its features are smoother. SqueezeNet's windows are 3 x 3, and its convolutions pad by reflection here, not with
zeros or not at all: so features have half the size of what is pooled, exactly, and pictures no frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import CONVOLUTIONS, FIRES, Architecture
from stylefarm.shared.spec.space import InputSpace
from stylefarm.worker.engine.feedforward.chain import Layer
from stylefarm.worker.engine.networks.squeezenet_weights import squeezenet_convolutions
from stylefarm.worker.engine.networks.weights import torchvision_positions
from stylefarm.worker.engine.space import to_input

EncoderPooling = Literal["max", "average"]

# Where the levels of SqueezeNet end. It has four strides, so four levels.
FIRE_ENDS = {1: "conv1", 2: "fire3", 3: "fire5", 4: "fire9"}


def vgg_encoder(
    prefix: str, level: int, architecture: Architecture = "vgg19", pooling: EncoderPooling = "max"
) -> tuple[Layer, ...]:
    """Return VGG up to relu{level}_1.

    Args:
        prefix: Before the names of the tensors: "encoder.".
        level: 1 to 5.
        architecture: "vgg19" or "vgg16".
        pooling: How it pools.

    Example:
        >>> [layer.name or layer.kind for layer in vgg_encoder("e.", 2)]
        ['e.conv0', 'e.conv11', 'e.conv12', 'pool', 'e.conv21']
    """
    counts = CONVOLUTIONS["vgg16" if architecture == "vgg16" else "vgg19"]
    layers = [Layer("conv", f"{prefix}conv0", relu=False)]
    for block, count in enumerate(counts[: level - 1], start=1):
        layers += [Layer("conv", f"{prefix}conv{block}{index}") for index in range(1, count + 1)]
        layers.append(Layer("pool", pooling=pooling))
    return (*layers, Layer("conv", f"{prefix}conv{level}1"))


def squeezenet_encoder(prefix: str, level: int, pooling: EncoderPooling = "max") -> tuple[Layer, ...]:
    """Return SqueezeNet up to the last layer of a stride: conv1, fire3, fire5 or fire9.

    Args:
        prefix: Before the names of the tensors.
        level: 1 to 4.
        pooling: How it pools.

    Example:
        >>> [layer.name or layer.kind for layer in squeezenet_encoder("e.", 2)]
        ['e.conv0', 'e.conv1', 'pool', 'e.fire2', 'e.fire3']
    """
    layers = [Layer("conv", f"{prefix}conv0", relu=False), Layer("conv", f"{prefix}conv1", stride=2)]
    if level > 1:
        for name, fire in FIRES.items():
            if fire.pooled:
                layers.append(Layer("pool", side=3, pooling=pooling))
            layers.append(Layer("fire", f"{prefix}{name}"))
            if name == FIRE_ENDS[level]:
                break
    return tuple(layers)


def mirrored(encoder: Sequence[Layer], prefix: str) -> tuple[Layer, ...]:
    """Return the decoder of an encoder, nearest in place of pooling or a stride.

    Args:
        encoder: Its layers.
        prefix: Before the names of the decoder's tensors.

    Example:
        >>> [layer.name or layer.kind for layer in mirrored(vgg_encoder("e.", 2), "d.")]
        ['d.conv21', 'up', 'd.conv12', 'd.conv11']
    """
    layers: list[Layer] = []
    for layer in reversed(encoder):
        name = prefix + layer.name.rpartition(".")[2]
        if layer.kind == "pool":
            layers.append(Layer("up"))
        elif name != f"{prefix}conv0":
            layers += [Layer("up")] if layer.stride == 2 else []
            layers.append(Layer("conv", name))
    return (*layers[:-1], replace(layers[-1], relu=False))


def widths(encoder: Sequence[Layer], tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Return the channels of input and output of each layer with tensors, by its name.

    Args:
        encoder: The layers.
        tensors: Their tensors.
    """
    found: dict[str, tuple[int, int]] = {}
    for layer in encoder:
        if layer.kind == "conv":
            outputs, inputs = tensors[f"{layer.name}.weight"].shape[:2]
            found[layer.name] = inputs, outputs
        elif layer.kind == "fire":
            expand = sum(tensors[f"{layer.name}.expand{side}.weight"].shape[0] for side in ("1x1", "3x3"))
            found[layer.name] = tensors[f"{layer.name}.squeeze.weight"].shape[1], expand
    return found


def random_decoder(
    encoder: Sequence[Layer], tensors: Mapping[str, Tensor], prefix: str, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return tensors of the mirrored decoder: 3 x 3 convolutions that keep the size of activations.

    Args:
        encoder: The encoder's layers.
        tensors: Its tensors, for their channels.
        prefix: Before the names of the decoder's tensors.
        generator: Of the weights.

    Source:
        He, Zhang, Ren and Sun 2015 (arXiv 1502.01852), eq. 10.
    """
    found: dict[str, Tensor] = {}
    for name, (inputs, outputs) in widths(encoder, tensors).items():
        own = prefix + name.rpartition(".")[2]
        if own == f"{prefix}conv0":
            continue
        scale = (2 / (9 * outputs)) ** 0.5
        found[f"{own}.weight"] = torch.randn(inputs, outputs, 3, 3, generator=generator) * scale
        found[f"{own}.bias"] = torch.zeros(inputs)
    return found


def input_convolution(space: InputSpace, prefix: str) -> dict[str, Tensor]:
    """Return conv0, which does what a network's input asks of RGB in [0, 1].

    Args:
        space: The input.
        prefix: Before the names of the tensors.

    Example:
        >>> from stylefarm.shared.spec.space import CAFFE
        >>> input_convolution(CAFFE, "e.")["e.conv0.weight"][0, 2].item()  # blue comes first, 0 to 255
        255.0
    """
    colors = torch.cat([torch.zeros(1, 3), torch.eye(3)]).T.view(1, 3, 1, 4)
    taken = to_input(space, colors)[0, :, 0]
    bias = taken[:, 0]
    return {f"{prefix}conv0.weight": (taken[:, 1:] - bias[:, None])[:, :, None, None], f"{prefix}conv0.bias": bias}


def vgg_tensors(
    state: Mapping[str, Tensor], space: InputSpace, prefix: str, level: int, architecture: Architecture = "vgg19"
) -> dict[str, Tensor]:
    """Return the tensors of `vgg_encoder` out of torchvision's.

    Args:
        state: torchvision's state dict.
        space: Its input.
        prefix: Before the names.
        level: 1 to 5.
        architecture: "vgg19" or "vgg16".

    Raises:
        InvalidRequest: One is missing.
    """
    positions = torchvision_positions("vgg16" if architecture == "vgg16" else "vgg19")
    names = {f"{prefix}{name.replace('_', '')}": f"features.{place}" for name, place in positions.items()}
    used = [layer.name for layer in vgg_encoder(prefix, level, architecture) if layer.name in names]
    return input_convolution(space, prefix) | dict(_picked(state, {name: names[name] for name in used}))


def squeezenet_tensors(state: Mapping[str, Tensor], space: InputSpace, prefix: str, level: int) -> dict[str, Tensor]:
    """Return the tensors of `squeezenet_encoder` out of torchvision's.

    Args:
        state: torchvision's state dict of squeezenet1_1.
        space: Its input.
        prefix: Before the names.
        level: 1 to 4.

    Raises:
        InvalidRequest: One is missing.
    """
    used = {layer.name for layer in squeezenet_encoder(prefix, level)}
    names = {}
    for convolution in squeezenet_convolutions():
        name = prefix + convolution.keras.replace("/", ".").replace("squeeze1x1", "squeeze")
        if name in used or name.rpartition(".")[0] in used:
            names[name] = convolution.torchvision
    return input_convolution(space, prefix) | dict(_picked(state, names))


def _picked(state: Mapping[str, Tensor], names: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    for name, theirs in names.items():
        for kind in ("weight", "bias"):
            tensor = state.get(f"{theirs}.{kind}")
            if tensor is None:
                raise InvalidRequest(f"the weights lack {theirs}.{kind}: give those of the whole network")
            yield f"{name}.{kind}", tensor.float()
