"""VGG's explicit pass over an image that is too large to be held: strips of rows.

Forward, one block of convolutions at a time (VGG has five, with a pooling between): each strip is read with as many
rows more, on either side, as there are convolutions in the block, so that its own rows are exact. Of a whole image only
the input of each block is kept, and the ReLU's masks, one bit each. Backward, a strip's own rows are differentiated,
and the gradients that they give to the rows around them are summed. In the first blocks the activations up to the last
layer in use are computed again; those of later blocks, which are small, are kept. Without average pooling all are
computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.networks import Layer
from stylefarm.worker.engine.networks import allocator
from stylefarm.worker.engine.networks.feature_network import AddGrad, Backward, OnFeatures
from stylefarm.worker.engine.networks.relu_mask import ReluMask
from stylefarm.worker.engine.networks.vgg_backbone import VggBackbone, relu_grad

# Features of blocks after this one are kept: such a layer takes an eighth of the first one's memory, or less, and most
# of its time.
KEEP_FROM_BLOCK = 3


@dataclass
class _Block:
    """The state of one block in a pass.

    Convolutions `first` to `stop` (exclusive) belong to it. The backward pass computes those before `recompute_stop`
    again; of the others the mask is kept, or the whole output.
    """

    first: int
    stop: int
    recompute_stop: int
    input: Tensor
    masks: dict[int, ReluMask] = field(default_factory=dict)
    kept: dict[int, Tensor] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return self.input.shape[2]

    @property
    def count(self) -> int:
        return self.stop - self.first

    def around(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows that are needed for rows `start` to `stop` of its last convolution to be exact."""
        return max(0, start - self.count), min(self.height, stop + self.count)


