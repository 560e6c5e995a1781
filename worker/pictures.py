"""Pictures as tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image
from torch import Tensor

from shared.encoding import Format, encode
from shared.images import from_array, resize, to_array


def to_tensor(image: Image.Image, long_edge: int, device: torch.device) -> Tensor:
    """The picture with that long edge, in pixels: (1, 3, H, W) float32 in [0, 1]."""
    array = to_array(resize(image, long_edge))
    return torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0).contiguous().to(device)


def encode_tensor(image: Tensor, file_format: Format, parameters: Mapping[str, object]) -> bytes:
    """A picture (3, H, W), clipped to [0, 1], as a file with `parameters` in its metadata."""
    return encode(from_array(image.permute(1, 2, 0).cpu().numpy()), file_format, parameters)
