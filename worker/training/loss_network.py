"""The frozen network that losses are measured with, for a training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.shared.spec.networks import Architecture, VggArchitecture
from stylefarm.shared.spec.space import TORCHVISION
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet, randomize_squeezenet
from stylefarm.worker.engine.networks.squeezenet_network import SqueezeNetNetwork
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.weights import WeightsContent, load_squeezenet, load_weights

# Where losses are measured, if the spec says nothing: SqueezeNet's style as in the iterative presets.
CONTENT_LAYERS: dict[Architecture, tuple[str, ...]] = {
    "squeezenet": ("fire2", "fire4"),
    "vgg16": ("relu3_3",),
    "vgg19": ("relu4_2",),
}
STYLE_LAYERS: dict[Architecture, tuple[str, ...]] = {
    "squeezenet": ("relu1", "fire2", "fire3", "fire4", "fire6", "fire8"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
}

_FIRE, _LAST_OF_VGG19 = "features.3.squeeze.weight", "features.34.weight"


def architecture_of(spec: TrainingSpec, weights: WeightsContent | None) -> Architecture:
    """Return the network of a spec's losses; "auto" is that of the weights, and SqueezeNet without any.

    Args:
        spec: The spec.
        weights: Its weights; None for random ones.

    Example:
        >>> architecture_of(TrainingSpec(method="johnson", name="a", style="s.png"), None)
        'squeezenet'
    """
    if spec.features != "auto":
        return spec.features
    if weights is None or _FIRE in weights.tensors:
        return "squeezenet"
    return "vgg19" if _LAST_OF_VGG19 in weights.tensors else "vgg16"


def loss_layers(spec: TrainingSpec, architecture: Architecture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the layers of the content loss, and those of the style loss.

    Args:
        spec: The spec.
        architecture: The network.

    Example:
        >>> loss_layers(TrainingSpec(method="johnson", name="a", style="s.png"), "vgg16")[0]
        ('relu3_3',)
    """
    content, style = spec.content_layers, spec.style_layers
    return (
        CONTENT_LAYERS[architecture] if content == "auto" else content,
        STYLE_LAYERS[architecture] if style == "auto" else style,
    )


def build_loss_network(
    spec: TrainingSpec,
    weights: WeightsContent | None,
    layers: Sequence[str],
    images: Sequence[Tensor],
    path: ComputePath,
) -> FeatureNetwork:
    """Return the network of a spec's losses up to the deepest of some layers, in float32.

    Args:
        spec: The spec.
        weights: Pretrained weights; None for random ones, by the spec's seed.
        layers: Names of the layers in use.
        images: Pictures that random weights of VGG are calibrated on, each (1, 3, H, W).
        path: The device; losses stay in float32, since Gram matrices of half precision drown small differences.

    Raises:
        InvalidRequest: The weights are not this network's.

    Example:
        network = build_loss_network(spec, None, ("fire4",), [], path)
    """
    architecture = architecture_of(spec, weights)
    if architecture == "squeezenet":
        return _squeezenet(spec, weights, layers, path)
    return _vgg(architecture, spec, weights, layers, images, path)


def _squeezenet(
    spec: TrainingSpec, weights: WeightsContent | None, layers: Sequence[str], path: ComputePath
) -> FeatureNetwork:
    # Dense, so that each pixel counts alike: what it gives does not follow a grid, and a network learns none.
    space = TORCHVISION if weights is None else weights.space
    network = SqueezeNet(spec.pooling, space=space, first_layer="dense")
    if weights is None:
        randomize_squeezenet(network, spec.seed)
    else:
        load_squeezenet(network, weights.tensors)
    return SqueezeNetNetwork(network.to(path.device).to(memory_format=torch.channels_last), layers)


def _vgg(
    architecture: VggArchitecture,
    spec: TrainingSpec,
    weights: WeightsContent | None,
    layers: Sequence[str],
    images: Sequence[Tensor],
    path: ComputePath,
) -> FeatureNetwork:
    pooling = "average" if spec.pooling == "blur" else spec.pooling
    vgg = Vgg(architecture, layers, pooling, space=TORCHVISION if weights is None else weights.space)
    if weights is None:
        randomize(vgg, spec.seed)
    else:
        load_weights(vgg, weights.tensors)
    vgg = vgg.to(path.device)
    if weights is None:
        calibrate(vgg, images)
    return VggNetwork(vgg.to(memory_format=torch.channels_last))
