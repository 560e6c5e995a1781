"""One job among those that are painted together: its inputs, the sinks that it feeds, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import structlog
import torch
from PIL import Image
from structlog.contextvars import bound_contextvars

from stylefarm import shared
from stylefarm.shared.blobs.storage import fetch_verified, store_object
from stylefarm.shared.db.records import Fence, StoredObject
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import Diverged
from stylefarm.shared.images.decode import decode
from stylefarm.shared.images.encode import content_type
from stylefarm.shared.images.exif import kept_exif
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB, JobSpec, load_spec
from stylefarm.worker.attempt.checkpoint import CheckpointSink, Shelf
from stylefarm.worker.attempt.lease import Interrupted, Lease, PauseRequested
from stylefarm.worker.attempt.metrics import measured
from stylefarm.worker.attempt.output import Finish
from stylefarm.worker.attempt.sinks import Background, LossSink, Sink, SnapshotSink
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.hardware.memory import is_out_of_memory
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.iterative import Progress
from stylefarm.worker.host.retry import patiently
from stylefarm.worker.monitoring.metrics import uploading
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import by_autograd

log = structlog.get_logger("stylefarm.worker")


@dataclass
class Piece:
    """One attempt at one job. `record` is told what it is computed with.

    In the end `outcome` is its stored result, of which `metrics` were measured, or what ended it: the lease's Stop,
    Diverged, OutOfMemory, ServiceUnavailable, StorageFull, what is wrong with the inputs, or something that nobody
    foresaw.
    """

    services: Services
    job: JobRow
    lease: Lease
    record: dict[str, Any] = field(default_factory=dict)
    began_at: float = field(default_factory=time.monotonic)
    metrics: dict[str, float] = field(default_factory=dict)
    outcome: StoredObject | Exception | None = None
    _sitting: _Sitting | None = None

    @cached_property
    def spec(self) -> JobSpec:
        """What is to be painted. Raises InvalidSpec for what another release has submitted."""
        return load_spec(self.job.spec)

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.outcome is None

    @cached_property
    def shelf(self) -> Shelf:
        """Where the attempt's checkpoints are."""
        return Shelf(self.services, self.spec, self.fence, self.record)

    @cached_property
    def inputs(self) -> JobImages:
        """The pictures that the spec names. Raises what is wrong with them, and ServiceUnavailable."""
        return JobImages.fetched(self.spec, self._picture)

    @cached_property
    def finish(self) -> Finish:
        """How its pictures are saved."""
        names = {"content_name": self.job.content_name, "style_name": self.job.style_name}
        # Enough to paint the picture again.
        parameters = {"stylefarm": shared.__version__, **names, **self.spec.model_dump(mode="json")}
        exif = kept_exif(self._bytes(self.spec.content)) if self.spec.exif == "keep" else None
        return Finish(self.spec, self.inputs.content, parameters, exif)

    def named(self) -> AbstractContextManager[Any]:
        """What is logged in the `with` block names the job."""
        return bound_contextvars(job=self.job.id, attempt=self.job.attempt)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What is raised in the `with` block ends the piece, and no other.

        Only running out of memory while it is painted goes on: it is a matter of all that are painted together.
        """
        with self.named():
            try:
                yield
            except Exception as error:
                if self._sitting is not None and is_out_of_memory(error):
                    raise
                self.outcome = error
                self.close()

    def begin(self, path: ComputePath) -> None:
        """Fetches what is needed, and says what it is computed with."""
        self.record.update(device=path.device_name, precision=path.precision, threads=torch.get_num_threads())
        self.record["path"] = {"convolutions": path.way, "autograd": by_autograd(self.spec), "memory": [], "graphs": []}
        self.finish  # noqa: B018 - and, by it, the pictures

    def sit(self, room: Callable[[], int]) -> None:
        """Begins to be painted; `room` is how many bytes a copy of the engine's state may take."""
        self._sitting = _Sitting.of(self, room)

    def take(self, progress: Progress) -> None:
        """Takes one step of the engine. Raises what ends the piece."""
        sitting = self._at_work()
        try:
            self.lease.check()
        except (Interrupted, PauseRequested):
            # What another worker is to go on with is stored before.
            sitting.checkpoints.last(progress)
            raise
        with sitting.keeping():
            for sink in sitting.sinks:
                sink.take(progress)

    def complete(self, progress: Progress, cache: TargetCache) -> None:
        """Stores the last picture, which is the result, and measures it; `cache` is `measured`'s."""
        sitting = self._at_work()
        with sitting.keeping():
            for sink in sitting.sinks:
                sink.close()
            sitting.background.finish()
        picture = self.finish.finished(progress.image[0])
        data = self.finish.encode_finished(picture, progress.iteration)
        self.close()
        seconds = time.monotonic() - self.began_at
        self.metrics = {**measured(self.inputs, progress.image[0], picture, cache), "seconds": round(seconds, 3)}
        file_format = self.finish.output.format
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        with uploading("result"):
            self.outcome = patiently(lambda: store_object(self.services.blobs, key, data, content_type(file_format)))

    def close(self) -> None:
        """Hands over nothing more."""
        if self._sitting is not None:
            self._sitting.checkpoints.abandon()
            self._sitting.background.close()
            self._sitting = None

    def _at_work(self) -> _Sitting:
        if self._sitting is None:
            raise TypeError("the piece was not begun, or has ended")
        return self._sitting

    def _picture(self, address: str) -> Image.Image:
        return decode(self._bytes(address), address, max_pixels=self.services.settings.max_pixels).image

    def _bytes(self, address: str) -> bytes:
        sha256 = address.removeprefix(BLOB)
        return patiently(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))


@dataclass(frozen=True)
class _Sitting:
    """The sinks of a piece while it is painted, and their thread."""

    background: Background
    checkpoints: CheckpointSink
    sinks: tuple[Sink, ...]

    @classmethod
    def of(cls, piece: Piece, room: Callable[[], int]) -> _Sitting:
        services, fence = piece.services, piece.fence
        background = Background()
        losses = LossSink(services.store, fence, background, piece.lease.hear)
        every = piece.spec.snapshot_every
        snapshots = SnapshotSink(services.store, services.blobs, fence, background, every=every, finish=piece.finish)
        seconds = services.settings.checkpoint_seconds
        checkpoints = CheckpointSink(piece.shelf, losses, background, every=seconds, room=room)
        return cls(background, checkpoints, (losses, snapshots, checkpoints))

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """When the losses leave the numbers, what went before is still worth having: the curve, and the snapshots."""
        try:
            yield
        except Diverged:
            self.background.finish()
            raise
