"""VGG's explicit pass over a whole image at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stylefarm.shared.spec.networks import Layer
from stylefarm.worker.engine.networks.feature_network import AddGrad, Backward, OnFeatures
from stylefarm.worker.engine.networks.relu_mask import ReluMask
from stylefarm.worker.engine.networks.vgg_backbone import VggBackbone, relu_grad


class WholePass:
    """Runs VGG on all of an image at once.

    Until the backward pass it holds the activations of the layers in use, and of the others the ReLU's mask. On a GPU,
    and in half precision, other activations are held as well, since there is more memory than time.

    Args:
        backbone: The network.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg, randomize
        >>> from stylefarm.worker.engine.networks.vgg_backbone import VggBackbone
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> randomize(vgg, seed=0)
        >>> forward_pass = WholePass(VggBackbone(vgg))
        >>> forward_pass.forward(torch.rand(1, 3, 8, 8), lambda layer, features, rows: print(layer, features.shape[2]))
        relu1_1 8
    """

    def __init__(self, backbone: VggBackbone) -> None:
        self.backbone = backbone

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers in use, by name."""
        return self.backbone.layers

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        return self.backbone.layer_size(layer, size)

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Compute the features of pixels (B, 3, H, W) in [0, 1], and give them to `on_features`."""
        self._forward(pixels, on_features, None)

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Compute the features as `forward` does, and return the backward pass."""
        kept: list[Tensor | ReluMask] = []
        self._forward(pixels, on_features, kept)
        return lambda add_grad: self._backward(kept, add_grad, pixels)

    def _forward(self, pixels: Tensor, on_features: OnFeatures, kept: list[Tensor | ReluMask] | None) -> None:
        net = self.backbone
        x = net.inputs(pixels)
        for index, convolution in enumerate(net.convolutions):
            if convolution.pooled:
                x = net.pool(x)
            y = net.convolve(index, x)
            x = net.activation(index, y)
            if convolution.name in net.layers:
                on_features(convolution.name, y, slice(None))
            if convolution.activation in net.layers:
                on_features(convolution.activation, x, slice(None))
            if kept is not None:
                kept.append(self._mask(y) if self._needs_mask_only(index, y) else y)

    def _needs_mask_only(self, index: int, y: Tensor) -> bool:
        net = self.backbone
        return not net.has_loss(index) and net.pool.linear and y.device.type == "cpu" and y.itemsize >= 4

    def _mask(self, y: Tensor) -> ReluMask:
        mask = ReluMask(y.shape, self.backbone.format, y.device)
        mask.set(slice(None), y)
        return mask

    def _backward(self, kept: list[Tensor | ReluMask], add_grad: AddGrad, pixels: Tensor) -> Tensor:
        net = self.backbone
        grad: Tensor | None = None
        for index in reversed(range(len(net.convolutions))):
            convolution, y = net.convolutions[index], kept.pop()
            if isinstance(y, ReluMask):
                grad = None if grad is None else y.apply(slice(None), grad)
            else:
                if convolution.activation in net.layers:
                    grad = add_grad(convolution.activation, net.activation(index, y), slice(None), grad)
                if grad is not None:
                    grad = relu_grad(grad, y)
                if convolution.name in net.layers:
                    grad = add_grad(convolution.name, y, slice(None), grad)
            if grad is None:
                continue
            grad = net.convolve_gradient(index, grad)
            if convolution.pooled:
                x = kept[-1]
                pooled = None if net.pool.linear or isinstance(x, ReluMask) else net.activation(index - 1, x)
                grad = net.pool.gradient(grad, x.shape[2:], pooled)
        return torch.zeros_like(pixels) if grad is None else net.pixels_gradient(grad, pixels.dtype)
