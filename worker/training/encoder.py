"""The frozen encoder of adain and wct in a training, by levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import Architecture
from stylefarm.shared.spec.space import TORCHVISION
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.chain import Chain, Layer
from stylefarm.worker.engine.feedforward.encoders import (
    EncoderPooling,
    mirrored,
    squeezenet_encoder,
    squeezenet_tensors,
    vgg_encoder,
    vgg_tensors,
)
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet, randomize_squeezenet
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.engine.networks.weights import WeightsContent, torchvision_positions
from stylefarm.worker.training.decoder_start import feature_scale, fitted_decoder

# The names of an encoder's tensors in a model: levels share them, as each is a part of the next.
PREFIX = "encoder."

# The level of adain, and those of wct: VGG has five blocks, SqueezeNet four strides.
ADAIN_LEVELS: Mapping[Architecture, int] = {"vgg19": 4, "vgg16": 4, "squeezenet": 3}
DEEPEST: Mapping[Architecture, int] = {"vgg19": 5, "vgg16": 5, "squeezenet": 4}


@dataclass(frozen=True)
class TrainedLevel:
    """One level: an encoder that is given, and the tensors of a decoder to begin with.

    Args:
        number: The level.
        encoder: Its layers.
        tensors: What is not trained, by name: the encoder's tensors, and the decoder's division by their size.
        decoder: The layers of the decoder: that division, then what mirrors the encoder.
        start: The first tensors of the latter, by name.
        ends: The last layer of each level up to this one, counted from 0.
    """

    number: int
    encoder: tuple[Layer, ...]
    tensors: Mapping[str, Tensor]
    decoder: tuple[Layer, ...]
    start: Mapping[str, Tensor]
    ends: tuple[int, ...]

    def chain(self) -> Chain:
        """Return the encoder, not folded, so that the outputs of all its levels can be had."""
        return Chain(self.encoder, self.tensors, fold=False)


def chosen_levels(spec: TrainingSpec, architecture: Architecture) -> tuple[int, ...]:
    """Return the levels that get a decoder, the deepest first.

    Args:
        spec: The spec.
        architecture: The encoder.

    Raises:
        InvalidRequest: The encoder has no such level.

    Example:
        >>> chosen_levels(TrainingSpec(method="wct", name="a", style="s.png"), "squeezenet")
        (4, 3, 2, 1)
    """
    if spec.method == "adain":
        return (ADAIN_LEVELS[architecture],)
    deepest = DEEPEST[architecture]
    wrong = [level for level in spec.levels if level > deepest]
    if wrong:
        raise InvalidRequest(f"{architecture} has no level {wrong[0]}: its levels are 1 to {deepest}")
    return tuple(sorted(set(spec.levels) or range(1, deepest + 1), reverse=True))


def trained_levels(
    spec: TrainingSpec, architecture: Architecture, weights: WeightsContent | None, images: Tensor
) -> list[TrainedLevel]:
    """Return the levels of a training, the deepest first, on the CPU.

    Args:
        spec: The levels, and the seed of random weights.
        architecture: The encoder.
        weights: Its pretrained weights; None for random ones.
        images: Pictures that decoders are fitted with, and random weights of VGG calibrated on, (N, 3, H, W).

    Raises:
        InvalidRequest: The weights are not this network's, or it has no such level.

    Example:
        >>> spec = TrainingSpec(method="wct", name="a", style="s.png", levels=(1,))
        >>> trained_levels(spec, "squeezenet", None, torch.rand(2, 3, 32, 32))[0].decoder[-1].name
        'decoder1.conv1'
    """
    numbers = chosen_levels(spec, architecture)
    # A blur is for losses, whose gradient shows how positions count.
    pooling: Literal["max", "average"] = "max" if spec.pooling == "max" else "average"
    state = weights.tensors if weights is not None else _random(spec, architecture, max(numbers), images)
    space = TORCHVISION if weights is None else weights.space
    generator = torch.Generator().manual_seed(spec.seed)
    levels = []
    for number in numbers:
        if architecture == "squeezenet":
            encoder = squeezenet_encoder(PREFIX, number, pooling)
            tensors = squeezenet_tensors(state, space, PREFIX, number)
        else:
            encoder = vgg_encoder(PREFIX, number, architecture, pooling)
            tensors = vgg_tensors(state, space, PREFIX, number, architecture)
        prefix = f"decoder{number}."
        decoder = mirrored(encoder, prefix)
        start = fitted_decoder(encoder, tensors, decoder, images, generator)
        scale = Layer("conv", f"{prefix}scale", relu=False)
        given = tensors | feature_scale(encoder, tensors, scale.name, images)
        levels.append(TrainedLevel(number, encoder, given, (scale, *decoder), start, _ends(encoder)))
    return levels


def _pooling(spec: TrainingSpec) -> EncoderPooling:
    # Blurred windows overlap; an encoder's, which is decoded, are plain means.
    return "max" if spec.pooling == "max" else "average"


def _ends(encoder: Sequence[Layer]) -> tuple[int, ...]:
    """Return where each level ends: of VGG after the first convolution of a block, of SqueezeNet before a pooling."""
    last = len(encoder) - 1
    pools = [place for place, layer in enumerate(encoder) if layer.kind == "pool"]
    if any(layer.kind == "fire" or layer.stride == 2 for layer in encoder):
        return (*(place - 1 for place in pools), last)
    return (1, *(place + 1 for place in pools))


def _random(spec: TrainingSpec, architecture: Architecture, level: int, images: Tensor) -> Mapping[str, Tensor]:
    if architecture == "squeezenet":
        network = SqueezeNet(_pooling(spec), space=TORCHVISION)
        randomize_squeezenet(network, spec.seed)
        return network.state_dict()
    vgg = Vgg(architecture, [f"relu{level}_1"], _pooling(spec), space=TORCHVISION)
    randomize(vgg, spec.seed)
    calibrate(vgg, images.split(1))
    positions = torchvision_positions(architecture)
    return {
        f"features.{positions[convolution.name]}.{kind}": values[index].detach()
        for index, convolution in enumerate(vgg.convolutions)
        for kind, values in (("weight", vgg.weights), ("bias", vgg.biases))
    }
