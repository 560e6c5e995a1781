"""The tensors of SqueezeNet's weights: torchvision's names and shapes, and the names of Keras for the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stylefarm.shared.spec.networks import FIRES, SQUEEZENET_FIRST_CHANNELS


@dataclass(frozen=True)
class ConvolutionNames:
    """One convolution of SqueezeNet, as two programs call it.

    Args:
        torchvision: Its path in torchvision's state dict: "features.3.squeeze".
        keras: Its path in a weights file of Keras: "fire2/squeeze1x1".
        inputs: Channels of its input.
        outputs: Channels of its output.
        side: Side of its kernel.
    """

    torchvision: str
    keras: str
    inputs: int
    outputs: int
    side: int

    @property
    def keras_datasets(self) -> tuple[str, str]:
        """The paths of kernel and bias in a file: Keras repeats the layer's name in the layer's group."""
        return f"{self.keras}/{self.keras}_W:0", f"{self.keras}/{self.keras}_b:0"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of torchvision's tensors, by name."""
        kernel = (self.outputs, self.inputs, self.side, self.side)
        return {f"{self.torchvision}.weight": kernel, f"{self.torchvision}.bias": (self.outputs,)}


def squeezenet_convolutions() -> Iterator[ConvolutionNames]:
    """Yield the convolutions up to the last fire module, from the image inwards.

    Example:
        >>> [names.torchvision for names in squeezenet_convolutions()][:3]
        ['features.0', 'features.3.squeeze', 'features.3.expand1x1']
        >>> list(squeezenet_convolutions())[1].keras_datasets[0]
        'fire2/squeeze1x1/fire2/squeeze1x1_W:0'
    """
    yield ConvolutionNames("features.0", "conv1", 3, SQUEEZENET_FIRST_CHANNELS, 3)
    # The convolution, its ReLU, and then fire modules, with a pooling before some of them.
    position, inputs = 2, SQUEEZENET_FIRST_CHANNELS
    for name, fire in FIRES.items():
        position += fire.pooled
        torchvision = f"features.{position}"
        yield ConvolutionNames(f"{torchvision}.squeeze", f"{name}/squeeze1x1", inputs, fire.squeeze, 1)
        for side in (1, 3):
            part = f"expand{side}x{side}"
            yield ConvolutionNames(f"{torchvision}.{part}", f"{name}/{part}", fire.squeeze, fire.expand, side)
        position, inputs = position + 1, 2 * fire.expand
