"""VGG's convolutions prepared for many passes, forward and backward, without autograd.

Autograd would keep what is not needed, could not add a layer's own gradient in place, and would choose the convolutions
itself. The tests compare these gradients with autograd's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.networks import Layer, network_layers
from stylefarm.worker.engine.networks.conv3x3 import Conv3x3, ConvAlgorithm, choose_algorithm, memory_format
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.engine.space import from_input_gradient


class VggBackbone:
    """The convolutions of a `Vgg` in its precision, on its device; later changes of its weights are not seen.

    Args:
        vgg: The network, with its weights.
        algorithm: How the convolutions are computed; None chooses by device and dtype.
    """

    def __init__(self, vgg: Vgg, algorithm: ConvAlgorithm | None = None) -> None:
        first = vgg.weights[0]
        self.device = first.device
        self.dtype = first.dtype
        self.algorithm = algorithm or choose_algorithm(first.device, first.dtype)
        self.format = memory_format(self.algorithm, first.device)
        self.convs = [Conv3x3(w, b, self.algorithm) for w, b in zip(vgg.weights, vgg.biases, strict=True)]
        self.convolutions = vgg.convolutions
        every = network_layers(vgg.architecture)
        self.layers: Mapping[str, Layer] = {name: layer for name, layer in every.items() if name in vgg.layers}
        self.pool = vgg.pool
        self.replicates = vgg.padding == "replicate"
        self.space = vgg.space
        self._blocks = {name: c for c in vgg.convolutions for name in (c.name, c.activation)}
        self._normalize = vgg.normalize

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        return self._blocks[layer].size(size)

    def has_loss(self, index: int) -> bool:
        """Return whether convolution `index`, or the ReLU after it, is one of the layers in use."""
        return self.convolutions[index].name in self.layers or self.convolutions[index].activation in self.layers

    def inputs(self, pixels: Tensor) -> Tensor:
        """Return the input of the first convolution for pixels (B, 3, H, W) in [0, 1]."""
        return self._normalize(pixels).contiguous(memory_format=self.format)

    def pixels_gradient(self, grad: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the gradient for the pixels, in `dtype`, of the gradient for `inputs`."""
        return from_input_gradient(self.space, grad.to(dtype=dtype, memory_format=torch.contiguous_format))

    def convolve(self, index: int, x: Tensor) -> Tensor:
        """Return convolution `index` and its ReLU, of what is pooled already.

        A layer that is named before its ReLU keeps its negative values.
        """
        relu = self.convolutions[index].name not in self.layers
        if index or not self.replicates:
            return self.convs[index](x, relu=relu)
        padded = functional.pad(x, (1, 1, 1, 1), "replicate")
        return self.convs[0](padded, relu=relu)[:, :, 1:-1, 1:-1].contiguous(memory_format=self.format)

    def activation(self, index: int, y: Tensor) -> Tensor:
        """Return the activation after the ReLU, of what `convolve` returned."""
        return y.relu() if self.convolutions[index].name in self.layers else y

    def convolve_gradient(self, index: int, grad: Tensor) -> Tensor:
        """Return the gradient for the input of convolution `index`, of that for its output before the ReLU."""
        if index or not self.replicates:
            return self.convs[index].gradient(grad)
        wide = self.convs[0].gradient(functional.pad(grad, (1, 1, 1, 1)).contiguous(memory_format=self.format))
        wide[:, :, 1] += wide[:, :, 0]
        wide[:, :, -2] += wide[:, :, -1]
        wide[:, :, :, 1] += wide[:, :, :, 0]
        wide[:, :, :, -2] += wide[:, :, :, -1]
        return wide[:, :, 1:-1, 1:-1]


def relu_grad(grad: Tensor, y: Tensor) -> Tensor:
    """Replace the gradient after a ReLU by that before it, in place, and return it.

    Args:
        grad: The gradient for the ReLU's output.
        y: The ReLU's input or output, shaped as `grad`.

    Example:
        >>> relu_grad(torch.tensor([5.0, 6.0]), torch.tensor([1.0, -1.0])).tolist()
        [5.0, 0.0]
    """
    torch.ops.aten.threshold_backward.grad_input(grad, y, 0, grad_input=grad)
    return grad
