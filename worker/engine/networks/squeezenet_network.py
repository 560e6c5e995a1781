"""SqueezeNet as a feature network: explicit passes, whole or in strips, and their memory."""

from __future__ import annotations

from collections.abc import Iterator

from stylefarm.worker.engine.networks.feature_network import ForwardPass
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload, shared_bytes
from stylefarm.worker.engine.networks.squeezenet_backbone import NamedStep, SqueezeNetBackbone
from stylefarm.worker.engine.networks.squeezenet_pass import SqueezeNetPass, bytes_of_rows, heights, strip_rows

# Activations of a strip in MiB, of the plans from the fastest to the smallest; larger strips are not faster on a CPU.
STRIPS = (32, 16)
# Vectors of the image's size that there are only between two passes: gradients, the next image.
STEP_VECTORS = 3


class SqueezeNetNetwork(SqueezeNetBackbone):
    """The `FeatureNetwork` of a `SqueezeNet`.

    Args:
        squeezenet: The network, with its weights, in the precision and on the device that it is to run with.
        layers: Names of the layers in use.

    Example:
        >>> from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
        >>> network = SqueezeNetNetwork(SqueezeNet(), ["fire4", "relu1"])
        >>> [(layer.name, layer.channels, layer.stride) for layer in network.layers.values()]
        [('relu1', 64, 2), ('fire4', 256, 8)]
        >>> network.layer_size("fire4", (65, 64))
        (7, 7)
    """

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return every way of running the workload with its memory in bytes, the fastest first."""
        plans = [MemoryPlan("whole", self._bytes(workload, None))]
        if not workload.needs_whole:
            plans += [MemoryPlan("strips", self._bytes(workload, mib << 20), mib << 20) for mib in STRIPS]
        return plans

    def forward_pass(self, plan: MemoryPlan | None = None) -> ForwardPass:
        """Return the pass that follows `plan`; None runs the whole image at once."""
        return SqueezeNetPass(self, None if plan is None or plan.kind == "whole" else plan.strip_bytes)

    def _bytes(self, work: Workload, strip_bytes: int | None) -> int:
        """Return the peak: what is kept between the passes, and the most that one stage takes beside it."""
        itemsize = self.dtype.itemsize
        kept = [work.batch * 3 * work.height * work.width * itemsize]
        passing: list[float] = []
        for steps, size in self._stages(work):
            activations = work.batch * bytes_of_rows(steps, size, itemsize)
            rows = heights(steps, size[0])[-1]
            at_once = rows if strip_bytes is None else strip_rows(steps, work.batch, size, itemsize, strip_bytes)
            widest = max(_largest(named, steps, size, itemsize) for named in steps) * work.batch * at_once / rows
            if at_once >= rows:
                kept.append(round(activations * rows))
                passing.append(2 * widest)
            else:
                # A strip's own rows have neighbours, and the stage's input has a gradient as large as itself.
                halo = 1 + 6 / at_once
                kept.append(self._output_bytes(work, steps, size))
                passing.append((activations * at_once + 3 * widest) * halo + self._input_bytes(work, steps, size))
        targets = sum(self._layer_bytes(work, name) for name in work.content_layers)
        # The shared bytes hold the temporaries of a step, too, which are not there while the network runs.
        of_step = STEP_VECTORS * work.batch * 3 * work.height * work.width * 4
        return round(shared_bytes(work, 2 * self.weight_bytes, targets) + max(0, sum(kept) + max(passing) - of_step))

    def _stages(self, work: Workload) -> Iterator[tuple[list[NamedStep], tuple[int, int]]]:
        """Yield the steps of each stage with the size of its input."""
        height, width = (length + 2 * self.pads for length in work.size)
        for steps in self.stages:
            if not steps:
                return
            yield steps, (height, width)
            height, width = heights(steps, height)[-1], heights(steps, width)[-1]

    def _output_bytes(self, work: Workload, steps: list[NamedStep], size: tuple[int, int]) -> int:
        rows, columns = (heights(steps, length)[-1] for length in size)
        return work.batch * steps[-1].channels * rows * columns * self.dtype.itemsize

    def _input_bytes(self, work: Workload, steps: list[NamedStep], size: tuple[int, int]) -> int:
        index = self.stages.index(steps)
        channels = self.stages[index - 1][-1].channels if index else 3
        return work.batch * channels * size[0] * size[1] * self.dtype.itemsize

    def _layer_bytes(self, work: Workload, layer: str) -> int:
        height, width = self.layer_size(layer, work.size)
        return work.batch * self.layers[layer].channels * height * width * self.dtype.itemsize


def _largest(named: NamedStep, steps: list[NamedStep], size: tuple[int, int], itemsize: int) -> int:
    """Return the bytes of a step's whole output, of one image."""
    index = steps.index(named) + 1
    return named.channels * heights(steps, size[0])[index] * heights(steps, size[1])[index] * itemsize
