"""A rendered picture: what it is made from, its file, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image

from stylefarm import shared
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.errors import DamagedObject, InvalidImage, NotFound
from stylefarm.shared.images.decode import DecodedImage, decode
from stylefarm.shared.images.exif import kept_exif
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB, JobSpec
from stylefarm.worker.attempt.metrics import measure_result
from stylefarm.worker.attempt.outcome import Rendered
from stylefarm.worker.attempt.output import OutputEncoder
from stylefarm.worker.attempt.stored_picture import store_picture
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import by_autograd


@dataclass
class PictureProduct:
    """The `Product` of a stylization."""

    services: Services
    spec: JobSpec
    learned: Sequence[str] = ()
    """The pictures that the styles of a model were learned from, where they are known: to measure the result by."""

    @property
    def snapshot_every(self) -> int:
        """Iterations from one snapshot to the next; 0: none."""
        return self.spec.snapshot_every

    @property
    def too_large(self) -> str:
        """The sentence for the user where it did not fit into the memory."""
        return (
            f"a picture of size = {self.spec.size} did not fit into this worker's memory, twice: ask for a smaller size"
        )

    @cached_property
    def inputs(self) -> JobImages:
        """The pictures that the spec names. Raises what is wrong with them, and ServiceUnavailable."""
        return JobImages.fetched(self.spec, self._picture)

    @cached_property
    def encoder(self) -> OutputEncoder:
        """How its pictures are saved."""
        # What is needed to render the picture again; no names of files, since equal pictures of several names, and of
        # several users, share a job.
        parameters = {"stylefarm": shared.__version__, **self.spec.model_dump(mode="json")}
        exif = kept_exif(self._bytes(self.spec.content)) if self.spec.exif == "keep" else None
        alpha = self._decoded(self.spec.content).alpha if self.spec.alpha == "keep" else None
        return OutputEncoder(self.spec, self.inputs.content, parameters, exif, alpha)

    def prepare(self, path: ComputePath) -> Mapping[str, Any]:
        """Fetch the pictures, and return how the job is computed. Raises what is wrong with them."""
        self.encoder  # noqa: B018 - and, by it, the pictures
        autograd = [] if self.spec.is_applied else by_autograd(self.spec)
        return {"path": {"convolutions": path.algorithm, "autograd": autograd, "memory": [], "graphs": []}}

    def finish(self, progress: Progress, folder: str, cache: TargetCache) -> Rendered:
        """Store the last picture, which is the result, and measure it."""
        picture = self.encoder.finished(progress.image[0])
        metrics = measure_result(self.inputs, progress.image[0], picture, cache, self._styles())
        blobs = self.services.blobs
        stored = store_picture(blobs, f"{folder}/result", self.encoder, picture, progress.iteration, "result")
        return Rendered(stored, metrics)

    def _styles(self) -> Sequence[tuple[str, Image.Image]]:
        """Return the pictures of the styles, each with its address; none where one that was learned is gone."""
        if self.inputs.styles:
            return list(zip(self.spec.style, self.inputs.styles, strict=True))
        try:
            return [(address, self._picture(address)) for address in self.learned]
        except (NotFound, DamagedObject, InvalidImage):
            return []

    def _picture(self, address: str) -> Image.Image:
        return self._decoded(address).image

    def _decoded(self, address: str) -> DecodedImage:
        return decode(self._bytes(address), address, max_pixels=self.services.settings.max_pixels)

    def _bytes(self, address: str) -> bytes:
        sha256 = address.removeprefix(BLOB)
        return retry_transient(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))
