"""One attempt at one job: its inputs, the sinks that take its progress, its result, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from structlog.contextvars import bound_contextvars

from stylefarm import shared
from stylefarm.shared.blobs.storage import fetch_verified, store_object
from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.images.decode import DecodedImage, decode
from stylefarm.shared.images.encode import content_type
from stylefarm.shared.images.exif import kept_exif
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB, JobSpec, load_spec
from stylefarm.worker.attempt.attempt_sinks import AttemptSinks
from stylefarm.worker.attempt.checkpoint import CheckpointStore
from stylefarm.worker.attempt.lease import Interrupted, Lease, LeaseLost, PauseRequested
from stylefarm.worker.attempt.metrics import divergence, measure_result
from stylefarm.worker.attempt.outcome import Outcome, Rendered, outcome_of
from stylefarm.worker.attempt.output import OutputEncoder
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.hardware.memory import is_out_of_memory
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.iterative import Progress
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring.metrics import uploading
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import by_autograd


@dataclass
class Attempt:
    """One attempt at one job, alone or in a batch: prepare, start, on_progress for each step, finish.

    `record` collects what it is computed with, as JSON values.
    """

    services: Services
    job: JobRow
    lease: Lease
    record: dict[str, Any] = field(default_factory=dict)
    began_at: float = field(default_factory=time.monotonic)
    _outcome: Outcome | None = None
    _sinks: AttemptSinks | None = None
    _first_loss: float | None = None

    @cached_property
    def spec(self) -> JobSpec:
        """What is to be rendered. Raises InvalidSpec for a job that another release has submitted."""
        return load_spec(self.job.spec)

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    @property
    def has_ended(self) -> bool:
        """Whether its outcome is known."""
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended. Raises TypeError if it has not."""
        if self._outcome is None:
            raise TypeError("the attempt has not ended yet")
        return self._outcome

    @cached_property
    def checkpoint_store(self) -> CheckpointStore:
        """Where the attempt's checkpoints are."""
        return CheckpointStore(self.services, self.spec, self.fence, self.record)

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

    def log_context(self) -> AbstractContextManager[Any]:
        """Name the job and the attempt in what is logged in the `with` block."""
        return bound_contextvars(job=self.job.id, attempt=self.job.attempt)

    @contextmanager
    def ends_on_error(self) -> Iterator[None]:
        """Let an exception in the `with` block end this attempt, and no other of its batch.

        Raises:
            Exception: memory ran out while it is rendered, which is a matter of the whole batch.
        """
        with self.log_context():
            try:
                yield
            except Exception as error:
                if self._sinks is not None and is_out_of_memory(error):
                    raise
                self._outcome = outcome_of(error)
                self.close()

    def prepare(self, path: ComputePath) -> None:
        """Fetch the pictures, and record what the job is computed with. Raises what is wrong with them."""
        self.record.update(device=path.device_name, precision=path.precision, threads=torch.get_num_threads())
        self.record["path"] = {
            "convolutions": path.algorithm,
            "autograd": by_autograd(self.spec),
            "memory": [],
            "graphs": [],
        }
        self.encoder  # noqa: B018 - and, by it, the pictures

    def start(self, terms: Sequence[str], memory_left: Callable[[], int]) -> None:
        """Open the sinks.

        Args:
            terms: the names of the losses that each Progress holds, the total first.
            memory_left: how many bytes a copy of the engine's state may take.

        Raises:
            LeaseLost: the job belongs to another attempt.
        """
        settings, store = self.services.settings, self.services.store
        if list(terms) != self.job.loss_terms and not retry_transient(
            lambda: store.attempts.set_loss_terms(self.fence, terms)
        ):
            raise LeaseLost
        self._sinks = AttemptSinks.opened(
            self.services,
            self.lease,
            self.encoder,
            self.checkpoint_store,
            terms=terms,
            snapshot_every=self.spec.snapshot_every,
            checkpoint_seconds=settings.checkpoint_seconds,
            memory_left=memory_left,
        )

    def on_progress(self, progress: Progress) -> None:
        """Hand one step of the engine to the sinks. Raises what ends the attempt."""
        sinks = self._open_sinks()
        try:
            self.lease.check()
        except (Interrupted, PauseRequested):
            # The checkpoint that another worker continues from is stored first.
            sinks.checkpoints.store_last(progress)
            raise
        if progress.iteration == 0:
            self._first_loss = float(progress.losses[0, 0])
        sinks.on_progress(progress)

    def finish(self, progress: Progress, cache: TargetCache) -> None:
        """Store the last picture, which is the result, and measure it.

        Args:
            progress: the last step.
            cache: keeps what was read of contents and styles for the metrics of the next jobs.
        """
        self._open_sinks().finish()
        picture = self.encoder.finished(progress.image[0])
        data = self.encoder.encode_finished(picture, progress.iteration)
        self.close()
        seconds = time.monotonic() - self.began_at
        metrics = {**measure_result(self.inputs, progress.image[0], picture, cache), "seconds": round(seconds, 3)}
        metrics |= divergence(self._first_loss, float(progress.losses[0, 0]))
        file_format = self.encoder.output.format
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        blobs = self.services.blobs
        with uploading("result"):
            stored = retry_transient(lambda: store_object(blobs, key, data, content_type(file_format)))
        _, height, width = picture.shape
        self._outcome = Rendered(replace(stored, width=width, height=height), metrics)

    def close(self) -> None:
        """Close the sinks: nothing more is handed over."""
        if self._sinks is not None:
            self._sinks.close()
            self._sinks = None

    def _open_sinks(self) -> AttemptSinks:
        if self._sinks is None:
            raise TypeError("the attempt was not started, or has ended")
        return self._sinks

    def _picture(self, address: str) -> Image.Image:
        return self._decoded(address).image

    def _decoded(self, address: str) -> DecodedImage:
        return decode(self._bytes(address), address, max_pixels=self.services.settings.max_pixels)

    def _bytes(self, address: str) -> bytes:
        sha256 = address.removeprefix(BLOB)
        return retry_transient(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))
