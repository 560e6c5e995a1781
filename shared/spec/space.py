"""The input space of a network: from a picture's [0, 1] to the input of the first convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class InputSpace:
    """input = (range x rgb - mean) / std, with its channels in `order`.

    `rgb` is in [0, 1]; `mean` and `std` are in the order red, green, blue, in units of `range`.
    """

    range: float
    mean: Triple
    std: Triple = (1.0, 1.0, 1.0)
    order: Literal["rgb", "bgr"] = "rgb"

    @property
    def unit(self) -> float:
        """How long the way from black to white is, on average over the channels."""
        return self.range * 3 / sum(self.std)


CAFFE_MEAN: Triple = (123.68, 116.779, 103.939)

# torchvision's VGG was trained on [0, 1] RGB with these moments of ImageNet.
TORCHVISION = InputSpace(1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# The authors' own weights, as Caffe and its conversions take them, and as MatConvNet does.
CAFFE = InputSpace(255.0, CAFFE_MEAN, order="bgr")
MATCONVNET = InputSpace(255.0, CAFFE_MEAN)
# The pixels themselves.
PIXELS = InputSpace(1.0, (0.0, 0.0, 0.0))
