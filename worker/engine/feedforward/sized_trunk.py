"""A prepared trunk for pictures of any size, within a given memory."""

from __future__ import annotations

from torch import Tensor

from stylefarm.shared.errors import OutOfMemory
from stylefarm.worker.engine.feedforward.edges import padded_to
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.prepared_trunk import PreparedTrunk
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.feedforward.trunk_memory import strip_bytes, strip_rows, whole_bytes
from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE
from stylefarm.worker.engine.hardware.device import ComputePath

# The smallest picture that a trunk is applied to; a smaller one is enlarged by reflection, and cut out again.
SMALLEST = 4 * STRIDE


class SizedTrunk:
    """Renders pictures whole, or in strips where they do not fit.

    Args:
        trunk: The network, with its weights.
        path: The device and the precision.

    Example:
        >>> import torch
        >>> from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
        >>> trunk = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=1)).eval()
        >>> network = SizedTrunk(trunk, ComputePath(torch.device("cpu"), "fp32"))
        >>> tuple(network.render(torch.rand(1, 3, 17, 30), None, memory=1 << 30).shape)
        (1, 3, 17, 30)
    """

    def __init__(self, trunk: Trunk, path: ComputePath) -> None:
        self.shape = trunk.shape
        self.path = path
        self.network = PreparedTrunk(trunk.to(path.device), path)

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole.

        Args:
            height: Pixels.
            width: Pixels.
            batch: Pictures at a time.
        """
        return whole_bytes(self.shape, batch, height, width, self.path.dtype.itemsize)

    def render(self, content: Tensor, mixture: Mixture | None, memory: int) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, on the network's device.

        Args:
            content: (B, 3, H, W) float32 in [0, 1].
            mixture: The styles, of a network that has several; its maps have the content's size.
            memory: Bytes that may be used.

        Raises:
            OutOfMemory: The pictures do not fit into `memory` in strips either.
        """
        height, width = content.shape[2:]
        rows = self._strip_rows(content, memory, by_place=mixture is not None and mixture.maps is not None)
        if mixture is not None:
            maps = None if mixture.maps is None else padded_to(mixture.maps, STRIDE, SMALLEST)
            mixture = Mixture(mixture.shares, maps, mixture.strength).to(self.path.device)
        pixels = padded_to(content.to(self.path.device), STRIDE, SMALLEST)
        return self.network(pixels, mixture, rows)[:, :, :height, :width]

    def _strip_rows(self, content: Tensor, memory: int, *, by_place: bool) -> int | None:
        batch, _, height, width = content.shape
        itemsize = self.path.dtype.itemsize
        if whole_bytes(self.shape, batch, height, width, itemsize, by_place=by_place) <= memory:
            return None
        rows = strip_rows(self.shape, batch, height, width, itemsize, memory, by_place=by_place)
        if rows is None:
            least = strip_bytes(self.shape, batch, height, width, itemsize, STRIDE, by_place=by_place)
            raise OutOfMemory(
                f"{width} x {height} pixels need {least >> 20} MiB in strips, and {memory >> 20} MiB may be used:"
                " render a smaller picture, or fewer at a time"
            )
        return rows
