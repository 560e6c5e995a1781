"""How many bytes an optimization takes, and how it is made to fit: whole, in strips, or not at all.

The sizes of all large tensors follow from the sizes of the picture and of the network; docs/benchmarks.md has what was
measured beside what is told here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stylefarm.worker.engine.losses.targets import layer_size
from stylefarm.worker.engine.networks.conv3x3 import WINOGRAD_POSITIONS, ConvAlgorithm
from stylefarm.worker.engine.networks.strips import KEPT_FROM
from stylefarm.worker.engine.networks.vgg import Convolution

# Strips much lower than this read more rows around their own than rows of their own; twice as high ones gain little.
STRIPS = (256 << 20, 128 << 20, 64 << 20, 16 << 20)

# What the process takes beside tensors: its threads, oneDNN's own buffers.
OVERHEAD = 50 << 20

# Of the memory at hand this share is planned with; what is told here is a tenth more than what is taken, besides.
USABLE = 0.95

# Vectors of the picture's size beside the optimizer's own: content, picture, its predecessor, gradients, what is shown.
PICTURES = 5


@dataclass(frozen=True)
class Workload:
    """What there is to be held: pictures of a size, a network, its losses, and the optimizer's vectors a picture.

    `batch` pictures go through the network at once; `beside` are those whose turn comes later.
    """

    height: int
    width: int
    plan: Sequence[Convolution]
    layers: frozenset[str]
    content_layers: frozenset[str]
    vectors: int
    way: ConvAlgorithm
    itemsize: int = 4
    batch: int = 1
    beside: int = 0
    linear_pooling: bool = True
    on_gpu: bool = False
    needs_whole: bool = False

    @property
    def signs(self) -> bool:
        """Whether of layers without a loss only the signs are held: a GPU, and half precision, hold all."""
        return self.linear_pooling and not self.on_gpu and self.itemsize >= 4

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


@dataclass(frozen=True)
class MemoryPlan:
    """How it is made to fit: whole, or in strips of `strip_bytes`, deep features kept or not; and its bytes."""

    kind: Literal["whole", "strips"]
    bytes: int
    strip_bytes: int = 0
    keeps: bool = True

    def __str__(self) -> str:
        if self.kind == "whole":
            return "whole"
        return f"strips of {self.strip_bytes >> 20} MiB" + ("" if self.keeps else ", deep features computed again")


def fit(work: Workload, available: int) -> MemoryPlan | None:
    """The fastest way that fits into `available` bytes; None if none does."""
    return next((option for option in options(work) if option.bytes <= available * USABLE), None)


def options(work: Workload) -> list[MemoryPlan]:
    """Every way of doing the work, the fastest first."""
    found = [MemoryPlan("whole", whole_bytes(work))]
    if not work.needs_whole:
        found += [
            MemoryPlan("strips", strips_bytes(work, strip, keeps), strip, keeps)
            for keeps in (True, False)
            for strip in STRIPS
            if keeps or strip == STRIPS[-1]
        ]
    return found


def largest_edge(work: Workload, available: int) -> int:
    """The longest edge, in steps of 16 pixels, at which a picture of this aspect fits; 0 if none does."""
    longest = max(work.size)

    def at(edge: int) -> Workload:
        height, width = (max(1, round(side * edge / longest)) for side in work.size)
        return replace(work, height=height, width=width)

    low, high = 0, longest // 16 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(at(middle * 16), available) else (low, middle)
    return low * 16


def whole_bytes(work: Workload) -> int:
    """The most that is held at once when a picture is gone through as a whole."""
    held, most, before = 0, 0, work.batch * 3 * work.height * work.width
    for convolution in work.plan:
        outputs = _outputs(work, convolution)
        whole = bool({convolution.name, convolution.activation} & work.layers) or not work.signs
        held += outputs * work.itemsize if whole else outputs // 8
        # Beside what is held, its input and output are at hand on the way there, and their gradients on the way back.
        most = max(most, held + (before + outputs) * work.itemsize)
        before = outputs
    return _common(work) + most + _workspace(work, work.height)


def strips_bytes(work: Workload, strip: int, keeps: bool) -> int:
    """The most that is held at once when the network is gone through in strips."""
    keeps = keeps and work.linear_pooling
    inputs = work.batch * 3 * work.height * work.width
    kept, signs = 0, 0.0
    for index, convolution in enumerate(work.plan):
        named = {convolution.name, convolution.activation} & work.layers
        outputs = _outputs(work, convolution)
        if convolution.pooled:
            height, width = layer_size(convolution.name, work.size)
            inputs += work.batch * convolution.inputs * height * width
        if named and keeps and int(convolution.name[4]) > KEPT_FROM:
            kept += outputs
        elif not named and work.linear_pooling and index:
            signs += outputs / 8
    row = work.batch * work.plan[0].outputs * work.width * 4 * work.itemsize
    rows = min(work.height, max(2, strip // row) + 2 * 4)
    # Half as much again lies between what is in use: `stylefarm.worker.engine.networks.allocator`.
    in_hand = rows * row * 3 // 2 + _workspace(work, rows)
    # When the way back has come to the second block, the gradient for its input is beside the first blocks' inputs.
    back = _outputs(work, work.plan[0]) // 4 - kept
    held = (inputs + kept + max(0, back)) * work.itemsize + math.ceil(signs)
    return _common(work) + held + in_hand


def _common(work: Workload) -> int:
    """Weights, targets, and everything of the picture's own size."""
    weights = sum(9 * c.inputs * c.outputs for c in work.plan) * work.itemsize * 2
    targets = sum(_outputs(work, c) for c in work.plan if {c.name, c.activation} & work.content_layers) * work.itemsize
    pictures = work.batch * 3 * work.height * work.width * 4 * (PICTURES + work.vectors)
    return OVERHEAD + weights + (targets + pictures) * (work.batch + work.beside) // work.batch


def _workspace(work: Workload, rows: int) -> int:
    """What NNPACK works in: every 8 x 8 tile's 64 values for each channel, at 6 x 6 outputs a tile; and the weights."""
    if work.way != "winograd":
        return 0
    most = 0
    for convolution in work.plan:
        height, width = layer_size(convolution.name, work.size)
        height = min(height, max(1, rows >> (int(convolution.name[4]) - 1)))
        if height * width < WINOGRAD_POSITIONS:
            continue
        tiles = math.ceil(height / 6) * math.ceil(width / 6)
        channels = convolution.inputs + convolution.outputs
        most = max(most, 64 * 4 * (tiles * channels + convolution.inputs * convolution.outputs))
    return most


def _outputs(work: Workload, convolution: Convolution) -> int:
    """Values of all that the convolution gives."""
    height, width = layer_size(convolution.name, work.size)
    return work.batch * convolution.outputs * height * width
