"""A feature network made ready for many passes: forward, and back to the pixels, without autograd.

Autograd would keep what is not needed, could not add a layer's own gradient in place, and would choose the convolutions
itself. Here the way back is written out; the tests hold it against autograd's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks.conv3x3 import Conv3x3, ConvAlgorithm, choose_algorithm, memory_format
from stylefarm.worker.engine.networks.relu_mask import ReluMask
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.engine.space import from_input_gradient


class OnFeatures(Protocol):
    """Is shown the features (B, C, N rows, W) of some rows of a named layer. They are not changed afterwards."""

    def __call__(self, layer: str, features: Tensor, rows: slice) -> None: ...


class AddGrad(Protocol):
    """Adds a layer's own gradient to what came from the deeper ones; may do so in its place. None: there is none."""

    def __call__(self, layer: str, features: Tensor, rows: slice, grad: Tensor | None) -> Tensor | None: ...


Backward = Callable[[AddGrad], Tensor]


class ForwardPass(Protocol):
    """One way of going through the network with pictures (B, 3, H, W), RGB in [0, 1]."""

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Goes forward; every row of every named layer is visited once."""
        ...

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Goes forward, and returns the way back, to be gone once: the gradient for the pixels, in their dtype."""
        ...


class Backbone:
    """The convolutions of `vgg` in its precision, on its device. Later changes of its weights are not seen."""

    def __init__(self, vgg: Vgg, way: ConvAlgorithm | None = None) -> None:
        first = vgg.weights[0]
        self.dtype = first.dtype
        self.way = way or choose_algorithm(first.device, first.dtype)
        self.format = memory_format(self.way, first.device)
        self.convs = [Conv3x3(w, b, self.way) for w, b in zip(vgg.weights, vgg.biases, strict=True)]
        self.plan = vgg.plan
        self.layers = vgg.layers
        self.pool = vgg.pool
        self.replicates = vgg.padding == "replicate"
        self.space = vgg.space
        self._normalise = vgg.normalize

    def inputs(self, pixels: Tensor) -> Tensor:
        """What the first convolution gets."""
        return self._normalise(pixels).contiguous(memory_format=self.format)

    def pixels_gradient(self, grad: Tensor, dtype: torch.dtype) -> Tensor:
        """The gradient for the pixels of that for `inputs`."""
        return from_input_gradient(self.space, grad.to(dtype=dtype, memory_format=torch.contiguous_format))

    def convolve(self, index: int, x: Tensor) -> Tensor:
        """The convolution `index` of the plan, of what is pooled already, and its ReLU.

        A layer that is named before its ReLU keeps its negative values.
        """
        relu = self.plan[index].name not in self.layers
        if index or not self.replicates:
            return self.convs[index](x, relu=relu)
        padded = functional.pad(x, (1, 1, 1, 1), "replicate")
        return self.convs[0](padded, relu=relu)[:, :, 1:-1, 1:-1].contiguous(memory_format=self.format)

    def activation(self, index: int, y: Tensor) -> Tensor:
        """What the ReLU leaves of what `convolve` returned."""
        return y.relu() if self.plan[index].name in self.layers else y

    def convolve_gradient(self, index: int, grad: Tensor) -> Tensor:
        """The gradient for the input of the convolution `index`."""
        if index or not self.replicates:
            return self.convs[index].gradient(grad)
        wide = self.convs[0].gradient(functional.pad(grad, (1, 1, 1, 1)).contiguous(memory_format=self.format))
        wide[:, :, 1] += wide[:, :, 0]
        wide[:, :, -2] += wide[:, :, -1]
        wide[:, :, :, 1] += wide[:, :, :, 0]
        wide[:, :, :, -2] += wide[:, :, :, -1]
        return wide[:, :, 1:-1, 1:-1]


class WholePass:
    """All of a picture at once.

    What the way back needs is held until it has passed: activations of named layers, of others their signs. On a GPU,
    and in half precision, other activations are held as well: there is the room, and no time to lose.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        self._forward(pixels, on_features, None)

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        kept: list[Tensor | ReluMask] = []
        self._forward(pixels, on_features, kept)
        return lambda add_grad: self._back(kept, add_grad, pixels)

    def _forward(self, pixels: Tensor, on_features: OnFeatures, kept: list[Tensor | ReluMask] | None) -> None:
        net = self.backbone
        x = net.inputs(pixels)
        for index, convolution in enumerate(net.plan):
            if convolution.pooled:
                x = net.pool(x)
            y = net.convolve(index, x)
            x = net.activation(index, y)
            if convolution.name in net.layers:
                on_features(convolution.name, y, slice(None))
            if convolution.activation in net.layers:
                on_features(convolution.activation, x, slice(None))
            if kept is not None:
                kept.append(self._signs(y) if self._needs_signs_alone(index, y) else y)

    def _needs_signs_alone(self, index: int, y: Tensor) -> bool:
        net = self.backbone
        named = {net.plan[index].name, net.plan[index].activation} & net.layers
        return not named and net.pool.linear and y.device.type == "cpu" and y.itemsize >= 4

    def _signs(self, y: Tensor) -> ReluMask:
        signs = ReluMask(y.shape, self.backbone.format, y.device)
        signs.set(slice(None), y)
        return signs

    def _back(self, kept: list[Tensor | ReluMask], add_grad: AddGrad, pixels: Tensor) -> Tensor:
        net = self.backbone
        grad: Tensor | None = None
        for index in reversed(range(len(net.plan))):
            convolution, y = net.plan[index], kept.pop()
            if isinstance(y, ReluMask):
                grad = None if grad is None else y.applied(slice(None), grad)
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


def relu_grad(grad: Tensor, y: Tensor) -> Tensor:
    """The gradient before a ReLU of that after it, in its place; `y` is what stood before or after."""
    torch.ops.aten.threshold_backward.grad_input(grad, y, 0, grad_input=grad)
    return grad
