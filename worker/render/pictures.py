"""Pictures as tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.images.decode import to_array
from stylefarm.shared.images.encode import Output, encode


def to_tensor(image: Image.Image, size: tuple[int, int], device: torch.device) -> Tensor:
    """The picture at that width and height: (1, 3, H, W) float32 in [0, 1].

    Lanczos, which averages where it makes smaller, so that nothing aliases.
    """
    array = to_array(image.resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0).contiguous().to(device)


def encode_tensor(image: Tensor, output: Output, parameters: Mapping[str, object], exif: bytes | None = None) -> bytes:
    """A picture (3, H, W), any float type and device, as a file: clipped to [0, 1], with `parameters` in its metadata.

    `exif` is kept in it: the content picture's, as `kept_exif` gives it.

    Raises:
        InvalidRequest: as `encode` does; e.g. a value is NaN.
    """
    return encode(image.detach().float().permute(1, 2, 0).cpu().numpy(), output, parameters, exif)
