"""CycleGAN: two generators, each the other's way back, with their discriminators; and how its models are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.normalization import EPSILON
from stylefarm.worker.engine.feedforward.sized_trunk import SizedTrunk
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage

DIRECTIONS = ("forward", "backward")
LEAK = 0.2


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of 70 x 70 pixels: greater is likelier to be real.

    Args:
        channels: Of its first convolution.

    Source:
        Isola, Zhu, Zhou and Efros 2017 (arXiv 1611.07004), appendix 6.1.2; Zhu et al. 2017, appendix 7.2.

    Example:
        >>> import torch
        >>> tuple(PatchDiscriminator(4)(torch.zeros(1, 3, 64, 64)).shape)
        (1, 1, 6, 6)
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        widths = (3, channels, 2 * channels, 4 * channels, 8 * channels, 1)
        strides = (2, 2, 2, 1, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride, padding=1)
            for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a judgment for each patch, (B, 1, H', W'), of x (B, 3, H, W) in [-1, 1]."""
        last = len(self.convs) - 1
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if 0 < index < last:
                x = functional.instance_norm(x, eps=EPSILON)
            if index < last:
                x = functional.leaky_relu(x, LEAK)
        return x


class CycleGanApplier:
    """Translates pictures from the first set to the second, or back.

    Args:
        model: A model of cyclegan.
        path: The device and the precision.

    Raises:
        InvalidRequest: The model is damaged.

    Example:
        model = read_model(Path("to-monet.safetensors"))
        back = CycleGanApplier(model, path).apply(content, [], ApplyOptions(direction="backward"), memory=1 << 30)
    """

    def __init__(self, model: Model, path: ComputePath) -> None:
        shape = TrunkShape.of(model.architecture)
        self.generators = {
            direction: SizedTrunk(load_trunk(shape, tensors), path)
            for direction, tensors in generator_tensors(model.tensors).items()
        }

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole."""
        return self.generators["forward"].bytes(height, width, batch)

    def apply(
        self, content: Tensor, styles: Sequence[StyleImage | StyleIndex], options: ApplyOptions, memory: int
    ) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1]."""
        if styles:
            raise InvalidSpec("cyclegan translates between the two sets that it has learned: leave style out")
        return self.generators[options.direction].render(content, None, memory)


def generator_tensors(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the weights of the two generators, by direction.

    Args:
        tensors: Those of the model, whose names begin with the direction.

    Raises:
        InvalidRequest: There are others.

    Example:
        >>> import torch
        >>> found = generator_tensors({"forward.up.0.conv.bias": torch.zeros(1)})
        >>> [(direction, *names) for direction, names in found.items()]
        [('forward', 'up.0.conv.bias'), ('backward',)]
    """
    found: dict[str, dict[str, Tensor]] = {direction: {} for direction in DIRECTIONS}
    for name, tensor in tensors.items():
        direction, _, own = name.partition(".")
        if direction not in found:
            raise InvalidRequest(f"the model's weights are not those of cyclegan: see {name}")
        found[direction][own] = tensor
    return found
