"""A picture that is too large to be held: the network is gone through in strips of rows.

Forward, a block of convolutions at a time (VGG has five, with a pooling between): each strip is read with as many rows
more, on either side, as there are convolutions in the block, so that its own rows are exact. What is kept of a whole
picture is the input of each block, and the signs of the activations, a bit each. Back, a strip's own rows are
differentiated, and what they give to the rows around them is added up. In the first blocks the activations up to the
last layer that a loss is at are computed again; later ones, which are small, are kept. Without average pooling all are
computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks import allocator
from stylefarm.worker.engine.networks.explicit_pass import AddGrad, Backbone, Backward, OnFeatures, relu_grad
from stylefarm.worker.engine.networks.relu_mask import ReluMask

# From the fourth block on a layer takes an eighth of the first one's room, or less, and most of its time.
KEPT_FROM = 3


@dataclass
class _Block:
    """One block as a pass goes through it: convolutions `first` to `last`, which is not one of them.

    On the way back those up to `again` are computed again; of the others the signs are kept, or all that they gave.
    """

    first: int
    last: int
    again: int
    input: Tensor
    signs: dict[int, ReluMask] = field(default_factory=dict)
    kept: dict[int, Tensor] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return self.input.shape[2]

    @property
    def count(self) -> int:
        return self.last - self.first

    def around(self, start: int, stop: int) -> tuple[int, int]:
        """The rows that must be read for rows `start` to `stop` of its last convolution to be exact."""
        return max(0, start - self.count), min(self.height, stop + self.count)


class StripPass:
    """Goes through the network in strips whose activations take about `strip_bytes`.

    `keeps`: features of deep layers are kept for the way back, where the pooling allows it.
    """

    def __init__(self, backbone: Backbone, strip_bytes: int, *, keeps: bool = True) -> None:
        self.backbone = backbone
        self.strip_bytes = strip_bytes
        self.keeps = keeps and backbone.pool.linear

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Goes forward; every row of every named layer is visited once."""
        for _ in self._forward(pixels, on_features, recorded=False):
            pass

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Goes forward, and returns the way back."""
        blocks = list(self._forward(pixels, on_features, recorded=True))
        return lambda add_grad: self._back(blocks, add_grad, pixels.dtype)

    def _forward(self, pixels: Tensor, on_features: OnFeatures, *, recorded: bool) -> Iterator[_Block]:
        net = self.backbone
        starts = [index for index, convolution in enumerate(net.plan) if index == 0 or convolution.pooled]
        x = net.inputs(pixels)
        for number, (first, last) in enumerate(zip(starts, [*starts[1:], len(net.plan)], strict=True)):
            named = [i for i in range(first, last) if {net.plan[i].name, net.plan[i].activation} & net.layers]
            kept = named if number >= KEPT_FROM and self.keeps else []
            again = last if not net.pool.linear else first if kept else max(named, default=first - 1) + 1
            block = _Block(first, last, again, x)
            if recorded:
                shape = (x.shape[0], net.plan[first].outputs, *x.shape[2:])
                block.kept = {index: self._empty(shape, x) for index in kept}
                block.signs = {i: ReluMask(shape, net.format, x.device) for i in range(again, last) if i not in kept}
            x = self._through(block, on_features, last < len(net.plan))
            yield block

    def _through(self, block: _Block, on_features: OnFeatures, pooled: bool) -> Tensor:
        """Visits the block's layers; returns what is pooled of its output, or nothing."""
        net = self.backbone
        batch, _, height, width = block.input.shape
        outputs = net.plan[block.first].outputs
        size = (batch, outputs, height // 2, width // 2) if pooled else (0, 0, 0, 0)
        result = self._empty(size, block.input)
        with _reused(block):
            for start, stop in self._strips(block):
                self._strip_through(block, start, stop, on_features, result[:, :, start // 2 : stop // 2])
        return result

    def _strip_through(self, block: _Block, start: int, stop: int, on_features: OnFeatures, pooled: Tensor) -> None:
        """Visits rows `start` to `stop` of the block's layers, and writes into `pooled` what is pooled of them."""
        net = self.backbone
        top, bottom = block.around(start, stop)
        own = slice(start - top, stop - top)
        x = block.input[:, :, top:bottom]
        for index in range(block.first, block.last):
            y = net.convolve(index, x)
            x = net.activation(index, y)
            convolution = net.plan[index]
            if convolution.name in net.layers:
                on_features(convolution.name, y[:, :, own], slice(start, stop))
            if convolution.activation in net.layers:
                on_features(convolution.activation, x[:, :, own], slice(start, stop))
            if index in block.signs:
                block.signs[index].set(slice(start, stop), x[:, :, own])
            if index in block.kept:
                block.kept[index][:, :, start:stop] = y[:, :, own]
        if pooled.shape[2]:  # not at the end, nor for the last row of an odd height
            pooled.copy_(net.pool(x[:, :, own]))

    def _back(self, blocks: list[_Block], add_grad: AddGrad, dtype: torch.dtype) -> Tensor:
        grad: Tensor | None = None
        while blocks:
            block = blocks.pop()
            whole = torch.zeros_like(block.input)
            with _reused(block):
                for start, stop in self._strips(block):
                    above = None if grad is None else grad[:, :, start // 2 : stop // 2]
                    self._strip_back(block, start, stop, above, add_grad, whole)
            grad = whole
        if grad is None:
            raise TypeError("a plan of no convolutions")
        return self.backbone.pixels_gradient(grad, dtype)

    def _strip_back(
        self, block: _Block, start: int, stop: int, above: Tensor | None, add_grad: AddGrad, whole: Tensor
    ) -> None:
        """Adds to `whole`, the gradient for the block's input, that of what rows `start` to `stop` give."""
        net = self.backbone
        top, found = self._found(block, start, stop)
        own = slice(start, stop)
        grad = None
        if above is not None and above.shape[2]:  # the last row of an odd height is not pooled
            x = None if net.pool.linear else net.activation(block.last - 1, found[block.last - 1])
            here = None if x is None else x[:, :, start - top : stop - top]
            grad = net.pool.gradient(above, (stop - start, block.input.shape[3]), here)
        low = start
        for index in reversed(range(block.first, block.last)):
            y = found.get(index)
            named = net.plan[index]
            if y is not None and named.activation in net.layers:
                features = net.activation(index, y[:, :, start - top : stop - top])
                grad = _with_layer_grad(add_grad, named.activation, features, own, grad, low)
            if grad is not None:
                rows = slice(low, low + grad.shape[2])
                if y is None:
                    grad = block.signs[index].applied(rows, grad)
                else:
                    grad = relu_grad(
                        grad.contiguous(memory_format=net.format), y[:, :, rows.start - top : rows.stop - top]
                    )
            if y is not None and named.name in net.layers:
                grad = _with_layer_grad(add_grad, named.name, y[:, :, start - top : stop - top], own, grad, low)
            if grad is not None:
                low, grad = self._spread(block, index, low, grad)
        if grad is not None:
            whole[:, :, low : low + grad.shape[2]] += grad

    def _found(self, block: _Block, start: int, stop: int) -> tuple[int, dict[int, Tensor]]:
        """What convolutions gave around rows `start` to `stop`, kept or computed again; and the first row of it."""
        if block.kept:
            return 0, block.kept
        top, bottom = block.around(start, stop)
        found: dict[int, Tensor] = {}
        x = block.input[:, :, top:bottom]
        for index in range(block.first, block.again):
            found[index] = self.backbone.convolve(index, x)
            x = self.backbone.activation(index, found[index])
        return top, found

    def _spread(self, block: _Block, index: int, low: int, grad: Tensor) -> tuple[int, Tensor]:
        """One convolution back: a row more on either side, where the picture has one."""
        high = low + grad.shape[2]
        up, down = min(1, low), min(1, block.height - high)
        return low - up, self.backbone.convolve_gradient(index, functional.pad(grad, (0, 0, up, down)))

    def _empty(self, size: Sequence[int], like: Tensor) -> Tensor:
        return torch.empty(size, dtype=like.dtype, device=like.device, memory_format=self.backbone.format)

    def _strips(self, block: _Block) -> Iterator[tuple[int, int]]:
        batch, _, height, width = block.input.shape
        outputs = self.backbone.plan[block.first].outputs
        # A convolution's input and output, and about as much again that it works with.
        row = batch * outputs * width * block.input.itemsize * 4
        # Even, so that no pooling reaches over two strips.
        rows = max(2, self.strip_bytes // row // 2 * 2)
        for start in range(0, height, rows):
            yield start, min(start + rows, height)


def _reused(block: _Block) -> AbstractContextManager[None]:
    """A strip's tensors come after another's of the same sizes."""
    return allocator.reuse_memory() if block.input.is_cpu else nullcontext()


def _with_layer_grad(
    add_grad: AddGrad, layer: str, features: Tensor, own: slice, grad: Tensor | None, low: int
) -> Tensor | None:
    """The grad with the layer's own on the strip's own rows; `low` is the grad's first row."""
    if grad is None:
        return add_grad(layer, features, own, None)
    part = grad[:, :, own.start - low : own.stop - low]
    found = add_grad(layer, features, own, part)
    if found is not None and found is not part:
        part.copy_(found)
    return grad
