"""The middle of a job's way: its inputs, the engine, and the sinks that the engine's progress feeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import structlog
import torch
from PIL import Image

import shared
from shared.blobs import fetch_verified, store_object
from shared.encoding import Format, content_type
from shared.errors import Diverged, OutOfMemory
from shared.exif import kept_exif
from shared.images import decode
from shared.services import Services
from shared.spec import BLOB, JobSpec
from shared.store import Checkpoint, Fence, StoredObject
from shared.tables import Job
from worker import metrics
from worker.checkpoint import CheckpointSink, Shelf
from worker.engine.budget import USABLE, Fit
from worker.engine.device import ComputePath, choose
from worker.engine.features import Vgg
from worker.engine.iterative import Progress, Rules, Scale, optimise
from worker.engine.memory import available_memory, give_back_memory
from worker.engine.state import EngineState
from worker.finish import Finish
from worker.inputs import Inputs
from worker.lease import Interrupted, Lease, PauseRequested
from worker.network import build_network
from worker.preparation import Bench, prepared
from worker.resume import earlier_state
from worker.retry import patiently
from worker.sinks import Background, LossSink, Sink, SnapshotSink
from worker.translate import by_autograd, make_optimiser
from worker.workshop import CALIBRATION_EDGE, Workshop, network_key

log = structlog.get_logger("stylefarm.worker")

# After an attempt that ran out of memory, so much of what is left is planned with.
LESS = 0.6


@dataclass
class Means:
    """What an attempt computes with: the way on a device, the bytes at hand there, and those planned with."""

    path: ComputePath
    available: int
    planned: int = 0

    def room(self) -> int:
        """How many bytes a copy of the engine's state may take: on a CPU what the plan of this scale leaves."""
        if self.path.device.type == "cpu":
            return round(self.available * USABLE) - self.planned
        return round(available_memory(torch.device("cpu")) * USABLE)


