"""What an optimization needs of memory, as numbers: the workload, and one way of running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What the process takes beside tensors: its threads, oneDNN's own buffers.
OVERHEAD = 50 << 20

# Vectors of the image's size beside the optimizer's own: content, image, its predecessor, gradients, what is shown.
IMAGE_VECTORS = 5


@dataclass(frozen=True)
class Workload:
    """The images of one scale, their losses, and the optimizer's state.

    Args:
        height: Rows of the image, in pixels.
        width: Columns of the image, in pixels.
        content_layers: Layers whose features are kept as targets.
        optimizer_vectors: Tensors of the image's size, float32, that the optimizer keeps for each image.
        batch: Images that go through the network at once.
        waiting: Images that are optimized in the same batch, and go through the network one after the other.
        needs_whole: Whether a loss needs all of a layer at once, so that strips cannot be used.

    Example:
        >>> Workload(height=100, width=200).size
        (100, 200)
    """

    height: int
    width: int
    content_layers: frozenset[str] = frozenset()
    optimizer_vectors: int = 4
    batch: int = 1
    waiting: int = 0
    needs_whole: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.height, self.width


@dataclass(frozen=True)
class MemoryPlan:
    """One way of running a workload: whole, or in strips; `bytes` is the most that it holds at once.

    Args:
        kind: "whole" runs all of the image at once, "strips" some rows at a time.
        bytes: Peak memory in bytes.
        strip_bytes: Bytes of the activations of one strip.
        keep_features: Whether features of deep layers are kept for the backward pass, or computed again.

    Example:
        >>> str(MemoryPlan("strips", 10**9, 64 << 20))
        'strips of 64 MiB'
    """

    kind: Literal["whole", "strips"]
    bytes: int
    strip_bytes: int = 0
    keep_features: bool = True

    def __str__(self) -> str:
        """Return the plan in words."""
        if self.kind == "whole":
            return "whole"
        return f"strips of {self.strip_bytes >> 20} MiB" + (
            "" if self.keep_features else ", deep features computed again"
        )


def shared_bytes(workload: Workload, weight_bytes: int, target_bytes: int) -> int:
    """Return the bytes that every plan holds: weights, content targets, and vectors of the image's size.

    Args:
        workload: The workload.
        weight_bytes: Bytes of the network's weights, with all copies of them.
        target_bytes: Bytes of the features of the content layers, of `workload.batch` images.

    Example:
        >>> shared_bytes(Workload(100, 100, optimizer_vectors=0), weight_bytes=0, target_bytes=0) - OVERHEAD
        600000
    """
    vectors = IMAGE_VECTORS + workload.optimizer_vectors
    images = workload.batch * 3 * workload.height * workload.width * 4 * vectors
    return OVERHEAD + weight_bytes + (target_bytes + images) * (workload.batch + workload.waiting) // workload.batch
