"""Render one picture of a variant by the engine alone, without a farm."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from stylefarm.shared.errors import NotFound
from stylefarm.shared.spec.packaged_weights import packaged_squeezenet
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.hardware.device import ComputePath, choose
from stylefarm.worker.engine.hardware.memory import available_memory
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
from stylefarm.worker.engine.networks.squeezenet_network import SqueezeNetNetwork
from stylefarm.worker.engine.networks.weights import WeightsContent, load_squeezenet, read_weights
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.network import random_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale


class Rendered(NamedTuple):
    """A rendered picture, (1, 3, H, W), with the content and the style in their own colors, at its size.

    `seconds` are those of the processor, which say more than a clock while other programs run.
    """

    image: Tensor
    content: Tensor
    style: Tensor
    seconds: float


def render(spec: JobSpec, content: Image.Image, style: Image.Image) -> Rendered:
    """Render one picture of a spec in which nothing is "auto"."""
    path = choose("fp32")
    inputs = JobImages(spec, content, [style], [], [], None)
    started = time.process_time()
    context = RenderContext(path, _network(inputs, path), ModelCache(0), partial(available_memory, path.device))
    scales = [Scale(n, partial(prepare_scale, [inputs], edge, context)) for edge, n in spec.schedule]
    *_, last = optimize(scales, make_optimizer(spec), UpdateRules.of(spec))
    seconds = time.process_time() - started
    own = JobImages(spec.model_copy(update={"color": "style"}), content, [style], [], [], None)
    sized = own.sized(spec.sizes[-1], path.device)
    return Rendered(last.image, sized.content, sized.styles[0].image, seconds)


def _network(inputs: JobImages, path: ComputePath) -> FeatureNetwork:
    spec = inputs.spec
    if spec.features == "random":
        sized = inputs.sized(spec.sizes[-1], path.device)
        return random_network(spec, [sized.content, sized.styles[0].image], path)
    weights = _weights()
    network = SqueezeNet(spec.pooling, space=weights.space, first_layer=spec.first_layer, padding=spec.padding)
    load_squeezenet(network, weights.tensors)
    return SqueezeNetNetwork(network.to(path.device), spec.layers)


@cache
def _weights() -> WeightsContent:
    file = packaged_squeezenet()
    if file is None:
        raise NotFound("SqueezeNet's weights are not installed: requirements/squeezenet.lock has them")
    return read_weights(file)
