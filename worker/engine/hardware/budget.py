"""Choice of the memory plan: how a workload is made to fit into the available memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload

# The share of the available memory that is planned with; plans estimate about a tenth more than is taken, besides.
USABLE = 0.95


class MemoryEstimator(Protocol):
    """The part of a feature network that plans need.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg
        >>> from stylefarm.worker.engine.networks.vgg_network import VggNetwork
        >>> estimator: MemoryEstimator = VggNetwork(Vgg("vgg19", ["relu2_1"]))
        >>> [str(plan) for plan in estimator.memory_plans(Workload(64, 64))][:1]
        ['whole']
    """

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return every way of running the workload with its memory in bytes, the fastest first.

        Args:
            workload: The image, the batch and the optimizer.
        """
        ...


def choose_plan(network: MemoryEstimator, workload: Workload, available: int) -> MemoryPlan | None:
    """Return the fastest plan that fits into `available` bytes; None if none does.

    Args:
        network: Estimates the memory of its passes.
        workload: The image, the batch and the optimizer.
        available: Bytes.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg
        >>> from stylefarm.worker.engine.networks.vgg_network import VggNetwork
        >>> network = VggNetwork(Vgg("vgg19", ["relu2_1"]))
        >>> str(choose_plan(network, Workload(2000, 2000), 10**10))
        'whole'
        >>> choose_plan(network, Workload(2000, 2000), 10**6) is None
        True
    """
    plans = network.memory_plans(workload)
    return next((plan for plan in plans if plan.bytes <= available * USABLE), None)


def largest_edge(network: MemoryEstimator, workload: Workload, available: int) -> int:
    """Return the longest edge at which an image of this aspect fits.

    Args:
        network: The network.
        workload: The workload at the size that was asked for, which bounds the result.
        available: Bytes that can be used.

    Returns:
        The edge in pixels, a multiple of 16; 0 if no size fits.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg
        >>> from stylefarm.worker.engine.networks.vgg_network import VggNetwork
        >>> largest_edge(VggNetwork(Vgg("vgg19", ["relu2_1"])), Workload(500, 500), available=10**11)
        496
    """
    longest = max(workload.size)

    def at(edge: int) -> Workload:
        height, width = (max(1, round(side * edge / longest)) for side in workload.size)
        return replace(workload, height=height, width=width)

    low, high = 0, longest // 16 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if choose_plan(network, at(middle * 16), available) else (low, middle)
    return low * 16