@dataclass(frozen=True)
class Painting:
    """One attempt at one job; `record` is told what it is computed with."""

    services: Services
    job: Job
    spec: JobSpec
    lease: Lease
    workshop: Workshop
    record: dict[str, Any]

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    @cached_property
    def shelf(self) -> Shelf:
        """Where the attempt's checkpoints are."""
        return Shelf(self.services, self.spec, self.fence, self.record)

    def paint(self) -> StoredObject:
        """Paints the picture and stores it; what was computed with goes into the record.

        It goes on from the checkpoint of an earlier attempt, if there is one that can be used. Where the memory does
        not suffice, it is tried once more with less. Raises the lease's Stop, Diverged, OutOfMemory,
        ServiceUnavailable, StorageFull, and what is wrong with the inputs.
        """
        path = choose(self.spec.precision)
        record = self.record
        record.update(device=path.device_name, precision=path.precision, threads=torch.get_num_threads())
        record["path"] = {"convolutions": path.way, "autograd": by_autograd(self.spec), "memory": []}
        inputs = Inputs.fetched(self.spec, self._picture)
        finish = self._finish(inputs)
        with earlier_state(self.services, self.job, self.spec, record) as state:
            self.shelf.named = None if state is None else Checkpoint.of(self.job)
            # A job that an earlier attempt found too large begins with less.
            first = LESS if self.job.is_to_be_smaller else 1.0
            for share in (first, first * LESS):
                # Outside of any except block, which would hold on to the tensors of the attempt that failed.
                give_back_memory()
                available = round(share * available_memory(path.device, self.services.settings.memory))
                data = self._painted(inputs, finish, Means(path, available), state)
                if data is not None:
                    return self._store(data, finish.output.format)
                metrics.OUT_OF_MEMORY.inc()
                log.warning("out of memory", available=available)
        raise OutOfMemory(
            f"a picture of size = {self.spec.size} did not fit into this worker's memory, twice: ask for a smaller size"
        )

    def _painted(self, inputs: Inputs, finish: Finish, means: Means, state: EngineState | None) -> bytes | None:
        """The painted file; None if the memory did not suffice."""
        try:
            last = self._run(self._steps(inputs, means, state), finish, means)
            return finish.encode(last.image[0], last.iteration)
        except (torch.OutOfMemoryError, MemoryError):
            return None
        except RuntimeError as error:
            # The CPU's allocator has no exception class of its own.
            if "can't allocate memory" not in str(error):
                raise
            return None

    def _run(self, steps: Iterator[Progress], finish: Finish, means: Means) -> Progress:
        """Runs the engine to its end; returns its last progress."""
        background = Background()
        losses = LossSink(self.services.store, self.fence, background)
        every = self.services.settings.checkpoint_seconds
        checkpoints = CheckpointSink(self.shelf, losses, background, every=every, room=means.room)
        try:
            sinks = (losses, self._snapshots(background, finish), checkpoints)
            for progress in steps:
                self._check(checkpoints, progress)
                for sink in sinks:
                    sink.take(progress)
            for sink in sinks:
                sink.close()
            background.finish()
        except Diverged:
            # What went before is still worth having: the curve, and the last good snapshot.
            background.finish()
            raise
        finally:
            checkpoints.abandon()
            background.close()
        return progress

    def _check(self, checkpoints: CheckpointSink, progress: Progress) -> None:
        """Raises the lease's Stop; what another worker is to go on with is stored before."""
        try:
            self.lease.check()
        except (Interrupted, PauseRequested):
            checkpoints.last(progress)
            raise

    def _steps(self, inputs: Inputs, means: Means, state: EngineState | None) -> Iterator[Progress]:
        spec, path = self.spec, means.path
        backbone = self.workshop.network(network_key(spec, path), partial(self._network, inputs, path))
        memory = self.record["path"]["memory"]

        def told(edge: int, chosen: Fit) -> None:
            means.planned = chosen.bytes
            memory.append({"size": edge, "way": str(chosen), "bytes": chosen.bytes})

        graphs: list[str] = self.record["path"].setdefault("graphs", [])
        bench = Bench(path, backbone, self.workshop, lambda: means.available, graphs.append)
        scales = [
            Scale(iterations, partial(prepared, inputs, edge, bench, partial(told, edge)))
            for edge, iterations in spec.schedule
        ]
        return optimise(scales, make_optimiser(spec), Rules(spec.clamp, spec.average, spec.stop_change), state)

    def _network(self, inputs: Inputs, path: ComputePath) -> Vgg:
        calibration = inputs.sized(min(self.spec.sizes[-1], CALIBRATION_EDGE), path.device)
        images = [calibration.content, *(style.image for style in calibration.styles)]
        cache = self.services.settings.home.expanduser() / "cache"
        return build_network(self.spec, images, self.services.blobs, cache, path)

    def _picture(self, address: str) -> Image.Image:
        return decode(self._bytes(address), address, max_pixels=self.services.settings.max_pixels).image

    def _bytes(self, address: str) -> bytes:
        sha256 = address.removeprefix(BLOB)
        return patiently(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))

    def _finish(self, inputs: Inputs) -> Finish:
        exif = kept_exif(self._bytes(self.spec.content)) if self.spec.exif == "keep" else None
        return Finish(self.spec, inputs.content, self._parameters(), exif)

    def _snapshots(self, background: Background, finish: Finish) -> Sink:
        store, blobs, every = self.services.store, self.services.blobs, self.spec.snapshot_every
        return SnapshotSink(store, blobs, self.fence, background, every=every, finish=finish)

    def _store(self, data: bytes, file_format: Format) -> StoredObject:
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        with metrics.uploading("result"):
            return patiently(lambda: store_object(self.services.blobs, key, data, content_type(file_format)))

    def _parameters(self) -> dict[str, object]:
        """What is written into the files: enough to paint the picture again."""
        names = {"content_name": self.job.content_name, "style_name": self.job.style_name}
        return {"stylefarm": shared.__version__, **names, **self.spec.model_dump(mode="json")}
