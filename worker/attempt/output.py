"""From what the engine renders to the bytes of a file: colors restored, denoised, metadata written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.images.encode import Output
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.color import grayscale, keep_colors
from stylefarm.worker.render.pictures import encode_tensor, to_tensor


@dataclass(frozen=True)
class OutputEncoder:
    """Saves the pictures of one job; `exif` and `alpha` are the content's, if they are kept."""

    spec: JobSpec
    content: Image.Image
    parameters: Mapping[str, object]
    exif: bytes | None = None
    alpha: Image.Image | None = None

    @property
    def output(self) -> Output:
        """The file format and its options."""
        spec = self.spec
        return Output(spec.format, bits=spec.bits, quality=spec.quality, icc=spec.icc)

    def encode_finished(self, picture: Tensor, iteration: int) -> bytes:
        """Return the file of a picture that `finished` has returned. Raises InvalidRequest."""
        return encode_tensor(picture, self.output, {**self.parameters, "iteration": iteration}, self.exif, self.alpha)

    def finished(self, image: Tensor) -> Tensor:
        """Return the picture (3, H, W) as it is saved: in [0, 1], on the CPU."""
        image = image.float().cpu().clamp(0, 1)
        if self.spec.color == "luminance":
            content = to_tensor(self.content, (image.shape[2], image.shape[1]), image.device)
            image = keep_colors(content, image[None])[0]
        elif self.spec.color == "gray":
            image = grayscale(image[None])[0]
        return _denoised(image, self.spec.denoise) if self.spec.denoise else image


def _denoised(image: Tensor, weight: float) -> Tensor:
    """Total-variation denoising (Chambolle 2004), as scikit-image does it; larger weights take out more."""
    from skimage.restoration import denoise_tv_chambolle

    array = denoise_tv_chambolle(image.permute(1, 2, 0).numpy(), weight=weight, channel_axis=2)
    return torch.from_numpy(array).permute(2, 0, 1).clamp(0, 1)
