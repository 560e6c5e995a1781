"""The middle of a job's way: its inputs, the engine, and the sinks that the engine's progress feeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
from shared.store import Fence, StoredObject
from shared.tables import Job
from worker.engine.budget import Fit
from worker.engine.device import ComputePath, choose
from worker.engine.features import Vgg
from worker.engine.iterative import Progress, Rules, Scale, optimise
from worker.engine.memory import available_memory, give_back_memory
from worker.finish import Finish
from worker.inputs import Inputs
from worker.lease import Lease
from worker.network import build_network
from worker.preparation import Bench, prepared
from worker.retry import patiently
from worker.sinks import Background, LossSink, Sink, SnapshotSink
from worker.translate import by_autograd, make_optimiser
from worker.workshop import CALIBRATION_EDGE, Workshop, network_key

log = structlog.get_logger("stylefarm.worker")

# After an attempt that ran out of memory, so much of what is left is planned with.
LESS = 0.6


@dataclass(frozen=True)
class Painting:
    """One attempt at one job."""

    services: Services
    job: Job
    spec: JobSpec
    lease: Lease
    workshop: Workshop

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    def paint(self, record: dict[str, Any]) -> StoredObject:
        """Paints the picture and stores it; what was computed with goes into `record`.

        Where the memory does not suffice, it is tried once more with less. Raises the lease's Stop, Diverged,
        OutOfMemory, ServiceUnavailable, and what is wrong with the inputs.
        """
        path = choose(self.spec.precision)
        record.update(device=path.device_name, precision=path.precision, threads=torch.get_num_threads())
        record["path"] = {"convolutions": path.way, "autograd": by_autograd(self.spec), "memory": []}
        inputs = Inputs.fetched(self.spec, self._picture)
        finish = self._finish(inputs)
        # A job that an earlier attempt found too large begins with less.
        first = LESS if self.job.is_to_be_smaller else 1.0
        for share in (first, first * LESS):
            # Outside of any except block, which would hold on to the tensors of the attempt that failed.
            give_back_memory()
            available = round(share * available_memory(path.device, self.services.settings.memory))
            data = self._painted(inputs, finish, path, available, record)
            if data is not None:
                return self._store(data, finish.output.format)
            log.warning("out of memory", available=available)
        raise OutOfMemory(
            f"a picture of size = {self.spec.size} did not fit into this worker's memory, twice: ask for a smaller size"
        )

    def _painted(
        self, inputs: Inputs, finish: Finish, path: ComputePath, available: int, record: dict[str, Any]
    ) -> bytes | None:
        """The painted file; None if the memory did not suffice."""
        try:
            last = self._run(self._steps(inputs, path, available, record), finish)
            return finish.encode(last.image[0], last.iteration)
        except (torch.OutOfMemoryError, MemoryError):
            return None
        except RuntimeError as error:
            # The CPU's allocator has no exception class of its own.
            if "can't allocate memory" not in str(error):
                raise
            return None

    def _run(self, steps: Iterator[Progress], finish: Finish) -> Progress:
        """Runs the engine to its end; returns its last progress."""
        background = Background()
        try:
            sinks = self._sinks(background, finish)
            for progress in steps:
                self.lease.check()
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
            background.close()
        return progress

    def _steps(self, inputs: Inputs, path: ComputePath, available: int, record: dict[str, Any]) -> Iterator[Progress]:
        spec = self.spec
        backbone = self.workshop.network(network_key(spec, path), partial(self._network, inputs, path))
        memory = record["path"]["memory"]

        def told(edge: int, chosen: Fit) -> None:
            memory.append({"size": edge, "way": str(chosen), "bytes": chosen.bytes})

        graphs: list[str] = record["path"].setdefault("graphs", [])
        bench = Bench(path, backbone, self.workshop, lambda: available, graphs.append)
        scales = [
            Scale(iterations, partial(prepared, inputs, edge, bench, partial(told, edge)))
            for edge, iterations in spec.schedule
        ]
        return optimise(scales, make_optimiser(spec), Rules(spec.clamp, spec.average, spec.stop_change))

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

    def _sinks(self, background: Background, finish: Finish) -> Sequence[Sink]:
        services = self.services
        every = self.spec.snapshot_every
        return (
            LossSink(services.store, self.fence, background),
            SnapshotSink(services.store, services.blobs, self.fence, background, every=every, finish=finish),
        )

    def _store(self, data: bytes, file_format: Format) -> StoredObject:
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        return patiently(lambda: store_object(self.services.blobs, key, data, content_type(file_format)))

    def _parameters(self) -> dict[str, object]:
        """What is written into the files: enough to paint the picture again."""
        names = {"content_name": self.job.content_name, "style_name": self.job.style_name}
        return {"stylefarm": shared.__version__, **names, **self.spec.model_dump(mode="json")}
