"""SqueezeNet as a feature network: gradients by autograd, whole images only."""

from __future__ import annotations

from collections.abc import Collection

from stylefarm.shared.spec.networks import network_layers
from stylefarm.worker.engine.networks.module_network import ModuleNetwork
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet


class SqueezeNetNetwork(ModuleNetwork):
    """The `FeatureNetwork` of a `SqueezeNet`.

    Args:
        squeezenet: The network, with its weights, in the precision and on the device that it is to run with.
        layers: Names of the layers in use.

    Example:
        >>> network = SqueezeNetNetwork(SqueezeNet(), ["fire4", "relu1"])
        >>> [(layer.name, layer.channels, layer.stride) for layer in network.layers.values()]
        [('relu1', 64, 2), ('fire4', 256, 8)]
        >>> network.layer_size("fire4", (65, 64))
        (7, 7)
    """

    def __init__(self, squeezenet: SqueezeNet, layers: Collection[str]) -> None:
        first_layer = "dense" if squeezenet.is_dense else "strided"
        every = network_layers("squeezenet", first_layer)
        used = {name: layer for name, layer in every.items() if name in layers}
        super().__init__(squeezenet, used, space=squeezenet.space, submodules=squeezenet.submodules)
