"""Memory of VGG's explicit passes, computed from the sizes of its layers.

docs/benchmarks.md holds measured bytes beside these.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stylefarm.worker.engine.networks.conv3x3 import WINOGRAD_POSITIONS, ConvAlgorithm
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload, shared_bytes
from stylefarm.worker.engine.networks.strips import KEEP_FROM_BLOCK
from stylefarm.worker.engine.networks.vgg import Convolution

# Strips much lower than this read more rows around their own than rows of their own; twice as high ones gain little.
STRIP_BYTES = (256 << 20, 128 << 20, 64 << 20, 16 << 20)


@dataclass(frozen=True)
class VggMemory:
    """The memory of a VGG in some precision.

    Args:
        convolutions: The convolutions in use.
        layers: Names of the layers that losses are at.
        algorithm: How the convolutions are computed.
        itemsize: Bytes of one activation.
        linear_pooling: Whether the backward pass of the pooling needs no activations.
        on_gpu: Whether the network is on a GPU.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import convolutions
        >>> memory = VggMemory(convolutions("vgg19")[:3], ["relu2_1"], "plain")
        >>> [str(plan) for plan in memory.memory_plans(Workload(64, 64, needs_whole=True))]
        ['whole']
    """

    convolutions: Sequence[Convolution]
    layers: Collection[str]
    algorithm: ConvAlgorithm
    itemsize: int = 4
    linear_pooling: bool = True
    on_gpu: bool = False

    @property
    def keeps_masks(self) -> bool:
        """Whether of layers without a loss only the ReLU's mask is held: a GPU, and half precision, hold all."""
        return self.linear_pooling and not self.on_gpu and self.itemsize >= 4

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return the plan for the whole image, and those in strips where no loss needs the whole; fastest first."""
        plans = [MemoryPlan("whole", self.whole_bytes(workload))]
        if not workload.needs_whole:
            plans += [
                MemoryPlan("strips", self.strips_bytes(workload, strip, keep), strip, keep)
                for keep in (True, False)
                for strip in STRIP_BYTES
                if keep or strip == STRIP_BYTES[-1]
            ]
        return plans

    def whole_bytes(self, work: Workload) -> int:
        """Return the peak bytes of a pass over the whole image."""
        held, most, before = 0, 0, work.batch * 3 * work.height * work.width
        for convolution in self.convolutions:
            outputs = _outputs(work, convolution)
            whole = self._has_loss(convolution) or not self.keeps_masks
            held += outputs * self.itemsize if whole else outputs // 8
            # Beside what is held there are the input and the output of the forward pass, or their gradients.
            most = max(most, held + (before + outputs) * self.itemsize)
            before = outputs
        return self._shared(work) + most + self._workspace(work, work.height)

    def strips_bytes(self, work: Workload, strip: int, keep: bool) -> int:
        """Return the peak bytes of a pass in strips whose activations take `strip` bytes."""
        keep = keep and self.linear_pooling
        inputs = work.batch * 3 * work.height * work.width
        kept, masks = 0, 0.0
        for index, convolution in enumerate(self.convolutions):
            has_loss = self._has_loss(convolution)
            outputs = _outputs(work, convolution)
            if convolution.pooled:
                height, width = convolution.size(work.size)
                inputs += work.batch * convolution.inputs * height * width
            if has_loss and keep and convolution.block > KEEP_FROM_BLOCK:
                kept += outputs
            elif not has_loss and self.linear_pooling and index:
                masks += outputs / 8
        row = work.batch * self.convolutions[0].outputs * work.width * 4 * self.itemsize
        rows = min(work.height, max(2, strip // row) + 2 * 4)
        # Half as much again lies between what is in use: `stylefarm.worker.engine.networks.allocator`.
        in_use = rows * row * 3 // 2 + self._workspace(work, rows)
        # When the backward pass is at the second block, the gradient for its input is beside the first blocks' inputs.
        backward = _outputs(work, self.convolutions[0]) // 4 - kept
        held = (inputs + kept + max(0, backward)) * self.itemsize + math.ceil(masks)
        return self._shared(work) + held + in_use

    def _has_loss(self, convolution: Convolution) -> bool:
        return convolution.name in self.layers or convolution.activation in self.layers

    def _shared(self, work: Workload) -> int:
        # Each weight is held twice: for the convolution, and transposed for its gradient.
        weights = sum(9 * c.inputs * c.outputs for c in self.convolutions) * self.itemsize * 2
        targets = sum(_outputs(work, c) for c in self.convolutions if {c.name, c.activation} & work.content_layers)
        return shared_bytes(work, weights, targets * self.itemsize)

    def _workspace(self, work: Workload, rows: int) -> int:
        """Return NNPACK's workspace: 64 values of every 8 x 8 tile and channel, at 6 x 6 outputs a tile; weights."""
        if self.algorithm != "winograd":
            return 0
        most = 0
        for convolution in self.convolutions:
            height, width = convolution.size(work.size)
            height = min(height, max(1, rows // convolution.stride))
            if height * width < WINOGRAD_POSITIONS:
                continue
            tiles = math.ceil(height / 6) * math.ceil(width / 6)
            channels = convolution.inputs + convolution.outputs
            most = max(most, 64 * 4 * (tiles * channels + convolution.inputs * convolution.outputs))
        return most


def _outputs(work: Workload, convolution: Convolution) -> int:
    """Return the number of values that a convolution gives for the batch."""
    height, width = convolution.size(work.size)
    return work.batch * convolution.outputs * height * width
