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

from stylefarm.worker.engine.networks.kernels import Kernel, Way, memory_format, way_of
from stylefarm.worker.engine.networks.relu_mask import Signs
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.engine.space import from_input_gradient


class Visit(Protocol):
    """Is shown the features (B, C, N rows, W) of some rows of a named layer. They are not changed afterwards."""

    def __call__(self, layer: str, features: Tensor, rows: slice) -> None: ...


class Pull(Protocol):
    """Adds a layer's own gradient to what came from the deeper ones; may do so in its place. None: there is none."""

    def __call__(self, layer: str, features: Tensor, rows: slice, slope: Tensor | None) -> Tensor | None: ...


WayBack = Callable[[Pull], Tensor]


class Pass(Protocol):
    """One way of going through the network with pictures (B, 3, H, W), RGB in [0, 1]."""

    def read(self, pixels: Tensor, visit: Visit) -> None:
        """Goes forward; every row of every named layer is visited once."""
        ...

    def record(self, pixels: Tensor, visit: Visit) -> WayBack:
        """Goes forward, and returns the way back, to be gone once: the gradient for the pixels, in their dtype."""
        ...


class Backbone:
    """The convolutions of `vgg` in its precision, on its device. Later changes of its weights are not seen."""

    def __init__(self, vgg: Vgg, way: Way | None = None) -> None:
        first = vgg.weights[0]
        self.dtype = first.dtype
        self.way = way or way_of(first.device, first.dtype)
        self.format = memory_format(self.way, first.device)
        self.kernels = [Kernel(w, b, self.way) for w, b in zip(vgg.weights, vgg.biases, strict=True)]
        self.plan = vgg.plan
        self.layers = vgg.layers
        self.pool = vgg.pool
        self.replicates = vgg.padding == "replicate"
        self.space = vgg.space
        self._normalise = vgg.normalise

    def inputs(self, pixels: Tensor) -> Tensor:
        """What the first convolution gets."""
        return self._normalise(pixels).contiguous(memory_format=self.format)

    def pixels_gradient(self, slope: Tensor, dtype: torch.dtype) -> Tensor:
        """The gradient for the pixels of that for `inputs`."""
        return from_input_gradient(self.space, slope.to(dtype=dtype, memory_format=torch.contiguous_format))

    def convolve(self, index: int, x: Tensor) -> Tensor:
        """The convolution `index` of the plan, of what is pooled already, and its ReLU.

        A layer that is named before its ReLU keeps its negative values.
        """
        relu = self.plan[index].name not in self.layers
        if index or not self.replicates:
            return self.kernels[index](x, relu=relu)
        padded = functional.pad(x, (1, 1, 1, 1), "replicate")
        return self.kernels[0](padded, relu=relu)[:, :, 1:-1, 1:-1].contiguous(memory_format=self.format)

    def activation(self, index: int, y: Tensor) -> Tensor:
        """What the ReLU leaves of what `convolve` returned."""
        return y.relu() if self.plan[index].name in self.layers else y

    def convolve_gradient(self, index: int, slope: Tensor) -> Tensor:
        """The gradient for the input of the convolution `index`."""
        if index or not self.replicates:
            return self.kernels[index].gradient(slope)
        wide = self.kernels[0].gradient(functional.pad(slope, (1, 1, 1, 1)).contiguous(memory_format=self.format))
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

    def read(self, pixels: Tensor, visit: Visit) -> None:
        self._forward(pixels, visit, None)

    def record(self, pixels: Tensor, visit: Visit) -> WayBack:
        kept: list[Tensor | Signs] = []
        self._forward(pixels, visit, kept)
        return lambda pull: self._back(kept, pull, pixels)

    def _forward(self, pixels: Tensor, visit: Visit, kept: list[Tensor | Signs] | None) -> None:
        net = self.backbone
        x = net.inputs(pixels)
        for index, convolution in enumerate(net.plan):
            if convolution.pooled:
                x = net.pool(x)
            y = net.convolve(index, x)
            x = net.activation(index, y)
            if convolution.name in net.layers:
                visit(convolution.name, y, slice(None))
            if convolution.activation in net.layers:
                visit(convolution.activation, x, slice(None))
            if kept is not None:
                kept.append(self._signs(y) if self._needs_signs_alone(index, y) else y)

    def _needs_signs_alone(self, index: int, y: Tensor) -> bool:
        net = self.backbone
        named = {net.plan[index].name, net.plan[index].activation} & net.layers
        return not named and net.pool.linear and y.device.type == "cpu" and y.itemsize >= 4

    def _signs(self, y: Tensor) -> Signs:
        signs = Signs(y.shape, self.backbone.format, y.device)
        signs.set(slice(None), y)
        return signs

    def _back(self, kept: list[Tensor | Signs], pull: Pull, pixels: Tensor) -> Tensor:
        net = self.backbone
        slope: Tensor | None = None
        for index in reversed(range(len(net.plan))):
            convolution, y = net.plan[index], kept.pop()
            if isinstance(y, Signs):
                slope = None if slope is None else y.applied(slice(None), slope)
            else:
                if convolution.activation in net.layers:
                    slope = pull(convolution.activation, net.activation(index, y), slice(None), slope)
                if slope is not None:
                    slope = masked(slope, y)
                if convolution.name in net.layers:
                    slope = pull(convolution.name, y, slice(None), slope)
            if slope is None:
                continue
            slope = net.convolve_gradient(index, slope)
            if convolution.pooled:
                x = kept[-1]
                pooled = None if net.pool.linear or isinstance(x, Signs) else net.activation(index - 1, x)
                slope = net.pool.gradient(slope, x.shape[2:], pooled)
        return torch.zeros_like(pixels) if slope is None else net.pixels_gradient(slope, pixels.dtype)


def masked(slope: Tensor, y: Tensor) -> Tensor:
    """The gradient before a ReLU of that after it, in its place; `y` is what stood before or after."""
    torch.ops.aten.threshold_backward.grad_input(slope, y, 0, grad_input=slope)
    return slope
