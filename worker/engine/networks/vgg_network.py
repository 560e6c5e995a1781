"""VGG as a feature network: explicit passes, whole or in strips, and their memory."""

from __future__ import annotations

from stylefarm.worker.engine.networks.feature_network import ForwardPass
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload
from stylefarm.worker.engine.networks.strips import StripPass
from stylefarm.worker.engine.networks.vgg_backbone import VggBackbone
from stylefarm.worker.engine.networks.vgg_memory import VggMemory
from stylefarm.worker.engine.networks.whole_pass import WholePass


class VggNetwork(VggBackbone):
    """The `FeatureNetwork` of a `Vgg`.

    Args:
        vgg: The network, with its weights, in the precision and on the device that it is to run with.
        algorithm: How the convolutions are computed; None chooses by device and dtype.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg
        >>> network = VggNetwork(Vgg("vgg19", ["relu3_1"]))
        >>> network.layers["relu3_1"].channels, network.layer_size("relu3_1", (65, 64))
        (256, (16, 16))
        >>> [str(plan) for plan in network.memory_plans(Workload(64, 64))][:2]
        ['whole', 'strips of 256 MiB']
    """

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return every way of running the workload with its memory in bytes, the fastest first."""
        memory = VggMemory(
            self.convolutions,
            self.layers,
            self.algorithm,
            itemsize=self.dtype.itemsize,
            linear_pooling=self.pool.linear,
            on_gpu=self.device.type == "cuda",
        )
        return memory.memory_plans(workload)

    def forward_pass(self, plan: MemoryPlan | None = None) -> ForwardPass:
        """Return the pass that follows `plan`; None runs the whole image at once."""
        if plan is None or plan.kind == "whole":
            return WholePass(self)
        return StripPass(self, plan.strip_bytes, keep_features=plan.keep_features)
