"""Pictures as tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.images.decode import to_array
from stylefarm.shared.images.encode import Output, encode


def to_tensor(image: Image.Image, size: tuple[int, int], device: torch.device) -> Tensor:
    """Return the picture at that width and height: (1, 3, H, W) float32 in [0, 1].

    It is resized by Lanczos, which averages where it shrinks, so that nothing aliases.
    """
    array = to_array(image.resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0).contiguous().to(device)


def encode_tensor(
    image: Tensor,
    output: Output,
    parameters: Mapping[str, object],
    exif: bytes | None = None,
    alpha: Image.Image | None = None,
) -> bytes:
    """Return the file of a picture, clipped to [0, 1], with `parameters` in its metadata.

    Args:
        image: (3, H, W), of any float dtype and device.
        output: the file format.
        parameters: enough to render the picture again.
        exif: that of the content, as `kept_exif` returns it; None: none.
        alpha: how opaque the content is, in its own size; None: all of it.

    Raises:
        InvalidRequest: as `encode` does; for example, a value is NaN.
    """
    pixels = image.detach().float().permute(1, 2, 0).cpu().numpy()
    size = (pixels.shape[1], pixels.shape[0])
    opacity = None if alpha is None else to_array(alpha.resize(size, Image.Resampling.LANCZOS))[..., 0]
    return encode(pixels, output, parameters, exif, opacity)