class StripPass:
    """Runs VGG in strips of rows.

    Args:
        backbone: The network.
        strip_bytes: Bytes that the activations of a strip take, about.
        keep_features: Whether features of deep layers are kept for the backward pass, where the pooling allows it.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg, randomize
        >>> from stylefarm.worker.engine.networks.vgg_backbone import VggBackbone
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> randomize(vgg, seed=0)
        >>> forward_pass = StripPass(VggBackbone(vgg), strip_bytes=4 * 64 * 4 * 8 * 4)
        >>> forward_pass.forward(torch.rand(1, 3, 8, 8), lambda layer, features, rows: print(layer, features.shape[2]))
        relu1_1 4
        relu1_1 4
    """

    def __init__(self, backbone: VggBackbone, strip_bytes: int, *, keep_features: bool = True) -> None:
        self.backbone = backbone
        self.strip_bytes = strip_bytes
        self.keep_features = keep_features and backbone.pool.linear

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers in use, by name."""
        return self.backbone.layers

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        return self.backbone.layer_size(layer, size)

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Compute the features of pixels (B, 3, H, W) in [0, 1], and give them to `on_features` strip by strip."""
        for _ in self._forward(pixels, on_features, recorded=False):
            pass

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Compute the features as `forward` does, and return the backward pass."""
        blocks = list(self._forward(pixels, on_features, recorded=True))
        return lambda add_grad: self._backward(blocks, add_grad, pixels.dtype)

    def _forward(self, pixels: Tensor, on_features: OnFeatures, *, recorded: bool) -> Iterator[_Block]:
        net = self.backbone
        plan = net.convolutions
        starts = [index for index, convolution in enumerate(plan) if index == 0 or convolution.pooled]
        x = net.inputs(pixels)
        for number, (first, stop) in enumerate(zip(starts, [*starts[1:], len(plan)], strict=True)):
            in_use = [index for index in range(first, stop) if net.has_loss(index)]
            kept = in_use if number >= KEEP_FROM_BLOCK and self.keep_features else []
            recompute_stop = stop if not net.pool.linear else first if kept else max(in_use, default=first - 1) + 1
            block = _Block(first, stop, recompute_stop, x)
            if recorded:
                shape = (x.shape[0], plan[first].outputs, *x.shape[2:])
                block.kept = {index: self._empty(shape, x) for index in kept}
                masked = [index for index in range(recompute_stop, stop) if index not in kept]
                block.masks = {index: ReluMask(shape, net.format, x.device) for index in masked}
            x = self._forward_block(block, on_features, stop < len(plan))
            yield block

    def _forward_block(self, block: _Block, on_features: OnFeatures, pooled: bool) -> Tensor:
        """Compute the block's layers; return its pooled output, or nothing after the last block."""
        batch, _, height, width = block.input.shape
        outputs = self.backbone.convolutions[block.first].outputs
        size = (batch, outputs, height // 2, width // 2) if pooled else (0, 0, 0, 0)
        result = self._empty(size, block.input)
        with _reused_memory(block):
            for start, stop in self._strips(block):
                self._forward_strip(block, start, stop, on_features, result[:, :, start // 2 : stop // 2])
        return result

    def _forward_strip(self, block: _Block, start: int, stop: int, on_features: OnFeatures, pooled: Tensor) -> None:
        """Compute rows `start` to `stop` of the block's layers, and write their pooled output into `pooled`."""
        net = self.backbone
        top, bottom = block.around(start, stop)
        own = slice(start - top, stop - top)
        x = block.input[:, :, top:bottom]
        for index in range(block.first, block.stop):
            y = net.convolve(index, x)
            x = net.activation(index, y)
            convolution = net.convolutions[index]
            if convolution.name in net.layers:
                on_features(convolution.name, y[:, :, own], slice(start, stop))
            if convolution.activation in net.layers:
                on_features(convolution.activation, x[:, :, own], slice(start, stop))
            if index in block.masks:
                block.masks[index].set(slice(start, stop), x[:, :, own])
            if index in block.kept:
                block.kept[index][:, :, start:stop] = y[:, :, own]
        if pooled.shape[2]:  # not at the end, nor for the last row of an odd height
            pooled.copy_(net.pool(x[:, :, own]))

    def _backward(self, blocks: list[_Block], add_grad: AddGrad, dtype: torch.dtype) -> Tensor:
        grad: Tensor | None = None
        while blocks:
            block = blocks.pop()
            input_grad = torch.zeros_like(block.input)
            with _reused_memory(block):
                for start, stop in self._strips(block):
                    pooled_grad = None if grad is None else grad[:, :, start // 2 : stop // 2]
                    self._backward_strip(block, start, stop, pooled_grad, add_grad, input_grad)
            grad = input_grad
        if grad is None:
            raise TypeError("the network has no convolutions")
        return self.backbone.pixels_gradient(grad, dtype)

    def _backward_strip(
        self, block: _Block, start: int, stop: int, pooled_grad: Tensor | None, add_grad: AddGrad, input_grad: Tensor
    ) -> None:
        """Add to `input_grad`, the gradient for the block's input, what rows `start` to `stop` contribute."""
        net = self.backbone
        top, outputs = self._outputs(block, start, stop)
        own = slice(start, stop)
        grad = None
        if pooled_grad is not None and pooled_grad.shape[2]:  # the last row of an odd height is not pooled
            x = None if net.pool.linear else net.activation(block.stop - 1, outputs[block.stop - 1])
            here = None if x is None else x[:, :, start - top : stop - top]
            grad = net.pool.gradient(pooled_grad, (stop - start, block.input.shape[3]), here)
        low = start
        for index in reversed(range(block.first, block.stop)):
            y = outputs.get(index)
            convolution = net.convolutions[index]
            if y is not None and convolution.activation in net.layers:
                features = net.activation(index, y[:, :, start - top : stop - top])
                grad = _with_layer_grad(add_grad, convolution.activation, features, own, grad, low)
            if grad is not None:
                rows = slice(low, low + grad.shape[2])
                if y is None:
                    grad = block.masks[index].apply(rows, grad)
                else:
                    grad = relu_grad(
                        grad.contiguous(memory_format=net.format), y[:, :, rows.start - top : rows.stop - top]
                    )
            if y is not None and convolution.name in net.layers:
                grad = _with_layer_grad(add_grad, convolution.name, y[:, :, start - top : stop - top], own, grad, low)
            if grad is not None:
                low, grad = self._convolve_gradient(block, index, low, grad)
        if grad is not None:
            input_grad[:, :, low : low + grad.shape[2]] += grad

    def _outputs(self, block: _Block, start: int, stop: int) -> tuple[int, dict[int, Tensor]]:
        """Return the first row, and the convolutions' outputs around rows `start` to `stop`, kept or recomputed."""
        if block.kept:
            return 0, block.kept
        top, bottom = block.around(start, stop)
        outputs: dict[int, Tensor] = {}
        x = block.input[:, :, top:bottom]
        for index in range(block.first, block.recompute_stop):
            outputs[index] = self.backbone.convolve(index, x)
            x = self.backbone.activation(index, outputs[index])
        return top, outputs

    def _convolve_gradient(self, block: _Block, index: int, low: int, grad: Tensor) -> tuple[int, Tensor]:
        """Return one convolution's input gradient: one row more on either side, where the image has one."""
        high = low + grad.shape[2]
        up, down = min(1, low), min(1, block.height - high)
        return low - up, self.backbone.convolve_gradient(index, functional.pad(grad, (0, 0, up, down)))

    def _empty(self, size: Sequence[int], like: Tensor) -> Tensor:
        return torch.empty(size, dtype=like.dtype, device=like.device, memory_format=self.backbone.format)

    def _strips(self, block: _Block) -> Iterator[tuple[int, int]]:
        batch, _, height, width = block.input.shape
        outputs = self.backbone.convolutions[block.first].outputs
        # A convolution's input and output, and about as much again for its workspace.
        row = batch * outputs * width * block.input.itemsize * 4
        # Even, so that no pooling window reaches over two strips.
        rows = max(2, self.strip_bytes // row // 2 * 2)
        for start in range(0, height, rows):
            yield start, min(start + rows, height)


def _reused_memory(block: _Block) -> AbstractContextManager[None]:
    """Reuse memory on a CPU, where one strip's tensors have the sizes of another's."""
    return allocator.reuse_memory() if block.input.is_cpu else nullcontext()


def _with_layer_grad(
    add_grad: AddGrad, layer: str, features: Tensor, own: slice, grad: Tensor | None, low: int
) -> Tensor | None:
    """Return the gradient with the layer's own added on the strip's own rows; `low` is its first row."""
    if grad is None:
        return add_grad(layer, features, own, None)
    part = grad[:, :, own.start - low : own.stop - low]
    found = add_grad(layer, features, own, part)
    if found is not None and found is not part:
        part.copy_(found)
    return grad
