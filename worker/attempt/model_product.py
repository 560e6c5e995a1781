"""A trained model: its sample pictures, its file, its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from stylefarm import shared
from stylefarm.shared.images.encode import Output
from stylefarm.shared.services import Services
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.shared.store.library import Models, NewModel
from stylefarm.worker.attempt.checkpoint_file import temporary_file
from stylefarm.worker.attempt.outcome import Rendered
from stylefarm.worker.attempt.stored_picture import store_picture
from stylefarm.worker.engine.feedforward.model import Model, write_model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring.metrics import uploading
from stylefarm.worker.render.pictures import encode_tensor
from stylefarm.worker.training.trainer import Trainer


@dataclass(frozen=True)
class SampleEncoder:
    """Saves pictures of samples as PNG files; `parameters` go into their metadata."""

    parameters: Mapping[str, object]

    @property
    def output(self) -> Output:
        """The file format and its options."""
        return Output("png")

    def finished(self, image: Tensor) -> Tensor:
        """Return the picture (3, H, W) as it is saved: in [0, 1], on the CPU."""
        return image.float().cpu().clamp(0, 1)

    def encode_finished(self, picture: Tensor, iteration: int) -> bytes:
        """Return the file of a picture that `finished` has returned. Raises InvalidRequest."""
        return encode_tensor(picture, self.output, {**self.parameters, "iteration": iteration})


@dataclass
class ModelProduct:
    """The `Product` of a training: a model, and as the job's result its last picture of samples."""

    services: Services
    job_id: str
    spec: TrainingSpec
    trainer: Trainer | None = None
    """Set when the training begins."""

    @property
    def snapshot_every(self) -> int:
        """Iterations from one picture of samples to the next; 0: none."""
        return self.spec.sample_every

    @property
    def too_large(self) -> str:
        """The sentence for the user where it did not fit into the memory."""
        return (
            f"{self.spec.batch_size} pictures of {self.spec.image_size} px did not fit into this worker's memory,"
            " twice: ask for a smaller batch_size or image_size"
        )

    @cached_property
    def encoder(self) -> SampleEncoder:
        """How pictures of samples are saved."""
        return SampleEncoder({"stylefarm": shared.__version__, **self.spec.model_dump(mode="json")})

    def prepare(self, path: ComputePath) -> Mapping[str, Any]:
        """Return what the attempt's record says of how it is computed."""
        return {"path": {"convolutions": path.algorithm, "memory": []}}

    def finish(self, progress: Progress, folder: str, cache: TargetCache) -> Rendered:
        """Store the model and the last picture of samples."""
        if self.trainer is None:
            raise TypeError("the training has not begun")
        model = self._with_card(self.trainer.model(), progress)
        new = self._stored(model)
        picture, blobs = self.encoder.finished(progress.image[0]), self.services.blobs
        stored = store_picture(blobs, f"{folder}/result", self.encoder, picture, progress.iteration, "result")
        losses = progress.losses[0].tolist()
        measured = {f"loss_{term}": loss for term, loss in zip(self.spec.loss_terms, losses, strict=True)}
        return Rendered(stored, measured, new)

    def _with_card(self, model: Model, progress: Progress) -> Model:
        said = {
            "trained_by": f"stylefarm {shared.__version__}, job {self.job_id}",
            "iterations": progress.iteration,
            "spec": self.spec.model_dump(mode="json"),
        }
        return replace(model, card={**said, **model.card})

    def _stored(self, model: Model) -> NewModel:
        """Upload the model's file under its hash, and return how it is registered."""
        folder = self.services.settings.home.expanduser() / "cache" / "models"
        with temporary_file(folder) as path:
            write_model(path, model)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = path.stat().st_size
            with uploading("model"):
                key = f"{Models.folder}/{sha256}"
                # If this process dies before the model is registered, nothing names the file: the next attempt's is
                # another one, whose card tells other seconds.
                retry_transient(lambda: self.services.store.holds.hold_for_a_day([key]))
                retry_transient(lambda: self.services.blobs.put_file(key, path, "application/octet-stream"))
        source = f"job {self.job_id}"
        return NewModel(self.spec.name, sha256, size, source, model.method, model.architecture, model.card)
