"""The feature network that a spec names, ready to use on a device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from stylefarm.shared.blobs.storage import BlobStore
from stylefarm.shared.spec.networks import VggArchitecture
from stylefarm.shared.spec.space import InputSpace
from stylefarm.shared.spec.spec import BLOB, JobSpec
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet, randomize_squeezenet, rescale_squeezenet_filters
from stylefarm.worker.engine.networks.squeezenet_network import SqueezeNetNetwork
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize, rescale_filters
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.weights import WeightsContent, load_squeezenet, load_weights, read_weights
from stylefarm.worker.render.stored_files import cached_file


def build_network(
    spec: JobSpec, images: Sequence[Tensor], blobs: BlobStore, cache: Path, path: ComputePath
) -> FeatureNetwork:
    """Return the network of a spec, ready to use.

    Args:
        spec: names the network and its weights.
        images: the content and the styles, (1, 3, H, W), on which random weights are calibrated, and by which filters
            are rescaled.
        blobs: holds the weights.
        cache: a folder of this machine that keeps them.
        path: the device and the precision.

    Returns:
        The network. Pretrained weights get the input that they were trained with, whatever the spec says.

    Raises:
        NotFound: the weights are not in the object store.
        InvalidRequest: the file is not one of weights of this network.
    """
    pretrained = (
        None if spec.weights is None else _state(cached_file("weights", spec.weights.removeprefix(BLOB), blobs, cache))
    )
    if spec.features == "squeezenet":
        return _squeezenet(spec, images, pretrained, path)
    vgg = empty_network(spec, spec.input_space if pretrained is None else pretrained.space)
    if pretrained is None:
        randomize(vgg, spec.features_seed)
    else:
        load_weights(vgg, pretrained.tensors)
    vgg = vgg.to(path.device)
    if pretrained is None:
        calibrate(vgg, images, spec.features_deviation)
    if spec.rescale_filters:
        rescale_filters(vgg, images)
    vgg.cast(path.dtype)
    return VggNetwork(vgg.to(memory_format=torch.channels_last))


def random_network(spec: JobSpec, images: Sequence[Tensor], path: ComputePath) -> FeatureNetwork:
    """Return the network of `spec` with random weights, calibrated on `images`, whatever weights the spec names."""
    if spec.features == "squeezenet":
        return _squeezenet(spec, images, None, path)
    vgg = empty_network(spec, spec.input_space)
    randomize(vgg, spec.features_seed)
    vgg = vgg.to(path.device)
    calibrate(vgg, images, spec.features_deviation)
    vgg.cast(path.dtype)
    return VggNetwork(vgg)


def empty_network(spec: JobSpec, space: InputSpace) -> Vgg:
    """Return the VGG that a spec names, without weights, for an input in `space`."""
    architecture: VggArchitecture = "vgg16" if spec.features == "vgg16" else "vgg19"
    rescaled = spec.rescale_pooling
    return Vgg(architecture, spec.layers, spec.pooling, space=space, padding=spec.padding, rescale_pooling=rescaled)


def _squeezenet(
    spec: JobSpec, images: Sequence[Tensor], pretrained: WeightsContent | None, path: ComputePath
) -> FeatureNetwork:
    """Return SqueezeNet with these weights; without any, with random ones."""
    network = SqueezeNet(
        spec.pooling,
        space=spec.input_space if pretrained is None else pretrained.space,
        first_layer=spec.first_layer,
        padding=spec.padding,
        rescale_pooling=spec.rescale_pooling,
    )
    if pretrained is None:
        randomize_squeezenet(network, spec.features_seed)
    else:
        load_squeezenet(network, pretrained.tensors)
    network = network.to(path.device)
    if spec.rescale_filters:
        rescale_squeezenet_filters(network, images)
    network = network.to(path.dtype).to(memory_format=torch.channels_last)
    return SqueezeNetNetwork(network, spec.layers)


@lru_cache(maxsize=1)
def _state(file: Path) -> WeightsContent:
    """Kept between the jobs of a worker, whose sweeps use one network."""
    return read_weights(file)
